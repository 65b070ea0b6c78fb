#!/usr/bin/env python3
"""Writes vectors.txt from FORMAT.md alone, with the Ed25519 of `cryptography`:

    python3 vectors.py > vectors.txt

A case has a name, what it is, its bytes, and the words that describe what is in it, or `refused`.
"""
import hashlib
import os
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "testdata"))
from blake3 import blake3  # noqa: E402

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
OWNER = KEY.public_key().public_bytes_raw()
SWARM = hashlib.sha256(b"a swarm").digest()
LENDER = b"\x00\x24\x08\x01\x12\x20" + hashlib.sha256(b"a member").digest()
DATE, BEFORE = 1790000000, 1789000000


def uint(v):
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def scores(n):
    return sorted(hashlib.sha256(b"block %d" % i).digest() for i in range(n))


def position(score):
    return hashlib.sha256(b"\x12\x20" + score).digest()


def signed(body, key=KEY, label=b"vdh claim\x00", swarm=SWARM):
    return body + key.sign(label + swarm + body)


def handover(heir=None, key=OTHER, label=b"vdh heir\x00", swarm=SWARM, **more):
    body = head(5, **more) + (key.public_key().public_bytes_raw() if heir is None else heir)
    return body + key.sign(label + swarm + body)


def head(kind, number=7, date=DATE, lender=LENDER, owner=OWNER, version=1):
    return bytes([version, kind]) + owner + uint(len(lender)) + lender + uint(number) + uint(date)


def listed(of, n=None):
    return uint(len(of) if n is None else n) + b"".join(of)


def release(of, n=None, before=BEFORE, **more):
    return head(2, **more) + uint(before) + listed(of, n)


def retain(of, first=bytes(32), last=b"\xff" * 32, n=None, before=BEFORE):
    return head(3) + uint(before) + first + last + listed(of, n)


def emit(name, what, data, expect):
    print(f"case: {name}\n{what}: {data.hex()}\nexpect: {expect}\n")


def words(kind, number=7, n=0, first="-", date=DATE, before=0):
    return f"{kind} number {number} date {date} before {before} scores {n} first {first}"


def statements():
    def good(name, body, expect):
        emit(name, "statement", signed(body), expect + f" hash {blake3(signed(body)).hex()}")

    def bad(name, data):
        emit(name, "statement", data, "refused")

    s3, s1 = scores(3), scores(1)
    good("heartbeat", head(1), words("heartbeat"))
    good("highest number", head(1, number=(1 << 63) - 1), words("heartbeat", number=(1 << 63) - 1))
    good("first second", head(1, date=1), words("heartbeat", date=1))
    good("release of one", release(s1), words("release", n=1, first=s1[0].hex()[:8], before=BEFORE))
    good("release of three", release(s3), words("release", n=3, first=s3[0].hex()[:8], before=BEFORE))
    good("retain set", retain(s3), words("retain set", n=3, first=s3[0].hex()[:8], before=BEFORE))
    good("empty retain set", retain([]), words("retain set", before=BEFORE))
    p = position(s1[0])
    good("retain set of one position", retain(s1, p, p), words("retain set", n=1, first=s1[0].hex()[:8], before=BEFORE))
    good("confirmation", head(4) + s1[0], words("confirmation"))
    good("hand-over", handover(), words("hand-over"))

    bad("nothing", b"")
    bad("no signature", head(1))
    bad("signature of another", signed(head(1), key=OTHER))
    bad("another swarm's", signed(head(1), swarm=bytes(32)))
    bad("another label", signed(head(1), label=b"vdh grant\x00"))
    bad("a flipped bit", signed(head(1))[:-1] + bytes([signed(head(1))[-1] ^ 1]))
    bad("another version", signed(head(1, version=2)))
    bad("kind 0", signed(head(0)))
    bad("kind 6", signed(head(6)))
    bad("number 0", signed(head(1, number=0)))
    bad("number 2^63", signed(head(1, number=1 << 63)))
    bad("no date", signed(head(1, date=0)))
    bad("date beyond 2^40", signed(head(1, date=(1 << 40) + 1)))
    bad("no lender", signed(head(1, lender=b"")))
    bad("another lender", signed(head(1, lender=LENDER[:-1] + b"x")))
    bad("lender too long", signed(head(1, lender=bytes(129))))
    bad("a heartbeat with more", signed(head(1) + b"\x00"))
    bad("bytes after the signature", signed(head(1)) + b"\x00")
    bad("release of nothing", signed(release([])))
    bad("release without cut-off", signed(release(s1, before=0)))
    bad("release that declares more", signed(release(s3, n=4)))
    bad("release that declares fewer", signed(release(s3, n=2)))
    bad("release that declares too many", signed(release(s3, n=32769)))
    bad("release out of order", signed(release(s3[::-1])))
    bad("release with one twice", signed(release([s1[0], s1[0]])))
    bad("count too long", signed(head(2) + uint(BEFORE) + b"\x81\x00" + s1[0]))
    bad("retain set out of its range", signed(retain(s1, bytes(32), bytes(32))))
    bad("retain set that ends before it begins", signed(retain([], b"\x01" * 32, bytes(32))))
    bad("retain set that declares more", signed(retain(s3, n=4)))
    bad("retain set out of order", signed(retain(s3[::-1])))
    bad("retain set without cut-off", signed(retain(s3, before=0)))
    bad("confirmation of nothing", signed(head(4) + bytes(32)))
    bad("confirmation that is short", signed(head(4) + bytes(31)))
    bad("hand-over to nobody", signed(handover(heir=bytes(32))))
    bad("hand-over to itself", signed(handover(key=KEY)))
    bad("hand-over that the heir did not sign", signed(handover(heir=OWNER[:31] + b"x")))
    bad("hand-over signed as a statement", signed(handover(label=b"vdh claim\x00")))
    bad("hand-over that the heir signed for another swarm", signed(handover(swarm=bytes(32))))
    bad("hand-over signed by the heir alone", signed(handover(), key=OTHER))
    bad("hand-over without the heir's signature", signed(handover()[:-64]))
    bad("hand-over with a flipped bit", signed(handover()[:-1] + bytes([handover()[-1] ^ 1])))
    bad("hand-over with more", signed(handover() + b"\x00"))


def pending(h, number, confirmed=0, since=BEFORE):
    return h + uint(number) + uint(since) + uint(100) + uint(1 << 30) + bytes([confirmed])


def answer(verdict, reason, number=7, now=DATE, until=0, kept=DATE + 15552000, waiting=(), n=None, version=1):
    return (bytes([version, verdict, reason]) + uint(number) + uint(now) + uint(until) + uint(kept) + uint(5) + uint(6) + uint(7)
            + uint(8) + bytes([len(waiting) if n is None else n]) + b"".join(waiting))


def answers():
    h = scores(40)

    def good(name, data, verdict, reason, n=0):
        emit(name, "answer", data, f"verdict {verdict} reason {reason} waiting {n}")

    good("done", answer(1, 0), 1, 0)
    good("waits for a confirmation", answer(2, 1, until=DATE + 86400, waiting=[pending(h[0], 7)]), 2, 1, 1)
    good("as many as can wait", answer(3, 10, waiting=[pending(h[i], i + 1, i & 1) for i in range(32)]), 3, 10, 32)
    good("paused", answer(2, 19), 2, 19)
    good("handed over", answer(3, 11), 3, 11)
    good("bad heir", answer(3, 12), 3, 12)
    good("nothing in force", answer(3, 6, number=0, kept=0), 3, 6)
    for name, data in [
        ("done for a reason", answer(1, 2)), ("refused for none", answer(3, 0)), ("verdict 0", answer(0, 0)),
        ("verdict 4", answer(4, 2)), ("reason 13", answer(3, 13)), ("reason 20", answer(3, 20)), ("no time", answer(1, 0, now=0)),
        ("another answer version", answer(1, 0, version=2)), ("answer with more", answer(1, 0) + b"\x00"), ("answer cut", answer(1, 0)[:-1]),
        ("too many wait", answer(1, 0, waiting=[pending(h[i], i + 1) for i in range(33)])),
        ("waiting out of order", answer(1, 0, waiting=[pending(h[0], 2), pending(h[1], 2)])),
        ("more wait than there are", answer(1, 0, waiting=[pending(h[0], 2)], n=2)),
        ("confirmed twice", answer(1, 0, waiting=[pending(h[0], 2, 2)])),
    ]:
        emit(name, "answer", data, "refused")


def sealed(body):
    return body + blake3(body)


def book(waiting=(), settled=(), tally=(), since=DATE, heartbeat=DATE, number=7, lapsed=0, begun=bytes(32)):
    return (b"\x01" + OWNER + uint(since) + uint(heartbeat) + uint(number) + uint(lapsed) + begun + bytes([len(waiting)]) + b"".join(waiting)
            + bytes([len(settled)]) + b"".join(h + uint(5) + uint(6) for h in settled)
            + bytes([len(tally)]) + b"".join(uint(hour) + uint(9) for hour in tally))


def handed(heir=bytes(range(32)), since=DATE):
    return b"\x02" + OWNER + heir + uint(since)


def books():
    h = scores(40)
    for name, body in [
        ("new book", book(heartbeat=0, number=0)),
        ("full book", book([pending(h[0], 3), pending(h[1], 6, 1)], h[:16], range(497000, 497005), lapsed=DATE, begun=h[5])),
        ("book on who handed over", handed()),
    ]:
        emit(name, "book", sealed(body), "accepted")
    for name, data in [
        ("book without sum", book()), ("book with another sum", book() + bytes(32)), ("book without term", sealed(book(since=0))),
        ("book with 17 settled", sealed(book(settled=h[:17]))), ("book with 26 hours", sealed(book(tally=range(1, 27)))),
        ("hours out of order", sealed(book(tally=[5, 4]))), ("book of another version", sealed(b"\x03" + book()[1:])),
        ("book with an heir and more", sealed(b"\x02" + book()[1:])), ("book with no heir", sealed(handed(heir=bytes(32)))),
        ("book with itself as heir", sealed(handed(heir=OWNER))), ("book with an heir since never", sealed(handed(since=0))),
        ("book with more", sealed(book() + b"\x00")), ("no book", b""),
    ]:
        emit(name, "book", data, "refused")


def clock(last, spans, n=None):
    return sealed(b"\x01" + uint(last) + uint(len(spans) if n is None else n) + b"".join(uint(a) + uint(b) for a, b in spans))


def clocks():
    for name, data in [("new clock", clock(0, [])), ("clock", clock(900, [(100, 200), (300, 300), (400, 900)]))]:
        emit(name, "clock", data, "accepted")
    for name, data in [
        ("spans that touch", clock(900, [(100, 200), (200, 300)])), ("a span backwards", clock(900, [(200, 100)])),
        ("a span after the last", clock(900, [(100, 901)])), ("a span from nothing", clock(900, [(0, 100)])),
        ("513 spans", clock(9000, [(2 * i + 1, 2 * i + 1) for i in range(513)])), ("more spans than there are", clock(900, [(1, 2)], 2)),
        ("clock with another sum", clock(0, [])[:-1] + b"\x00"),
    ]:
        emit(name, "clock", data, "refused")


statements()
answers()
books()
clocks()
