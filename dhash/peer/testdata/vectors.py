#!/usr/bin/env python3
"""Writes vectors.txt, from PROTOCOL.md and ../FORMAT.md alone: python3 vectors.py > vectors.txt"""

import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KINDS = {
    "put": 1, "get": 2, "have": 3, "claim": 4, "divert": 5, "grant": 6, "ping": 7, "reconcile": 8,
    "copy": 9, "statement": 10, "challenge": 11, "heads": 12, "findheads": 13, "roots": 14, "refusal": 0x80, "closing": 0xFF,
}
KINDS.update({name + " answer": n | 0x80 for name, n in list(KINDS.items()) if n < 0x80})
REASONS = ["no fragment", "full", "quota", "not mine", "busy", "bad fragment", "not granted", "corrupt", "other"]
MAX_BLOCK = 4 << 20
MAX_FRAGMENT = MAX_BLOCK + 512

SCORE = hashlib.sha256(b"hello, venti\n").digest()
CODING = bytes(range(32))
OTHER = bytes(range(32, 64))
OWNER = b"\xaa" * 32
MARK = b"\xbb" * 16
MEMBER = b"\x00\x24\x08\x01\x12\x20" + b"\xcc" * 32  # the id of an Ed25519 key


def out(name, data, expect, asked):
    print(f"name: {name}")
    if asked is not None:
        print(f"asked: {asked}")
    print(f"message: {data.hex()}\nexpect: {expect}\n")


def message(kind, id, body=b"", size=None, version=1):
    number = KINDS.get(kind, kind)
    return struct.pack(">BBII", version, number, id, len(body) if size is None else size) + body


def good(name, kind, id, body=b"", shown="", asked=None):
    out(name, message(kind, id, body), f"{kind} id {id}" + (" " + shown if shown else ""), asked)


def bad(name, *args, asked=None, **kw):
    out(name, message(*args, **kw), "malformed", asked)


def varint(n):
    b = b""
    while n >= 0x80:
        b += bytes([n & 0x7F | 0x80])
        n >>= 7
    return b + bytes([n])


def fragment(payload):
    """The one fragment of the code 1/1."""
    return b"\x01" + SCORE + varint(len(payload)) + b"\x01\x01\x00" + payload


def held(coding=CODING, need=8, total=20, index=19, length=MAX_BLOCK, mark=MARK):
    return coding + struct.pack(">BBBI", need, total, index, length) + mark


def tending():
    hello = fragment(b"hello, venti\n")
    second = b"\xab" * 32 + bytes(16)
    good("reconcile", "reconcile", 1, b"\x00", "00")
    good("reconcile answer", "reconcile answer", 1, b"\xff\x01", "ff01")
    good("reconcile answer of nothing", "reconcile answer", 1)
    bad("reconcile of nothing", "reconcile", 1)
    bad("reconcile over the limit", "reconcile", 1, size=65537)
    bad("reconcile answer over the limit", "reconcile answer", 1, size=65537)
    good("copy", "copy", 2, b"\x01" + OWNER + MARK + hello, f"{OWNER.hex()} {MARK.hex()} {hello.hex()}")
    good("copy of two claims", "copy", 2, b"\x02" + OWNER + MARK + second + fragment(b""),
         f"{OWNER.hex()} {MARK.hex()} {second[:32].hex()} {bytes(16).hex()} {fragment(b'').hex()}")
    most = b"".join(bytes([i]) * 32 + MARK for i in range(16))
    good("copy of sixteen claims", "copy", 2, b"\x10" + most + hello,
         " ".join(f"{bytes([i]).hex() * 32} {MARK.hex()}" for i in range(16)) + f" {hello.hex()}")
    good("copy answer", "copy answer", 2, struct.pack(">Q", 5) + CODING, f"5 {CODING.hex()}")
    bad("copy of no claim", "copy", 2, b"\x00" + OWNER + MARK + hello)
    bad("copy of seventeen claims", "copy", 2, b"\x11" + most + b"\x20" * 32 + MARK + hello)
    bad("copy of the same owner twice", "copy", 2, b"\x02" + OWNER + MARK + OWNER + bytes(16) + hello)
    bad("copy, owners out of order", "copy", 2, b"\x02" + second + OWNER + MARK + hello)
    bad("copy of two claims, cut", "copy", 2, b"\x02" + OWNER + MARK + second[:47])
    bad("copy below the least", "copy", 2, size=1 + 48 + 36)
    bad("copy over the limit", "copy", 2, size=1 + 16 * 48 + MAX_FRAGMENT + 1)
    bad("copy answer, negative room", "copy answer", 2, b"\x80" + bytes(39))
    out("copy of a fragment, cut", message("copy", 2, b"\x01" + OWNER + MARK + hello[:-1]), "bad fragment", None)
    out("copy, a claim that is taken for a fragment", message("copy", 2, b"\x01" + OWNER + MARK + second + hello),
        "bad fragment", None)
    good("statement", "statement", 3, b"\x00\x01", "0001")
    good("statement answer", "statement answer", 3, b"\x02", "02")
    bad("statement of nothing", "statement", 3)
    bad("statement over the limit", "statement", 3, size=1114113)
    bad("statement answer of nothing", "statement answer", 3)
    bad("statement answer over the limit", "statement answer", 3, size=4097)
    good("challenge", "challenge", 4, SCORE + CODING + struct.pack(">Q", 7), f"{SCORE.hex()} {CODING.hex()} 7")
    good("challenge of two", "challenge", 4, SCORE + CODING + bytes(8) + OTHER + CODING + b"\xff" * 8,
         f"{SCORE.hex()} {CODING.hex()} 0 {OTHER.hex()} {CODING.hex()} {2**64 - 1}")
    bad("challenge of nothing", "challenge", 4)
    bad("challenge of one and a half", "challenge", 4, bytes(108))
    bad("challenge of 257", "challenge", 4, size=257 * 72)
    good("challenge answer, not held", "challenge answer", 4, b"\x00\x00", "-", asked=1)
    good("challenge answer", "challenge answer", 4, b"\x00\x02ab\x00\x00\x00\x01c", "6162 - 63", asked=3)
    good("challenge answer, to the first", "challenge answer", 4, b"\x00\x02ab", "6162", asked=256)
    good("challenge answer, longest", "challenge answer", 4, b"\x08\x00" + bytes(2048), "00" * 2048, asked=1)
    bad("challenge answer, too long a leaf", "challenge answer", 4, b"\x08\x01" + bytes(2049), asked=2)
    bad("challenge answer, too many", "challenge answer", 4, bytes(4), asked=1)
    bad("challenge answer, half a length", "challenge answer", 4, b"\x00\x00\x00", asked=2)
    bad("challenge answer, cut", "challenge answer", 4, b"\x00\x03ab", asked=1)
    bad("challenge answer over the limit", "challenge answer", 4, size=256 * 2050 + 1)


SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def public(key):
    return key.public_key().public_bytes_raw()


def signed(sequence=7, score=SCORE, date=1790000000, key=SIGNER, version=1, by=None):
    """A head, as ../../venti/FORMAT.md has it."""
    body = bytes([version]) + public(key) + struct.pack(">Q", sequence) + score + struct.pack(">Q", date)
    return body + (by or key).sign(b"ventidhash 2026 catalog head v1\0" + body)


def said(sequence=7, score=SCORE, date=1790000000, key=SIGNER):
    return f"{public(key).hex()} {sequence} {score.hex()} {date}"


def position(score):
    return hashlib.sha256(b"\x12\x20" + score).digest()


def heads():
    low, high = sorted([SCORE, OTHER])
    good("heads", "heads", 5, signed(), said())
    good("heads of two owners", "heads", 5, signed() + signed(2**64 - 1, OTHER, 0, STRANGER),
         said() + " " + said(2**64 - 1, OTHER, 0, STRANGER))
    bad("heads of none", "heads", 5)
    bad("heads of one and a half", "heads", 5, signed() + signed()[:72])
    bad("heads of 257", "heads", 5, size=257 * 145)
    bad("heads, signed by another", "heads", 5, signed(by=STRANGER))
    bad("heads, sequence 0", "heads", 5, signed(0))
    bad("heads, version 2", "heads", 5, signed(version=2))
    bad("heads, the second is changed", "heads", 5, signed() + signed()[:-1] + bytes([signed()[-1] ^ 1]))
    good("heads answer", "heads answer", 5, b"\x01\x07", "[1 7]", asked=2)
    good("heads answer, every verdict", "heads answer", 5, bytes(range(1, 8)), "[1 2 3 4 5 6 7]", asked=7)
    good("heads answer, older", "heads answer", 5, b"\x04" + signed(8), "[4] " + said(8), asked=1)
    four = [signed(i) for i in range(8, 12)]
    good("heads answer, four others", "heads answer", 5, b"\x03" + b"".join(four),
         "[3] " + " ".join(said(i) for i in range(8, 12)), asked=1)
    bad("heads answer, five others", "heads answer", 5, b"\x03" + b"".join(four) + signed(), asked=1)
    bad("heads answer, verdict 0", "heads answer", 5, b"\x00", asked=1)
    bad("heads answer, verdict 8", "heads answer", 5, b"\x08", asked=1)
    bad("heads answer, too few", "heads answer", 5, b"\x01", asked=2)
    bad("heads answer, too many", "heads answer", 5, b"\x01\x01", asked=1)
    bad("heads answer, another owner's", "heads answer", 5, b"\x04" + signed(8, key=STRANGER), asked=1)
    bad("heads answer, forged", "heads answer", 5, b"\x04" + signed(8, by=STRANGER), asked=1)
    bad("heads answer over the limit", "heads answer", 5, size=256 * 581 + 1)
    good("findheads", "findheads", 6, public(SIGNER), f"[{public(SIGNER).hex()}]")
    good("findheads of two", "findheads", 6, OWNER + MEMBER[6:], f"[{OWNER.hex()} {MEMBER[6:].hex()}]")
    bad("findheads of none", "findheads", 6)
    bad("findheads of one and a half", "findheads", 6, bytes(48))
    bad("findheads of 65", "findheads", 6, size=65 * 32)
    good("findheads answer, none", "findheads answer", 6, b"\x00", "[]", asked=1)
    good("findheads answer", "findheads answer", 6, b"\x00\x01" + signed(), f"[] [{said()}]", asked=2)
    good("findheads answer, in conflict", "findheads answer", 6, b"\x02" + signed(score=low) + signed(score=high),
         f"[{said(score=low)} {said(score=high)}]", asked=1)
    bad("findheads answer, out of order", "findheads answer", 6, b"\x02" + signed(score=high) + signed(score=low), asked=1)
    bad("findheads answer, twice the same", "findheads answer", 6, b"\x02" + 2 * signed(), asked=1)
    bad("findheads answer, two sequences", "findheads answer", 6, b"\x02" + signed(score=low) + signed(8, high), asked=1)
    bad("findheads answer, five", "findheads answer", 6, b"\x05" + b"".join(
        signed(score=bytes([i]) * 32) for i in range(1, 6)), asked=1)
    bad("findheads answer, another owner's", "findheads answer", 6, b"\x01" + signed(key=STRANGER), asked=1)
    bad("findheads answer, forged", "findheads answer", 6, b"\x01" + signed(by=STRANGER), asked=1)
    bad("findheads answer, cut", "findheads answer", 6, b"\x01" + signed()[:-1], asked=1)
    bad("findheads answer, too many", "findheads answer", 6, b"\x00\x00", asked=1)
    bad("findheads answer over the limit", "findheads answer", 6, size=64 * 581 + 1)
    first, second = sorted([SCORE, OTHER], key=position)
    good("roots", "roots", 7, OWNER + bytes(32), f"{OWNER.hex()} {bytes(32).hex()}")
    good("roots from the last position", "roots", 7, OWNER + b"\xff" * 32, f"{OWNER.hex()} {'ff' * 32}")
    bad("roots, too short", "roots", 7, bytes(63))
    bad("roots, too long", "roots", 7, bytes(65))
    good("roots answer, none", "roots answer", 7, bytes(32), bytes(32).hex())
    good("roots answer, none yet", "roots answer", 7, b"\xff" * 32, "ff" * 32)
    good("roots answer", "roots answer", 7, bytes(32) + first + second,
         f"{bytes(32).hex()} {first.hex()} {second.hex()}")
    good("roots answer, more to come", "roots answer", 7, position(second) + first,
         f"{position(second).hex()} {first.hex()}")
    bad("roots answer, out of order", "roots answer", 7, bytes(32) + second + first)
    bad("roots answer, twice the same", "roots answer", 7, bytes(32) + first + first)
    bad("roots answer, one that is to come later", "roots answer", 7, position(second) + first + second)
    bad("roots answer, a score and a half", "roots answer", 7, bytes(32) + first + second[:16])
    bad("roots answer, too short", "roots answer", 7, bytes(31))
    bad("roots answer over the limit", "roots answer", 7, size=32 + 32 * 1025)


def requests():
    hello = fragment(b"hello, venti\n")
    good("put", "put", 1, OWNER + MARK + hello, f"{OWNER.hex()} {MARK.hex()} {hello.hex()}")
    good("put of the empty block", "put", 2, OWNER + MARK + fragment(b""),
         f"{OWNER.hex()} {MARK.hex()} {fragment(b'').hex()}")
    good("put answer", "put answer", 1, struct.pack(">Q", 5) + CODING, f"5 {CODING.hex()}")
    good("put answer, most room", "put answer", 1, struct.pack(">Q", 2**63 - 1) + CODING, f"{2**63 - 1} {CODING.hex()}")
    good("get of any coding", "get", 3, SCORE + bytes(32), f"{SCORE.hex()} {bytes(32).hex()}")
    good("get of a coding", "get", 3, SCORE + CODING, f"{SCORE.hex()} {CODING.hex()}")
    good("get of none of four", "get", 0xFFFFFFFF, SCORE + bytes(32) + CODING + OTHER + CODING + OTHER,
         f"{SCORE.hex()} {bytes(32).hex()} {CODING.hex()} {OTHER.hex()} {CODING.hex()} {OTHER.hex()}")
    good("get answer", "get answer", 3, hello, hello.hex())
    good("have", "have", 4, OWNER + SCORE, f"{OWNER.hex()} {SCORE.hex()}")
    good("have of three", "have", 4, OWNER + SCORE + OTHER + SCORE,
         f"{OWNER.hex()} {SCORE.hex()} {OTHER.hex()} {SCORE.hex()}")
    good("have answer, nothing", "have answer", 4, b"\x00", "[]", asked=1)
    good("have answer", "have answer", 4, b"\x00\x01" + held() + b"\x02" + held(OTHER, 1, 64, 63, 0) + held(),
         f"[] [{CODING.hex()} 8/20 19 4194304 {MARK.hex()}] "
         f"[{OTHER.hex()} 1/64 63 0 {MARK.hex()} {CODING.hex()} 8/20 19 4194304 {MARK.hex()}]", asked=3)
    good("claim", "claim", 5, OWNER + SCORE + CODING + b"\x13" + MARK,
         f"{OWNER.hex()} {SCORE.hex()} {CODING.hex()} 19 {MARK.hex()}")
    good("claim of two", "claim", 5, OWNER + SCORE + CODING + b"\x00" + MARK + SCORE + OTHER + b"\x3f" + MARK,
         f"{OWNER.hex()} {SCORE.hex()} {CODING.hex()} 0 {MARK.hex()} {SCORE.hex()} {OTHER.hex()} 63 {MARK.hex()}")
    good("claim answer", "claim answer", 5, b"\x01\x00\x01", "101", asked=3)
    good("divert", "divert", 6, SCORE + CODING + b"\x07" + MEMBER, f"{SCORE.hex()} {CODING.hex()} 7 {MEMBER.hex()}")
    good("divert answer", "divert answer", 6)
    good("grant", "grant", 7, b"\x00", "00")
    good("grant answer", "grant answer", 7, OWNER, OWNER.hex())
    good("ping", "ping", 8)
    good("ping answer", "ping answer", 8)
    good("closing", "closing", 0)
    for i, reason in enumerate(REASONS):
        good(f"refusal, {reason}", "refusal", 9, bytes([i + 1, 0]) + b"it is so", f'{reason} to "" "it is so"')
    good("refusal without text", "refusal", 9, b"\x01\x00", 'no fragment to "" ""')
    good("refusal, diverted", "refusal", 9, b"\x01\x26" + MEMBER, f'no fragment to "{MEMBER.hex()}" ""')
    good("refusal, full, diverted", "refusal", 9, b"\x02\x26" + MEMBER + b"x", f'full to "{MEMBER.hex()}" "x"')
    good("refusal, longest text", "refusal", 9, b"\x05\x00" + "é".encode() * 128, 'busy to "" "' + "é" * 128 + '"')


def malformed():
    hello = fragment(b"hello, venti\n")
    for v in [0, 2, 255]:
        bad(f"version {v}", "ping", 1, version=v)
    for kind in [0, 15, 0x7F, 0x8F, 0xFE]:
        bad(f"kind {kind:#x}", kind, 1)
    for kind in ["put", "get", "ping", "get answer", "refusal"]:
        bad(kind + " with id 0", kind, 0, size=64)
        bad(kind + " of all ones", kind, 1, size=0xFFFFFFFF)
    bad("closing with an id", "closing", 1)
    bad("closing with a body", "closing", 0, b"\x00")
    bad("ping with a body", "ping", 1, b"\x00")
    bad("ping answer with a body", "ping answer", 1, b"\x00")
    bad("divert answer with a body", "divert answer", 1, b"\x00")
    bad("put over the limit", "put", 1, size=48 + MAX_FRAGMENT + 1)
    bad("put below the least", "put", 1, size=48 + 36)
    bad("put answer, too short", "put answer", 1, bytes(39))
    bad("put answer, too long", "put answer", 1, bytes(41))
    bad("put answer, negative room", "put answer", 1, b"\x80" + bytes(39))
    bad("get, too short", "get", 1, bytes(63))
    bad("get, half a coding", "get", 1, bytes(80))
    bad("get, five codings to avoid", "get", 1, bytes(64 + 5 * 32))
    bad("get answer over the limit", "get answer", 1, size=MAX_FRAGMENT + 1)
    bad("have of nothing", "have", 1, OWNER)
    bad("have of a score and a half", "have", 1, OWNER + SCORE + SCORE[:16])
    bad("have of 1025", "have", 1, size=32 + 32 * 1025)
    bad("have answer, too few", "have answer", 1, b"\x00", asked=2)
    bad("have answer, too many", "have answer", 1, b"\x00\x00", asked=1)
    bad("have answer, cut", "have answer", 1, b"\x01" + held()[:-1], asked=1)
    bad("have answer, seventeen", "have answer", 1, b"\x11" + 17 * held(), asked=1)
    bad("have answer, index over the code", "have answer", 1, b"\x01" + held(index=20), asked=1)
    bad("have answer, code 0/20", "have answer", 1, b"\x01" + held(need=0), asked=1)
    bad("have answer, code 21/20", "have answer", 1, b"\x01" + held(need=21), asked=1)
    bad("have answer, code 8/65", "have answer", 1, b"\x01" + held(total=65), asked=1)
    bad("have answer, block too large", "have answer", 1, b"\x01" + held(length=MAX_BLOCK + 1), asked=1)
    bad("claim of nothing", "claim", 1, OWNER)
    bad("claim of one and a half", "claim", 1, OWNER + SCORE + CODING + b"\x00" + MARK + SCORE)
    bad("claim of index 64", "claim", 1, OWNER + SCORE + CODING + b"\x40" + MARK)
    bad("claim answer, too few", "claim answer", 1, b"\x01", asked=2)
    bad("claim answer, neither yes nor no", "claim answer", 1, b"\x02", asked=1)
    bad("divert of index 64", "divert", 1, SCORE + CODING + b"\x40" + MEMBER)
    bad("divert to nobody", "divert", 1, SCORE + CODING + b"\x00")
    bad("divert to no multihash", "divert", 1, SCORE + CODING + b"\x00" + b"\xcc" * 20)
    bad("divert to an id that is too long", "divert", 1, SCORE + CODING + b"\x00\x00\x3f" + bytes(63))
    bad("grant of nothing", "grant", 1)
    bad("grant over the limit", "grant", 1, bytes(4097))
    bad("grant answer, too short", "grant answer", 1, OWNER[1:])
    bad("refusal, reason 0", "refusal", 1, b"\x00\x00")
    bad("refusal, reason 10", "refusal", 1, b"\x0a\x00")
    bad("refusal, too short", "refusal", 1, b"\x01")
    bad("refusal, id longer than the body", "refusal", 1, b"\x01\x27" + MEMBER)
    bad("refusal, id that is none", "refusal", 1, b"\x01\x01\xcc")
    bad("refusal, busy, diverted", "refusal", 1, b"\x05\x26" + MEMBER)
    bad("refusal, text too long", "refusal", 1, b"\x05\x00" + b"x" * 257)
    bad("refusal, not UTF-8", "refusal", 1, b"\x05\x00\xff")
    bad("refusal, newline", "refusal", 1, b"\x05\x00a\nb")
    bad("refusal, control character of two bytes", "refusal", 1, b"\x05\x00" + "\u009b".encode())
    for name, f in [
        ("of version 2", b"\x02" + hello[1:]),
        ("cut", hello[:-1]),
        ("too long", hello + b"\x00"),
        ("of code 2/1", hello[:34] + b"\x02" + hello[35:]),
    ]:
        out("put of a fragment " + name, message("put", 1, OWNER + MARK + f), "bad fragment", None)
        out("get answer, a fragment " + name, message("get answer", 1, f), "bad fragment", None)


requests()
tending()
heads()
malformed()
