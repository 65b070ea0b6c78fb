package venti

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A Decoder reads the primitive fields that all formats here are made of: minimal unsigned varints, zig-zag signed
// varints, and bytes with a length in front. It is strict: every field has one encoding only, every length is checked
// against the bytes that are left before anything is copied, and Finish refuses trailing bytes.
//
// The first failure sticks: later reads return zero values, and Err reports it. The zero Decoder is empty. A Decoder
// does not copy: returned slices alias its input.
type Decoder struct {
	buf []byte
	err error
}

// NewDecoder returns a Decoder of b.
func NewDecoder(b []byte) *Decoder { return &Decoder{buf: b} }

var (
	errShort    = errors.New("ends too soon")
	errVarint   = errors.New("number is not in its shortest form or exceeds 64 bits")
	errTrailing = errors.New("bytes after the end")
)

// Fail records err unless an earlier failure stands.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.buf = nil
}

// Err returns the first failure.
func (d *Decoder) Err() error { return d.err }

// Len returns the number of bytes not read yet.
func (d *Decoder) Len() int { return len(d.buf) }

// Finish returns the first failure, or an error if bytes are left over.
func (d *Decoder) Finish() error {
	if d.err == nil && len(d.buf) > 0 {
		d.err = fmt.Errorf("%d %w", len(d.buf), errTrailing)
	}
	return d.err
}

// Fixed reads n bytes; on failure it returns n zero bytes if n is at most 64, else nil.
func (d *Decoder) Fixed(n int) []byte {
	if n < 0 || n > len(d.buf) {
		d.Fail(errShort)
		if n >= 0 && n <= 64 {
			return make([]byte, n)
		}
		return nil
	}
	b := d.buf[:n:n]
	d.buf = d.buf[n:]
	return b
}

// Byte reads one byte.
func (d *Decoder) Byte() byte {
	if len(d.buf) == 0 {
		d.Fail(errShort)
		return 0
	}
	b := d.buf[0]
	d.buf = d.buf[1:]
	return b
}

// Uint reads a varint of at most max.
func (d *Decoder) Uint(max uint64) uint64 {
	v, n := binary.Uvarint(d.buf)
	switch {
	case n == 0:
		d.Fail(errShort)
		return 0
	case n < 0 || n > 1 && d.buf[n-1] == 0:
		d.Fail(errVarint)
		return 0
	case v > max:
		d.Fail(fmt.Errorf("%d is over the bound of %d", v, max))
		return 0
	}
	d.buf = d.buf[n:]
	return v
}

// Int reads a zig-zag varint.
func (d *Decoder) Int() int64 {
	u := d.Uint(1<<64 - 1)
	return int64(u>>1) ^ -int64(u&1)
}

// Bytes reads a length of at most max and that many bytes.
func (d *Decoder) Bytes(max int) []byte {
	n := d.Uint(uint64(max))
	if n > uint64(len(d.buf)) {
		d.Fail(errShort)
	}
	if d.err != nil {
		return nil
	}
	return d.Fixed(int(n))
}

// AppendUint appends v as a varint.
func AppendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendInt appends v as a zig-zag varint.
func AppendInt(b []byte, v int64) []byte {
	return binary.AppendUvarint(b, uint64(v)<<1^uint64(v>>63))
}

// AppendBytes appends the length of s and s.
func AppendBytes[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
