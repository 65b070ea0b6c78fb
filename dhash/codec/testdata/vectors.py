#!/usr/bin/env python3
"""Writes codings.txt and policy.txt, from ../../FORMAT.md and ../doc.go alone: python3 vectors.py"""

import hashlib
import math
import pathlib
import sys
from fractions import Fraction

HERE = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent.parent / "testdata"))
from blake3 import blake3  # noqa: E402

# GF(2⁸), x⁸+x⁴+x³+x²+1


def times(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = a << 1 ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


def power(a, n):
    result = 1
    for _ in range(n):
        result = times(result, a)
    return result


def inverse(matrix):
    """Gauss and Jordan."""
    n = len(matrix)
    rows = [list(row) + [int(i == j) for j in range(n)] for i, row in enumerate(matrix)]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        scale = power(rows[i][i], 254)  # 1/a
        rows[i] = [times(scale, v) for v in rows[i]]
        for r in range(n):
            if r != i and rows[r][i]:
                factor = rows[r][i]
                rows[r] = [v ^ times(factor, w) for v, w in zip(rows[r], rows[i])]
    return [row[n:] for row in rows]


def coding_matrix(need, total):
    vandermonde = [[power(r, c) for c in range(need)] for r in range(total)]
    top = inverse(vandermonde[:need])
    matrix = []
    for row in vandermonde:
        line = [0] * need
        for v, top_row in zip(row, top):
            line = [x ^ times(v, w) for x, w in zip(line, top_row)]
        matrix.append(line)
    assert all(matrix[i][j] == (i == j) for i in range(need) for j in range(need))
    return matrix


def payloads_of(block, need, total):
    if need == 1:
        return [block] * total
    size = -(-len(block) // need)
    size = (size + 63) // 64 * 64
    data = [block[i * size:(i + 1) * size].ljust(size, b"\0") for i in range(need)]
    payloads = []
    for row in coding_matrix(need, total):
        payload = 0
        for factor, part in zip(row, data):
            table = bytes(times(factor, v) for v in range(256))
            payload ^= int.from_bytes(part.translate(table), "big")
        payloads.append(payload.to_bytes(size, "big"))
    return payloads


def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return blake3(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:]))


def path_of(i, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if i < k:
        return path_of(i, leaves[:k]) + [root_of(leaves[k:])]
    return path_of(i - k, leaves[k:]) + [root_of(leaves[:k])]


def uint(v):
    b = bytearray()
    while v >= 128:
        b.append(v % 128 + 128)
        v //= 128
    b.append(v)
    return bytes(b)


def codings(out):
    for need, total, length in [
        (1, 1, 0), (1, 1, 1), (1, 3, 1000), (1, 5, 64), (2, 2, 100), (2, 3, 0), (2, 3, 1), (2, 3, 128), (2, 3, 129),
        (3, 5, 200), (3, 10, 1000), (4, 4, 1000), (4, 20, 3000), (5, 10, 640), (7, 14, 5000), (8, 16, 8192),
        (8, 20, 20000), (10, 20, 1), (16, 32, 3000), (32, 64, 4000), (63, 64, 4000), (64, 64, 4096),
    ]:
        block = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(length // 32 + 1))[:length]
        score = hashlib.sha256(block).digest()
        payloads = payloads_of(block, need, total)
        leaves = [blake3(p) for p in payloads]
        coding = blake3(b"vdh coding\x01" + score + uint(length) + bytes([need, total]) + root_of(leaves))
        print(f"code: {need}/{total}\nlength: {length}\ncoding: {coding.hex()}", file=out)
        for i, payload in enumerate(payloads):
            head = bytes([1]) + score + uint(length) + bytes([need, total, i]) + b"".join(path_of(i, leaves))
            print(f"fragment: {blake3(head + payload).hex()}", file=out)
        print(file=out)


def unavailability(need, total, p):
    return sum((math.comb(total, i) * p**i * (1 - p)**(total - i) for i in range(need)), Fraction(0))


def policy(out):
    print("# p, members: code for five nines, whether it reaches them at its threshold, unavailability there", file=out)
    for p in ["0.8", "0.9", "0.95", "0.99"]:
        for members in range(1, 41):
            total = min(members, 20)
            left = max(1, total - -(-total // 5))
            good = [k for k in range(1, left + 1) if unavailability(k, left, Fraction(p)) <= Fraction(1, 10**5)]
            need = max(good, default=1)
            u = float(unavailability(need, left, Fraction(p)))
            print(f"{p} {members} {need}/{total} {bool(good)} {u!r}", file=out)


with open(HERE / "codings.txt", "w") as f:
    codings(f)
with open(HERE / "policy.txt", "w") as f:
    policy(f)
