#!/usr/bin/env python3
"""Prints the vectors of pointers.txt: pointer blocks, sound and not. Written from FORMAT.md, not from the Go code.

python3 pointer.py >pointers.txt
"""


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def ref(i):
    return bytes([i]) * 32 + bytes([0x80 | i]) * 32


def block(rows, level=1, version=1, count=None):
    out = bytes([version, level]) + varint(len(rows) if count is None else count)
    for n, i in rows:
        out += varint(2 * n + (i is not None))
        if i is not None:
            out += ref(i)
    return out


def words(rows):
    return " ".join(f"{n}:{'zeros' if i is None else i}" for n, i in rows)


def good(name, rows, level=1):
    print(f"\nname: {name}\nlevel: {level}\nsize: {sum(n for n, _ in rows)}")
    print(f"block: {block(rows, level).hex()}\nexpect: {words(rows)}")


def bad(name, data, size, error, level=1):
    print(f"\nname: {name}\nlevel: {level}\nsize: {size}\nblock: {data.hex()}\nexpect: error {error}")


def main():
    print("# Made by pointer.py. Row n:i has n bytes, a score of 32 bytes i and a key of 32 bytes 128+i.")
    two = [(100, 1), (27, 2)]
    good("two leaves", two)
    good("one leaf", [(1, 1)])
    good("zeros between", [(63, 1), (64, None), (8192, 2)])
    good("zeros at both ends", [(1 << 61, None), (5, 3), (1 << 60, None)])
    good("level 12", two, 12)
    good("the same leaf twice", [(5, 1), (5, 1)])

    bad("empty block", b"", 0, "ends too soon")
    bad("version 2", block(two, version=2), 127, "version 2 is not known")
    bad("version 0", block(two, version=0), 127, "version 0 is not known")
    bad("another level", block(two, 2), 127, "level 2 where 1")
    bad("no rows", block([]), 1, "0 bytes, not 1")
    bad("no rows, no bytes", block([]), 0, "no rows")
    bad("too few bytes", block(two), 128, "127 bytes, not 128")
    bad("too many bytes", block(two), 126, "does not fit")
    bad("row of no bytes", block([(100, 1), (0, 2)]), 100, "does not fit")
    bad("zeros of no bytes", block([(100, 1), (0, None)]), 100, "does not fit")
    bad("zeros in two rows", block([(1, 1), (2, None), (3, None)]), 6, "two rows of zeros")
    bad("zeros only", block([(6, None)]), 6, "zeros only")
    bad("ref of zeros", block(two[:1])[:-64] + bytes(64), 100, "names no block")
    bad("more rows announced", block(two, count=3), 127, "ends too soon")
    bad("fewer rows announced", block(two, count=1), 100, "bytes after the end")
    bad("too many rows", block(two, count=8193), 127, "over the bound of 8192")
    bad("byte behind", block(two) + b"\0", 127, "bytes after the end")
    bad("cut short", block(two)[:-1], 127, "ends too soon")
    bad("long number", bytes([1, 1, 0x82, 0]) + block(two)[3:], 127, "shortest form")
    bad("number over 64 bits", bytes([1, 1, 1]) + b"\xff" * 9 + b"\x02" + ref(1), 100, "shortest form")
    bad("length over 62 bits", block([((1 << 63) - 1, 1)]), 100, "does not fit")
    bad("lengths that wrap", block([((1 << 63) - 1, 1), ((1 << 63) - 1, 2), (102, 3)]), 100, "does not fit")


main()
