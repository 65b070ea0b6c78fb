package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"time"
)

const helloTime = 10 * time.Second // for version lines and hello together

// longAgo returns a deadline that stops a Read or Write which runs.
func longAgo() time.Time { return time.Unix(1, 0) }

// inTime calls greet with a deadline on conn.
func inTime(ctx context.Context, conn net.Conn, greet func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(helloTime)); err != nil {
		return &lostError{err}
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(longAgo())
		close(fired)
	})
	err := greet()
	if !stop() {
		<-fired
		return errors.Join(ctx.Err(), err)
	}
	if err != nil {
		if !errors.Is(err, errMalformed) && !errors.Is(err, errDialect) {
			err = &lostError{err}
		}
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// exchangeLines sends the version line while it reads the peer's: on a connection without buffers neither side could
// do one after the other.
func exchangeLines(conn net.Conn, in *bufio.Reader) error {
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(conn, ownLine)
		sent <- err
	}()
	_, err := readLine(in)
	if err != nil {
		conn.SetWriteDeadline(longAgo()) // nothing of ours may be left running
	}
	return errors.Join(err, <-sent)
}
