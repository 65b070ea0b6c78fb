#!/usr/bin/env python3
"""Writes vectors.txt, from FORMAT.md alone: python3 vectors.py > vectors.txt"""

import hashlib
import json

MAX64 = 2**64 - 1
MAX63 = 2**63 - 1


def out(kind, name, data, expect):
    print(f"name: {kind}: {name}\n{kind}: {data.hex() if isinstance(data, bytes) else data}\nexpect: {expect}\n")


def uint(v):
    b = bytearray()
    while v >= 128:
        b.append(v % 128 + 128)
        v //= 128
    b.append(v)
    return bytes(b)


def sint(v):
    return uint(2 * v if v >= 0 else -2 * v - 1)


def text(b):
    return uint(len(b)) + b


def time(sec, nsec):
    return sint(sec) + uint(nsec)


def entry(size, depth, ref):
    return uint(size) + (bytes([depth + 1]) + ref if ref else b"\x00")


SCORE = hashlib.sha256(b"abc").digest()
KEY = bytes(range(32))
REF = SCORE + KEY
ENTRY = entry(100_000_000_000, 2, REF)
HOLE = entry(4096, 0, None)
EMPTY = entry(0, 0, None)


def show_entry(size, depth, ref):
    return f"{size}/{depth}/{ref.hex()}" if ref else f"{size}/0/hole"


def scores():
    for name, block, score in [
        ("the empty block", b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("two rounds", b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    ]:
        assert hashlib.sha256(block).hexdigest() == score  # the digests are those of FIPS 180-2 and its examples
        out("block", name, block, score)
    good = "0123456789abcdef" * 4
    out("text", "all digits", good, good)
    out("text", "zero", "0" * 64, "0" * 64)
    for name, bad in [
        ("empty", ""), ("63 digits", good[1:]), ("65 digits", good + "0"), ("upper case", good.upper()),
        ("one upper-case digit", good[:-1] + "F"), ("another letter", good[:-1] + "g"), ("space before", " " + good[1:]),
        ("space after", good[1:] + " "), ("0x", "0x" + good[2:]), ("vac:", "vac:" + good), ("two bytes, one letter",
         good[:-2] + "é"), ("colon after 9", good[:-1] + ":"), ("before 0", good[:-1] + "/"),
        ("backquote before a", good[:-1] + "`"),
    ]:
        out("text", name, bad, "refused")


def numbers():
    for v in [0, 1, 127, 128, 129, 255, 256, 300, 16383, 16384, 2**32 - 1, 2**32, MAX63, MAX63 + 1, MAX64]:
        out("uint", str(v), uint(v), v)
    for name, b in [
        ("empty", b""), ("ends too soon", b"\x80"), ("ten bytes that go on", b"\xff" * 10), ("0 in two bytes", b"\x80\x00"),
        ("1 in two bytes", b"\x81\x00"), ("1 in three bytes", b"\x81\x80\x00"), ("2 to the 64", b"\x80" * 9 + b"\x02"),
        ("eleven bytes", b"\x80" * 10 + b"\x01"), ("trailing byte", b"\x01\x00"), ("trailing bytes", b"\x00\x00\x00"),
    ]:
        out("uint", name, b, "refused")
    for v in [0, -1, 1, -2, 2, 63, -64, 64, -65, 2**31, -2**31, MAX63, -MAX63, -MAX63 - 1]:
        out("int", str(v), sint(v), v)
    out("int", "not minimal", b"\x82\x00", "refused")
    for b in [b"", b"a", b"x" * 127, b"x" * 128, b"x" * 1000]:
        out("bytes", f"{len(b)} of them", text(b), b.hex())
    for name, b in [
        ("empty", b""), ("one missing", b"\x02a"), ("one too many", b"\x01ab"), ("length not minimal", b"\x81\x00a"),
        ("over the bound of the test, 1000", text(b"x" * 1001)), ("length of all ones", b"\xff" * 9 + b"\x01"),
        ("length of 2 to the 63", uint(2**63) + b"abc"),
    ]:
        out("bytes", name, b, "refused")
    for sec, nsec in [(0, 0), (1, 1), (1_700_000_000, 999_999_999), (-1, 0), (-1, 999_999_999), (-62135596800, 0),
                      (MAX63, 0), (-MAX63 - 1, 5), (253402300799, 123456789)]:
        out("time", f"{sec} s {nsec} ns", time(sec, nsec), f"{sec} {nsec}")
    for name, b in [
        ("empty", b""), ("no nanoseconds", sint(5)), ("a whole second of nanoseconds", sint(5) + uint(1_000_000_000)),
        ("nanoseconds not minimal", sint(5) + b"\x80\x00"), ("trailing", time(5, 5) + b"\x00"),
    ]:
        out("time", name, b, "refused")


def entries():
    out("ref", "score and key", REF, REF.hex())
    out("ref", "zero", bytes(64), bytes(64).hex())
    for name, b in [("empty", b""), ("63 bytes", REF[:-1]), ("score only", SCORE), ("65 bytes", REF + b"\x00")]:
        out("ref", name, b, "refused")
    for name, e in [
        ("empty stream", (0, 0, None)), ("hole", (4096, 0, None)), ("largest hole", (MAX63, 0, None)),
        ("one leaf", (1, 0, REF)), ("a tree", (100_000_000_000, 2, REF)), ("deepest", (MAX63, 12, REF)),
        ("key zero", (1, 0, SCORE + bytes(32))),
    ]:
        out("entry", name, entry(*e), show_entry(*e))
    for name, b in [
        ("empty", b""), ("size only", uint(5)), ("size over 63 bits", entry(MAX63 + 1, 0, None)),
        ("size not minimal", b"\x80\x00\x00"), ("too deep", entry(5, 13, REF)), ("255 levels", entry(5, 254, REF)),
        ("blocks of an empty stream", entry(0, 0, REF)), ("zero ref in place of a hole", entry(5, 0, bytes(64))),
        ("ref missing", b"\x05\x01"), ("ref cut", entry(5, 0, REF)[:-1]), ("trailing", ENTRY + b"\x00"),
        ("hole with a ref", b"\x05\x00" + REF),
    ]:
        out("entry", name, b, "refused")


def root(version=b"\x01", kind=b"\x01", times=time(1_700_000_000, 5) + time(1_700_000_000, 4), host=text(b"host"),
         user=text(b"user"), paths=(b"/etc", b"/srv"), count=None, top=ENTRY, shared=HOLE, prev=SCORE, files=uint(3),
         dirs=uint(2), size=uint(300)):
    listed = uint(len(paths) if count is None else count) + b"".join(text(p) for p in paths)
    return version + kind + times + host + user + listed + top + shared + prev + files + dirs + size


def show_root(kind=1, times="1700000000 5 1700000000 4", host="host", user="user", paths=("/etc", "/srv"),
              top=show_entry(100_000_000_000, 2, REF), shared="4096/0/hole", prev=SCORE.hex(), files=3, dirs=2, size=300):
    names = " ".join(json.dumps(s) for s in [host, user, *paths])
    return f"{kind} {times} {names} {top} {shared} {prev} {files} {dirs} {size}"


def roots():
    out("root", "snapshot", root(), show_root())
    out("root", "catalog", root(kind=b"\x02", paths=()), show_root(kind=2, paths=()))
    out("root", "nothing in it",
        root(times=time(0, 0) * 2, host=text(b""), user=text(b""), paths=(), top=EMPTY, shared=EMPTY, prev=bytes(32),
             files=uint(0), dirs=uint(0), size=uint(0)),
        show_root(times="0 0 0 0", host="", user="", paths=(), top="0/0/hole", shared="0/0/hole", prev="00" * 32,
                  files=0, dirs=0, size=0))
    out("root", "longest name", root(host=text(b"h" * 4096)), show_root(host="h" * 4096))
    out("root", "largest counts", root(files=uint(MAX63), dirs=uint(MAX63), size=uint(MAX63)),
        show_root(files=MAX63, dirs=MAX63, size=MAX63))
    for name, b in [
        ("empty", b""), ("version 0", root(version=b"\x00")), ("version 2", root(version=b"\x02")),
        ("kind 0", root(kind=b"\x00")), ("kind 3", root(kind=b"\x03")), ("version only", b"\x01"),
        ("name too long", root(host=text(b"h" * 4097))), ("path too long", root(paths=(b"/" * 4097,))),
        ("too many paths", root(paths=(b"/",) * 4097)), ("a path missing", root(count=3)),
        ("a path too many", root(count=1)), ("paths without end", root(count=MAX64)),
        ("files over 63 bits", root(files=uint(MAX63 + 1))), ("bytes over 63 bits", root(size=uint(MAX64))),
        ("cut by one", root()[:-1]), ("trailing", root() + b"\x00"), ("prev cut", root(prev=SCORE[:-1])),
        ("top empty with blocks", root(top=entry(0, 0, REF))),
        ("nanoseconds", root(times=sint(5) + uint(10**9) + time(5, 5))),
    ]:
        out("root", name, b, "refused")


scores()
numbers()
entries()
roots()
