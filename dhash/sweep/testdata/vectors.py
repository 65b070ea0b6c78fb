#!/usr/bin/env python3
"""Writes vectors.txt, from PROTOCOL.md alone: python3 vectors.py > vectors.txt"""

import hashlib
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent / "../../testdata"))
from blake3 import blake3  # noqa: E402

END = b""
TOP = 2**64 - 1


def uint(v):
    b = bytearray()
    while v >= 128:
        b.append(v % 128 + 128)
        v //= 128
    b.append(v)
    return bytes(b)


def read_uint(b, at):
    v = shift = 0
    while True:
        v |= (b[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if b[at - 1] < 128:
            return v, at


def pile(seed, n):
    """n points, from SHAKE-256 of a word."""
    raw = hashlib.shake_256(seed.encode()).digest(12 * n)
    return sorted(raw[i:i + 12] for i in range(0, 12 * n, 12))


hashes = {}


def fingerprint(salt, points):
    total = 0
    for p in points:
        if (salt, p) not in hashes:
            hashes[salt, p] = int.from_bytes(blake3(salt + p)[:16], "big")
        total += hashes[salt, p]
    total %= 2**128
    return blake3(salt + total.to_bytes(16, "big") + len(points).to_bytes(8, "big"))[:16]


def within(points, lo, hi):
    return [p for p in points if p >= lo and (hi == END or p < hi.ljust(12, b"\0"))]


def bound(kind, b):
    return bytes([kind << 4 | len(b)]) + b


def divide(points, n, hi):
    """The bounds and points of n parts."""
    cuts = [len(points) * c // n for c in range(n + 1)]
    parts = []
    for c in range(n):
        end = hi
        if c < n - 1:
            p, q = points[cuts[c + 1]], points[cuts[c + 1] - 1]
            i = next(i for i in range(12) if p[i] != q[i])
            end = p[:i + 1]
        parts.append((end, points[cuts[c]:cuts[c + 1]]))
    return parts


def rising(lo, points):
    out, position = b"", int.from_bytes(lo.ljust(12, b"\0")[:8], "big")
    for p in points:
        out += uint(int.from_bytes(p[:8], "big") - position) + p[8:]
        position = int.from_bytes(p[:8], "big")
    return out


class Responder:
    def __init__(self, salt, held, compared):
        self.salt, self.held, self.compared = salt, held, compared

    def answer(self, asks):
        out = b"\1\0"
        for kind, lo, hi, body in asks:
            mine = within(self.compared, lo, hi)
            if kind == 2:
                lacks = [p not in self.held for p in body]
                bits = bytearray((len(body) + 7) // 8)
                for i, lack in enumerate(lacks):
                    if lack:
                        bits[i // 8] |= 1 << i % 8
                more = [p for p in mine if p not in body]
                out += b"\3" + bytes(bits) + uint(len(more))
                if len(more) <= 64:
                    out += rising(lo, more)
            elif fingerprint(self.salt, mine) == body:
                out += b"\0"
            elif not within(self.held, lo, hi):
                out += b"\1"
            else:
                n = min(16, max(1, len(mine) // 8))
                out += b"\2" + bytes([n])
                for i, (end, points) in enumerate(divide(mine, n, hi)):
                    out += bound(0, END if i == n - 1 else end) + uint(len(points)) + fingerprint(self.salt, points)
        return out


class Asker:
    def __init__(self, salt, first, last, points):
        self.salt, self.first, self.last, self.points = salt, first, last, points
        self.low = first.to_bytes(8, "big") + bytes(4)
        self.lacks, self.extra, self.asks = [], 0, []
        self.ask(self.low, END, 32)

    def ask(self, lo, hi, most):
        mine = within(self.points, lo, hi)
        if 1 <= len(mine) <= most:
            self.asks.append((2, lo, hi, mine))
        else:
            self.asks.append((1, lo, hi, fingerprint(self.salt, mine)))

    def message(self):
        out = b"\1" + self.salt + self.first.to_bytes(8, "big") + self.last.to_bytes(8, "big")
        at = self.low
        for kind, lo, hi, body in self.asks:
            if lo.ljust(12, b"\0") != at:
                out += bound(0, lo)
            out += bound(kind, hi)
            if kind == 1:
                out += body
            else:
                out += uint(len(body)) + rising(lo, body)
            at = hi.ljust(12, b"\0") if hi else None
        assert len(out) <= 65536
        return out

    def take(self, b):
        asks, self.asks, at = self.asks, [], 2
        for kind, lo, hi, body in asks:
            reply, at = b[at], at + 1
            if reply == 1:
                self.lacks += within(self.points, lo, hi)
            elif reply == 3:
                bits, at = b[at:at + (len(body) + 7) // 8], at + (len(body) + 7) // 8
                self.lacks += [p for i, p in enumerate(body) if bits[i // 8] >> i % 8 & 1]
                extra, at = read_uint(b, at)
                self.extra += extra
                for _ in range(extra if extra <= 64 else 0):
                    _, at = read_uint(b, at)
                    at += 4
            elif reply == 2:
                n, at = b[at], at + 1
                for i in range(n):
                    length, at = b[at], at + 1
                    end, at = b[at:at + length], at + length
                    count, at = read_uint(b, at)
                    printed, at = b[at:at + 16], at + 16
                    end = hi if i == n - 1 else end
                    self.part(lo, end, count, printed)
                    lo = end
        assert at == len(b)

    def part(self, lo, hi, count, printed):
        mine = within(self.points, lo, hi)
        if fingerprint(self.salt, mine) == printed:
            return
        if not mine:
            self.extra += count
        elif len(mine) <= 32:
            self.ask(lo, hi, 32)
        else:
            for end, _ in divide(mine, min(16, (len(mine) + 15) // 16), hi):
                self.ask(lo, end, 1)
                lo = end


def exchange(name, n, ours, theirs, unshared=(), first=0, last=TOP, squeeze=False):
    salt = hashlib.sha256(name.encode()).digest()[:16]
    points = pile(name, n)
    if squeeze:  # all at one position
        points = sorted(bytes(7) + b"\7" + p[8:] for p in points)
    here = [p for p in points if first <= int.from_bytes(p[:8], "big") <= last]
    mine = [p for i, p in enumerate(points) if i not in ours and p in here]
    held = [p for i, p in enumerate(points) if i not in theirs and p in here]
    compared = [p for i, p in enumerate(points) if i not in theirs and i not in unshared and p in here]
    asker, responder = Asker(salt, first, last, mine), Responder(salt, held, compared)
    print(f"name: {name}\nsalt: {salt.hex()}\nfrom: {first:016x}\nto: {last:016x}")
    for who, list_ in (("ours", mine), ("held", held), ("compared", compared)):
        print(f"{who}: {b''.join(list_).hex()}")
    while asker.asks:
        message = asker.message()
        answer = responder.answer(asker.asks)
        print(f"message: {message.hex()}\nanswer: {answer.hex()}")
        asker.take(answer)
    assert set(asker.lacks) == {p for p in mine if p not in held}
    print(f"lacks: {b''.join(sorted(asker.lacks)).hex()}\nextra: {asker.extra}\n")


exchange("the same", 100, (), ())
exchange("nothing", 0, (), ())
exchange("nothing here", 50, range(50), ())
exchange("nothing there", 50, (), range(50))
exchange("few", 20, (3, 4), (7, 9, 19))
exchange("few of many", 150, range(3, 150), (4,))
exchange("few of not so many", 70, range(5, 70), (4, 9))
exchange("one lost", 300, (), (150,))
exchange("one more", 300, (150,), ())
exchange("a tenth lost", 300, (), range(100, 130))
exchange("a tenth more", 300, range(100, 130), ())
exchange("scattered", 400, range(0, 400, 17), range(5, 400, 23))
exchange("not compared", 200, (), (70, 150), range(60, 90))
exchange("a part of the space", 300, range(10, 140, 7), range(12, 150, 9), (), 2**62, 2**63)
exchange("many codings of one block", 150, (3, 77), (5, 100), (), 0, TOP, True)


def query(name, body, expect="refused", version=1, first=0, last=TOP):
    header = bytes([version]) + b"salt of 16 bytes" + first.to_bytes(8, "big") + last.to_bytes(8, "big")
    print(f"name: {name}\nquery: {(header + body).hex()}\nexpect: {expect}\n")


F = bytes(16)
same = bound(1, END) + F
query("one same", same, "same")
query("two", bound(1, b"\x80") + F + same, "same same")
query("skip, same", bound(0, b"\x80") + same, "same")
query("same, not to the end", bound(1, b"\x80") + F, "same")
query("a list", bound(2, END) + uint(2) + uint(5) + b"tag1" + uint(0) + b"tag2", "list")
query("a list of the last point", bound(2, END) + uint(1) + uint(TOP) + b"\xff\xff\xff\xff", "list")
query("a bound of twelve bytes", bound(1, b"\0" * 11 + b"\1") + F, "same")
query("one position", bound(1, END) + F, "same", first=5, last=5)
query("no ask", b"")
query("another version", same, version=2)
query("version 0", same, version=0)
query("a range backwards", same, first=9, last=8)
query("a fingerprint cut short", same[:-1])
query("something after the end", same + b"\0")
query("an ask after the end", same + same)
query("a skip alone", bound(0, b"\x80"))
query("a skip at the end", bound(1, b"\x80") + F + bound(0, b"\x90"))
query("a skip of everything", bound(0, END) + same)
query("two skips", bound(0, b"\x80") + bound(0, b"\x90") + same)
query("an unknown kind", bound(3, END) + F)
query("a bound that is padded", bound(1, b"\x80\0") + F)
query("a bound that does not rise", bound(1, b"\x80") + F + bound(1, b"\x80") + F)
query("a bound that falls", bound(1, b"\x80") + F + bound(1, b"\x70") + F)
query("a bound before the range", bound(1, b"\x01") + F, first=2**60)
query("a bound where the range begins", bound(1, b"\x10") + F, first=2**60)
query("a bound beyond the range", bound(1, b"\x80") + F, last=2**60)
query("a bound of thirteen bytes", bytes([0x1d]) + b"\1" * 13 + F)
query("a bound of fifteen bytes", bytes([0x1f]) + b"\1" * 15 + F)
query("a list of nothing", bound(2, END) + uint(0))
query("a list that is too short", bound(2, END) + uint(2) + uint(5) + b"tag1")
query("a list of too many", bound(2, END) + uint(2**40) + uint(5) + b"tag1")
query("a list in no order", bound(2, END) + uint(2) + uint(5) + b"tag2" + uint(0) + b"tag1")
query("a list of the same", bound(2, END) + uint(2) + uint(5) + b"tag1" + uint(0) + b"tag1")
query("a list that wraps round", bound(2, END) + uint(2) + uint(5) + b"tag1" + uint(TOP) + b"tag1")
query("a list beyond its range", bound(2, b"\x10") + uint(1) + uint(2**61) + b"tag1")
query("a list at the bound of its range", bound(2, b"\x10") + uint(1) + uint(2**60) + bytes(4))
query("a list beyond the query's range", bound(2, END) + uint(1) + uint(2**61) + b"tag1", last=2**60)
query("a list before its range", bound(1, bytes(8) + b"\2") + F + bound(2, END) + uint(1) + uint(0) + b"\1\1\1\1")
query("a step of more bytes than it needs", bound(2, END) + uint(1) + b"\x85\0" + b"tag1")
