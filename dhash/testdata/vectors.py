#!/usr/bin/env python3
"""Writes vectors.txt, from FORMAT.md alone: python3 vectors.py > vectors.txt"""

import hashlib
import sys

sys.dont_write_bytecode = True
from blake3 import blake3, tree  # noqa: E402

MAX_BLOCK = 4 << 20
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def out(kind, name, data, expect):
    print(f"name: {kind}: {name}\n{kind}: {data.hex() if isinstance(data, bytes) else data}\nexpect: {expect}\n")


def uint(v):
    b = bytearray()
    while v >= 128:
        b.append(v % 128 + 128)
        v //= 128
    b.append(v)
    return bytes(b)


def base58(b):
    v, text = int.from_bytes(b, "big"), ""
    while v:
        v, digit = divmod(v, 58)
        text = ALPHABET[digit] + text
    return "1" * (len(b) - len(b.lstrip(b"\0"))) + text


def multihash(digest):
    return b"\x12\x20" + digest


def root_of(leaves):
    """RFC 6962, 2.1, with BLAKE3 and no prefix to a leaf."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return blake3(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:]))


def path_of(i, leaves):
    """RFC 6962, 2.1.1: the hash nearest to the leaf first."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if i < k:
        return path_of(i, leaves[:k]) + [root_of(leaves[k:])]
    return path_of(i - k, leaves[k:]) + [root_of(leaves[:k])]


def payload_size(length, need):
    if need == 1:
        return length
    return -(-length // need // 64) * 64 if length % need == 0 else -(-(length // need + 1) // 64) * 64


def payloads_of(length, need, total):
    """Bytes of the right number; the fragments of a real block stand in codec/testdata."""
    size = payload_size(length, need)
    return [hashlib.shake_256(b"payload %d" % i).digest(size) for i in range(total)]


def header(score, length, need, total, index, path, version=1):
    return bytes([version]) + score + length + bytes([need, total, index]) + b"".join(path)


def fragment(name, length, need, total, index):
    score = hashlib.sha256(name.encode()).digest()
    payloads = payloads_of(length, need, total)
    leaves = [blake3(p) for p in payloads]
    path = path_of(index, leaves)
    coding = blake3(b"vdh coding\x01" + score + uint(length) + bytes([need, total]) + root_of(leaves))
    data = header(score, uint(length), need, total, index, path) + payloads[index]
    return data, f"{score.hex()} {length} {need}/{total} {index} {len(path)} {len(payloads[index])} {coding.hex()}"


def fragments():
    for name, length, need, total, index in [
        ("the smallest", 0, 1, 1, 0), ("an empty block in three", 0, 2, 3, 1), ("one copy of one", 5, 1, 1, 0),
        ("first copy of five", 65, 1, 5, 0), ("last copy of five", 65, 1, 5, 4), ("one byte in two", 1, 2, 2, 1),
        ("64 a payload", 128, 2, 3, 2), ("one byte more", 129, 2, 3, 2), ("first of 8/20", 1000, 8, 20, 0),
        ("number 15 of 8/20", 1000, 8, 20, 15), ("number 16 of 8/20", 1000, 8, 20, 16),
        ("last of 8/20", 1000, 8, 20, 19), ("last of 7/14", 3000, 7, 14, 13), ("no parity", 3000, 4, 4, 3),
        ("first of 64", 100, 32, 64, 0), ("last of 64", 100, 32, 64, 63), ("last of 33", 100, 32, 33, 32),
    ]:
        out("fragment", name, *fragment(name, length, need, total, index))


def not_fragments():
    score = bytes(range(32))
    path = [bytes([i]) * 32 for i in range(8)]
    body = bytes(64)
    good = header(score, uint(100), 3, 5, 1, path[:3]) + body
    for name, data in [
        ("empty", b""), ("version only", b"\x01"), ("version 0", b"\0" + good[1:]), ("version 2", b"\x02" + good[1:]),
        ("cut in the score", good[:20]), ("cut before the length", good[:33]), ("cut in the code", good[:35]),
        ("cut before the number", good[:36]), ("cut before the proof", good[:37]), ("cut in the proof", good[:60]),
        ("no payload", good[:-64]), ("payload too short", good[:-1]), ("payload too long", good + b"\0"),
        ("payload of another length", good + bytes(64)),
        ("length not minimal", header(score, b"\xe4\x00", 3, 5, 1, path[:3]) + body),
        ("length that makes another payload", header(score, uint(193), 3, 5, 1, path[:3]) + body),
        ("length over the bound", header(score, uint(MAX_BLOCK + 1), 1, 1, 0, [])),
        ("length far over the bound", header(score, uint(2**64 - 1), 1, 1, 0, [])),
        ("length that never ends", header(score, b"\xff" * 11, 1, 1, 0, [])),
        ("need 0", header(score, uint(100), 0, 5, 1, path[:3]) + body),
        ("total 0", header(score, uint(0), 0, 0, 0, [])),
        ("need over total", header(score, uint(100), 6, 5, 1, path[:3]) + body),
        ("total 65", header(score, uint(100), 3, 65, 1, path[:7]) + body),
        ("total 255", header(score, uint(100), 3, 255, 1, path[:8]) + body),
        ("number is total", header(score, uint(100), 3, 5, 5, path[:3]) + body),
        ("number 255", header(score, uint(100), 3, 5, 255, path[:3]) + body),
        ("proof too short", header(score, uint(100), 3, 5, 1, path[:2]) + body),
        ("proof too long", header(score, uint(100), 3, 5, 1, path[:4]) + body),
        ("proof of its neighbour's length", header(score, uint(100), 3, 5, 4, path[:3]) + body),
        ("copy cut short", header(score, uint(5), 1, 1, 0, []) + b"four"),
    ]:
        out("fragment", name, data, "refused")


def subtree(data, counter):
    return b"".join(w.to_bytes(4, "little") for w in tree(data, counter, 0))


def leaf_path(number, data, counter=0):
    """The chaining values beside the way from a leaf up, as in path_of."""
    if len(data) <= 1024:
        return []
    k = 1
    while 2 * k * 1024 < len(data):
        k *= 2
    left, right = data[:k * 1024], data[k * 1024:]
    if number < k:
        return leaf_path(number, left, counter) + [subtree(right, counter + k)]
    return leaf_path(number - k, right, counter + k) + [subtree(left, counter)]


def leaf(name, length, need, total, index, number):
    score = hashlib.sha256(name.encode()).digest()
    payloads = payloads_of(length, need, total)
    leaves = [blake3(p) for p in payloads]
    path, inner = path_of(index, leaves), leaf_path(number, payloads[index])
    coding = blake3(b"vdh coding\x01" + score + uint(length) + bytes([need, total]) + root_of(leaves))
    content = payloads[index][number * 1024:(number + 1) * 1024]
    data = header(score, uint(length), need, total, index, path) + uint(number) + b"".join(inner) + content
    return data, (f"{score.hex()} {length} {need}/{total} {index} {len(path)} {number} {len(inner)} {len(content)} "
                  f"{coding.hex()}")


def leaves():
    for name, length, need, total, index, number in [
        ("of the empty block", 0, 1, 1, 0, 0), ("of an empty block in three", 0, 2, 3, 1, 0), ("one byte", 1, 1, 1, 0, 0),
        ("64 bytes of eight", 100, 8, 20, 13, 0), ("one full", 1024, 1, 2, 1, 0), ("first of two", 1025, 1, 1, 0, 0),
        ("second of two, a byte", 1025, 1, 1, 0, 1), ("first of three", 2049, 1, 1, 0, 0),
        ("last of three", 2049, 1, 1, 0, 2), ("third of four", 8192, 2, 3, 2, 2), ("middle of five", 10240, 2, 3, 0, 3),
        ("last of seventeen", 17000, 1, 1, 0, 16), ("one of 128", 131072, 1, 2, 1, 77),
        ("last of 128", 131072, 1, 2, 0, 127), ("number 255 of 293", 300000, 1, 1, 0, 255),
        ("number 256 of 293", 300000, 1, 1, 0, 256), ("last of 293", 300000, 1, 1, 0, 292),
    ]:
        out("leaf", name, *leaf(name, length, need, total, index, number))
    for nonce, size in [(0, 0), (2**64 - 1, 0), (5, 1024), (5, 1025), (2**64 - 1, 3000), (2**63, 131072), (77, 131072),
                        (2**64 - 1, MAX_BLOCK), (4095, MAX_BLOCK), (4096, MAX_BLOCK)]:
        out("nonce", "of a payload", f"{nonce}/{size}", nonce % max(1, -(-size // 1024)))


def not_leaves():
    score = bytes(range(32))
    path = [bytes([i]) * 32 for i in range(8)]
    head = header(score, uint(5000), 2, 5, 1, path[:3])  # payloads of 2560 bytes: leaves of 1024, 1024 and 512
    inner = b"".join(path[4:6])
    good = head + b"\1" + inner + bytes(1024)
    for name, data in [
        ("empty", b""), ("version only", b"\x01"), ("version 0", b"\0" + good[1:]), ("version 2", b"\x02" + good[1:]),
        ("cut in the proof", good[:60]), ("cut before the number", head), ("cut before the path", head + b"\1"),
        ("cut in the path", head + b"\1" + inner[:63]), ("no data", head + b"\1" + inner),
        ("data too short", good[:-1]), ("data too long", good + b"\0"),
        ("number is the number of leaves", head + b"\3" + inner + bytes(1024)),
        ("number not minimal", head + b"\x81\0" + inner + bytes(1024)),
        ("number far over the bound", head + uint(2**64 - 1) + inner + bytes(1024)),
        ("path too short", head + b"\1" + path[4] + bytes(1024)),
        ("path too long", head + b"\1" + inner + path[6] + bytes(1024)),
        ("last leaf, path of the first", head + b"\2" + inner + bytes(512)),
        ("last leaf, data of the first", head + b"\2" + path[4] + bytes(1024)),
        ("number 1 of one", header(score, uint(5), 1, 1, 0, []) + b"\1four5"),
        ("total 65", header(score, uint(100), 3, 65, 1, path[:7]) + b"\0" + bytes(64)),
        ("length over the bound", header(score, uint(MAX_BLOCK + 1), 1, 1, 0, []) + b"\0"),
    ]:
        out("leaf", name, data, "refused")


def keys():
    for name, block in [("the empty block", b""), ("abc", b"abc")]:
        score = hashlib.sha256(block).digest()
        out("score", name, score, hashlib.sha256(multihash(score)).hexdigest())
    out("score", "none", bytes(32), hashlib.sha256(multihash(bytes(32))).hexdigest())
    ed25519 = b"\x00\x24\x08\x01\x12\x20" + bytes(range(32))  # an identity multihash of a public key
    hashed = multihash(bytes(range(32)))
    for name, member in [("an Ed25519 key", ed25519), ("a hashed key", hashed), ("zeros", bytes(4))]:
        out("member", name, member, f"{hashlib.sha256(member).hexdigest()} {base58(member)}")
    for name, owner in [("a key", bytes(range(32))), ("zeros", bytes(32))]:
        out("owner", name, owner, hashlib.sha256(b"\x00\x20" + owner).hexdigest())


def codes():
    for need, total in [(1, 1), (1, 2), (1, 3), (1, 5), (3, 10), (5, 10), (7, 14), (8, 16), (8, 20), (4, 20), (20, 20),
                        (19, 20), (32, 64), (64, 64), (1, 64)]:
        threshold = max(need, total - -(-total // 5))
        limit = max(1, total - need - 3)
        sizes = [payload_size(n, need) for n in (0, 1, 63, 64, 65, 1000, 1 << 20, MAX_BLOCK)]
        out("code", "numbers", f"{need}/{total}", f"{threshold} {limit} " + " ".join(map(str, sizes)))
    for bad in ["", "8", "/", "8/", "/20", "8/20/1", "0/5", "0/0", "6/5", "1/65", "-1/5", "1/-5", "+1/5", " 1/5", "1/5 ",
                "1 /5", "8:20", "1/256", "256/257", "1/99999999999999999999", "a/b", "1.0/5", "0x1/5", "1_0/20", "08/20",
                "8/020"]:
        out("code", "text", bad, "refused")


keys()
codes()
fragments()
not_fragments()
leaves()
not_leaves()
