#!/usr/bin/env python3
"""Writes vectors.txt from FORMAT.md alone:

    python3 vectors.py > vectors.txt

A case has a name, which file it is of, its bytes, and `good` or `refused`.
"""
import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "testdata"))
from blake3 import blake3  # noqa: E402


def uint(v):
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def score(i):
    return hashlib.sha256(b"block %d" % i).digest()


def seal(body):
    return body + blake3(body)


def line(id=b"a", sent=1790000000000, heard=1790000001, now=1790000002, kept=1805552002, claims=12, size=34567, told=3,
         retained=1789000000, other=0):
    return (uint(len(id)) + id + uint(sent) + uint(heard) + uint(now) + uint(kept) + uint(claims) + uint(size) + uint(told)
            + uint(retained) + bytes([other]))


def lines(*of, n=None, version=1):
    return bytes([version]) + uint(len(of) if n is None else n) + b"".join(of)


def batch(number=1, after=1790000000, scores=(1, 2, 3), count=None, order=True):
    of = [score(i) for i in scores]
    if order:
        of.sort()
    return uint(number) + uint(after) + uint(len(of) if count is None else count) + b"".join(of)


def owed(*of, last=5, n=None, version=1):
    return bytes([version]) + uint(last) + uint(len(of) if n is None else n) + b"".join(of)


def case(name, what, data, expect):
    print(f"case: {name}\n{what}: {data.hex()}\nexpect: {expect}\n")


case("no lenders", "lenders", seal(lines()), "good")
case("one", "lenders", seal(lines(line())), "good")
case("two, one of which somebody else spoke to", "lenders", seal(lines(line(), line(id=b"b" * 128, other=1))), "good")
case("never heard", "lenders", seal(lines(line(heard=0, now=0, kept=0, claims=0, size=0, told=0))), "good")
case("the sum of another", "lenders", lines(line()) + blake3(lines()), "refused")
case("no sum", "lenders", lines(line()), "refused")
case("version 2", "lenders", seal(lines(line(), version=2)), "refused")
case("out of order", "lenders", seal(lines(line(id=b"b"), line(id=b"a"))), "refused")
case("twice the same", "lenders", seal(lines(line(), line())), "refused")
case("no id", "lenders", seal(lines(line(id=b""))), "refused")
case("an id too long", "lenders", seal(lines(line(id=b"x" * 129))), "refused")
case("other is 2", "lenders", seal(lines(line(other=2))), "refused")
case("too few", "lenders", seal(lines(line(), n=2)), "refused")
case("too many", "lenders", seal(lines(line(), line(id=b"b"), n=1)), "refused")
case("a number too large", "lenders", seal(lines(line(sent=1 << 63))), "refused")
case("a time too late", "lenders", seal(lines(line(heard=(1 << 40) + 1))), "refused")
case("more lines than there may be", "lenders", seal(lines(n=16385)), "refused")

case("nothing owed", "owed", seal(owed(last=0)), "good")
case("nothing owed any more", "owed", seal(owed(last=7)), "good")
case("one batch", "owed", seal(owed(batch())), "good")
case("two batches", "owed", seal(owed(batch(), batch(number=5, scores=range(200)))), "good")
case("a batch that was never given", "owed", seal(owed(batch(number=6))), "refused")
case("batch 0", "owed", seal(owed(batch(number=0))), "refused")
case("batches out of order", "owed", seal(owed(batch(number=3), batch(number=2))), "refused")
case("the same batch twice", "owed", seal(owed(batch(), batch())), "refused")
case("an empty batch", "owed", seal(owed(batch(scores=()))), "refused")
case("scores out of order", "owed", seal(owed(batch(scores=sorted(range(3), key=score, reverse=True), order=False))), "refused")
case("a score twice", "owed", seal(owed(batch(scores=(1, 1)))), "refused")
case("fewer scores than said", "owed", seal(owed(batch(count=4))), "refused")
case("more scores than there may be", "owed", seal(owed(batch(count=(1 << 20) + 1))), "refused")
case("an unknown version", "owed", seal(owed(batch(), version=0)), "refused")
case("something behind", "owed", seal(owed(batch()) + b"\0"), "refused")
case("a byte too many in a number", "owed", seal(b"\x01\x85\x00\x00"), "refused")


def handed(former=bytes(32), id=b"a", at=1790000000, other=0):
    return former + uint(len(id)) + id + uint(at) + bytes([other])


LATER = b"\x01" * 32
case("nobody was told", "handed", seal(lines()), "good")
case("three were told", "handed", seal(lines(handed(), handed(id=b"b", other=1), handed(LATER))), "good")
case("told out of order", "handed", seal(lines(handed(id=b"b"), handed())), "refused")
case("former owners out of order", "handed", seal(lines(handed(LATER), handed())), "refused")
case("told twice", "handed", seal(lines(handed(), handed())), "refused")
case("told never", "handed", seal(lines(handed(at=0))), "refused")
case("told nobody", "handed", seal(lines(handed(id=b""))), "refused")
case("other to hand over to is 2", "handed", seal(lines(handed(other=2))), "refused")
case("more hand-overs than there may be", "handed", seal(lines(n=65537)), "refused")
case("fewer hand-overs than said", "handed", seal(lines(handed(), n=2)), "refused")
case("hand-overs without sum", "handed", lines(handed()), "refused")
