#!/usr/bin/env python3
"""Writes vectors.txt: records and rows of a fragment store, made from FORMAT.md alone."""
import hashlib


def uint(v):
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def claims(owners, since=0, at=1790000000):
    """Each owner's mark is the end of a hash of the owner. All claims were made at the same time."""
    out = uint(len(owners)) + b"".join(o + hashlib.sha256(o).digest()[16:] + uint(at) for o in owners)
    return out if owners else out + uint(since)


score = hashlib.sha256(b"a block").digest()
mh = b"\x12\x20" + score
coding = hashlib.sha256(b"a coding").digest()
position = hashlib.sha256(mh).digest()
alice, bob = b"\x01" + bytes(31), b"\x02" + bytes(31)
fragment = b"\x01" + score + uint(300) + bytes([1, 1, 0]) + bytes(i & 0xFF for i in range(300))
key = mh + coding[:16] + b"\x05"
key0 = mh + coding[:16] + b"\x00"


def rowkey(what, index):
    return what + position[:16] + coding[:16] + bytes([index])


def row(need, total, length, segment, offset, cl):
    return score + coding[16:] + bytes([need, total]) + uint(length) + uint(segment) + uint(offset) + cl


many = sorted(hashlib.sha256(bytes([i])).digest() for i in range(256))
records = [
    ("fragment of one owner", 16, key0, b"\x01" + claims([alice]) + fragment, 1),
    ("fragment of two owners", 16, key0, b"\x01" + claims([alice, bob]) + fragment, 1),
    ("fragment that is trash", 16, key0, b"\x01" + claims([], 1800000000) + fragment, 1),
    ("fragment of 256 owners", 16, key0, b"\x01" + claims(many) + fragment, 1),
    ("owners out of order", 16, key0, b"\x01" + claims([bob, alice]) + fragment, 0),
    ("owner twice", 16, key0, b"\x01" + claims([alice, alice]) + fragment, 0),
    ("too many owners", 16, key0, b"\x01" + claims([bytes(32)] + many) + fragment, 0),
    ("another version", 16, key0, b"\x02" + claims([alice]) + fragment, 0),
    ("count too long", 16, key0, b"\x01\x81\x00" + claims([alice])[1:] + fragment, 0),
    ("fragment cut", 16, key0, b"\x01" + claims([alice]) + fragment[:-1], 0),
    ("no data", 16, key0, b"", 0),
    ("another hash", 16, b"\x13\x20" + key0[2:], b"\x01" + claims([alice]) + fragment, 0),
    ("key too short", 16, key0[:-1], b"\x01" + claims([alice]) + fragment, 0),
    ("key too long", 16, key0 + b"\x00", b"\x01" + claims([alice]) + fragment, 0),
    ("claims", 17, key, b"\x01" + claims([alice, bob]), 1),
    ("claim made at the beginning of time", 17, key, b"\x01" + claims([alice], at=0), 1),
    ("claim made at 2^40", 17, key, b"\x01" + claims([alice], at=1 << 40), 1),
    ("claim made after 2^40", 17, key, b"\x01" + claims([alice], at=(1 << 40) + 1), 0),
    ("time of a claim too long", 17, key, b"\x01" + claims([alice], at=0)[:-1] + b"\x80\x00", 0),
    ("claim without a time", 17, key, b"\x01" + claims([alice], at=0)[:-1], 0),
    ("last claim released", 17, key, b"\x01" + claims([], 1800000000), 1),
    ("released at the beginning of time", 17, key, b"\x01" + claims([], 0), 1),
    ("time beyond 2^63", 17, key, b"\x01\x00" + uint(1 << 63), 0),
    ("claims with more", 17, key, b"\x01" + claims([alice]) + b"\x00", 0),
    ("diversion", 18, key, b"\x01" + coding + uint(4) + b"\x00\x02ab", 1),
    ("diversion to an id of 128 bytes", 18, key, b"\x01" + coding + uint(128) + bytes(128), 1),
    ("diversion to an id of 129 bytes", 18, key, b"\x01" + coding + uint(129) + bytes(129), 0),
    ("diversion to nobody", 18, key, b"\x01" + coding + uint(0), 0),
    ("diversion of another coding", 18, key, b"\x01" + coding[::-1] + uint(4) + b"\x00\x02ab", 0),
    ("a block", 1, mh, b"a block", 0),
    ("set aside", 19, key, b"\x01", 0),
]
rows = [
    ("of one owner", rowkey(b"f", 5), row(8, 20, 1 << 20, 0, 0, claims([alice])), 1),
    ("with claims elsewhere", rowkey(b"f", 5), row(8, 20, 1 << 20, 7, 4096, claims([alice, bob])), 1),
    ("trash", rowkey(b"f", 0), row(1, 1, 0, 7, 4096, claims([], 1800000000)), 1),
    ("of another block", rowkey(b"f", 5)[:1] + position[16:] + rowkey(b"f", 5)[17:], row(8, 20, 1, 0, 0, claims([alice])), 0),
    ("index beyond the code", rowkey(b"f", 20), row(8, 20, 1, 0, 0, claims([alice])), 0),
    ("no code", rowkey(b"f", 0), row(0, 20, 1, 0, 0, claims([alice])), 0),
    ("block too long", rowkey(b"f", 5), row(8, 20, (4 << 20) + 1, 0, 0, claims([alice])), 0),
    ("more behind it", rowkey(b"f", 5), row(8, 20, 1, 0, 0, claims([alice]) + b"\x00"), 0),
    ("a diversion", rowkey(b"d", 5), row(8, 20, 1, 0, 0, claims([alice])), 0),
]

with open("vectors.txt", "w") as f:
    for name, kind, k, data, ok in records:
        f.write(f"record: {name}\nkind: {kind}\nkey: {k.hex()}\ndata: {data.hex()}\nexpect: {'accepted' if ok else 'refused'}\n\n")
    for name, k, data, ok in rows:
        f.write(f"row: {name}\nkey: {k.hex()}\ndata: {data.hex()}\nexpect: {'accepted' if ok else 'refused'}\n\n")
