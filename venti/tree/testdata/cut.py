#!/usr/bin/env python3
"""Prints the vectors of cuts.txt: where content-defined leaves end. Written from FORMAT.md, not from the Go code.

python3 cut.py >cuts.txt
"""
import hashlib

MASK = (1 << 64) - 1
GEAR = [int.from_bytes(hashlib.sha256(b"ventidhash gear v1 " + bytes([i])).digest()[:8], "big") for i in range(256)]


def noise(n):
    """SHA-256 of 0, 1, 2, ... as eight bytes big-endian, one after another."""
    return b"".join(hashlib.sha256(i.to_bytes(8, "big")).digest() for i in range((n + 31) // 32))[:n]


def stream(parts):
    out = b""
    for part in parts.split(", "):
        kind, n = part.split()
        n = int(n)
        out += noise(n) if kind == "noise" else bytes(n) if kind == "zeros" else (b"abcdefghij" * (n // 10 + 1))[:n]
    return out


def leaves(data, lo, avg, hi):
    bits = avg.bit_length() - 1
    start = 0
    while start < len(data):
        end = min(start + hi, len(data))
        h = 0
        for p in range(start + lo, end):
            h = (2 * h + GEAR[data[p]]) & MASK
            n = p + 1 - start
            if h >> (64 - (bits + 2 if n <= avg else bits - 2)) == 0:
                end = p + 1
                break
        yield end - start
        start = end


def main():
    print("# Made by cut.py. Lengths of the leaves of streams.")
    for name, lo, avg, hi, parts in [
        ("files", 256 << 10, 1 << 20, 4194254, "noise 14000000, zeros 5000000, noise 3000000"),
        ("entries", 8 << 10, 32 << 10, 128 << 10, "noise 3000000, letters 700000, noise 100"),
        ("small", 16, 64, 256, "noise 5000, zeros 600, letters 700, noise 2000"),
        ("average no power of two", 100, 1000, 3000, "noise 60000"),
        ("shortest", 1, 8, 9, "noise 300"),
    ]:
        print(f"\nname: {name}\nmin: {lo}\navg: {avg}\nmax: {hi}\nstream: {parts}")
        print("expect:", *leaves(stream(parts), lo, avg, hi))


main()
