#!/usr/bin/env python3
"""Writes vectors.txt, from PROTOCOL.md alone: python3 vectors.py > vectors.txt"""

import hashlib
import struct

KINDS = {
    "error": 1, "ping": 2, "ping answer": 3, "hello": 4, "hello answer": 5, "goodbye": 6, "read": 12,
    "read answer": 13, "write": 14, "write answer": 15, "sync": 16, "sync answer": 17, "has": 18, "has answer": 19,
    "yield": 20, "yield answer": 21, "write vital": 22, "write vital answer": 23,
}
FAULTS = ["not found", "unavailable", "corrupt", "too large", "no space", "other"]
MAX_BLOCK = 4 << 20


def out(name, key, data, expect):
    print(f"name: {name}\n{key}: {data.hex()}\nexpect: {expect}\n")


def frame(kind, tag, fields=b"", size=None):
    number = KINDS.get(kind, kind)
    return struct.pack(">IBB", 2 + len(fields) if size is None else size, number, tag) + fields


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack(">H", len(b)) + b


def good(name, kind, tag, fields=b"", shown=""):
    out(name, "message", frame(kind, tag, fields), f"{kind} tag {tag}" + (" " + shown if shown else ""))


def bad(name, *args, **kw):
    out(name, "message", frame(*args, **kw), "malformed")


def lines():
    long = "venti-vdh1-" + "x" * (1023 - 12) + "\n"
    for name, line, expect in [
        ("this program", b"venti-vdh1-vdh\n", "vdh1"),
        ("plan9port", b"venti-04:02-libventi\n", "04 02"),
        ("several tokens", b"venti-vdh1:04:02-x\n", "vdh1 04 02"),
        ("comment with dashes and colons", b"venti-02-a-b:c-\n", "02"),
        ("empty comment", b"venti-02-\n", "02"),
        ("edges of the alphabet", b"venti-02-\x20\x7f\n", "02"),
        ("longest", long.encode(), "vdh1"),
        ("too long", long[:-1].encode() + b"x\n", "malformed"),
        ("empty", b"", "malformed"),
        ("newline only", b"\n", "malformed"),
        ("without newline", b"venti-02-x", "malformed"),
        ("two lines", b"venti-02-x\n\n", "malformed"),
        ("carriage return", b"venti-02-x\r\n", "malformed"),
        ("byte over 7f", b"venti-02-\x80\n", "malformed"),
        ("NUL", b"venti-02-\x00\n", "malformed"),
        ("other word", b"Venti-02-x\n", "malformed"),
        ("no comment", b"venti-02\n", "malformed"),
        ("no token", b"venti--x\n", "malformed"),
        ("empty token", b"venti-02::04-x\n", "malformed"),
        ("HTTP", b"GET / HTTP/1.1\n", "malformed"),
    ]:
        out("line: " + name, "line", line, expect)


def messages():
    block = b"hello, venti\n"
    score = hashlib.sha256(block).digest()
    zero = hashlib.sha256(b"").digest()
    good("hello", "hello", 0, text("vdh1"), '"vdh1"')
    good("hello answer", "hello answer", 0, text("vdh1"), '"vdh1"')
    good("hello of nothing", "hello", 9, text(""), '""')
    good("longest text", "hello", 0, text("é" * 512), '"' + "é" * 512 + '"')
    for kind in ["ping", "ping answer", "goodbye", "sync", "sync answer", "yield", "yield answer"]:
        good(kind, kind, 255)
        bad(kind + " with a field", kind, 255, b"\x00")
        bad(kind + " without tag", kind, 255, size=1)
    good("read", "read", 1, score, score.hex())
    good("read answer", "read answer", 1, block, block.hex())
    good("read answer, empty block", "read answer", 1)
    good("write", "write", 2, block, block.hex())
    good("write vital", "write vital", 7, block, block.hex())
    good("write vital answer", "write vital answer", 7, score, score.hex())
    good("write, empty block", "write", 2)
    good("write answer", "write answer", 2, score, score.hex())
    good("has", "has", 3, score, score.hex())
    good("has of three", "has", 3, score + zero + score, f"{score.hex()} {zero.hex()} {score.hex()}")
    good("has answer", "has answer", 3, b"\x01\x00\x01", "101")
    for i, fault in enumerate(FAULTS):
        good("error, " + fault, "error", 4, bytes([i + 1]) + text("it is so"), f'{fault} "it is so"')
    good("error without text", "error", 4, b"\x01" + text(""), 'not found ""')
    good("error, longest text", "error", 4, b"\x06" + text("x" * 1024), 'other "' + "x" * 1024 + '"')

    for kind in [0, 7, 8, 9, 10, 11, 24, 255]:
        bad(f"kind {kind} is not known", kind, 0)
    bad("size 0", "ping", 0, size=0)
    bad("size of all ones", "write", 0, size=0xFFFFFFFF)
    bad("negative size", "write", 0, size=0x80000002)
    bad("block over the limit", "write", 0, size=2 + MAX_BLOCK + 1)
    bad("block of an answer over the limit", "read answer", 0, size=2 + MAX_BLOCK + 1)
    bad("read, score of 20 bytes", "read", 0, score[:20])
    bad("read, score of 33 bytes", "read", 0, score + b"\x00")
    bad("read, no score", "read", 0)
    bad("write answer, score of 31 bytes", "write answer", 0, score[:31])
    bad("has of nothing", "has", 0)
    bad("has of half a score", "has", 0, score[:16])
    bad("has of one score and a half", "has", 0, score + score[:16])
    bad("has of 4097", "has", 0, size=2 + 32 * 4097)
    bad("has answer of nothing", "has answer", 0)
    bad("has answer, neither yes nor no", "has answer", 0, b"\x00\x02")
    bad("has answer for 4097", "has answer", 0, size=2 + 4097)
    bad("error, fault 0", "error", 0, b"\x00" + text("x"))
    bad("error, fault 7", "error", 0, b"\x07" + text("x"))
    bad("error without a string", "error", 0, b"\x01")
    bad("hello without a string", "hello", 0)
    bad("text longer than its field", "hello", 0, b"\x00\x05vdh1")
    bad("text shorter than its field", "hello", 0, b"\x00\x03vdh1")
    bad("text too long", "hello", 0, text("x" * 1025))
    bad("text that is not UTF-8", "hello", 0, text(b"\xff"))
    bad("text with an overlong form", "hello", 0, text(b"\xc0\xaf"))
    bad("text with a surrogate", "hello", 0, text(b"\xed\xa0\x80"))
    bad("text with NUL", "hello", 0, text("a\0b"))
    bad("text with newline", "hello", 0, text("a\nb"))
    bad("text with a control character of two bytes", "hello", 0, text("a\u009bb"))


lines()
messages()
