#!/usr/bin/env python3
"""Makes seal.txt from FORMAT.md alone: BLAKE3 is written out below, AES-GCM is that of `cryptography`, and zstd is the
command of that name.

    python3 make.py

Cases are parted by empty lines; a case is lines of `key: value`, bytes in hexadecimal.
"""
import hashlib
import struct
import subprocess
import tempfile
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# --- BLAKE3, after the paper's section 2

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERM = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
START, END, PARENT, ROOT, KEYED, DK_CONTEXT, DK_MATERIAL = (1 << i for i in range(7))


def compress(cv, words, counter, length, flags):
    def mix(a, b, c, d, x, y):
        def half(n, r1, r2):
            s[a] = (s[a] + s[b] + n) & 0xFFFFFFFF
            s[d] = rot(s[d] ^ s[a], r1)
            s[c] = (s[c] + s[d]) & 0xFFFFFFFF
            s[b] = rot(s[b] ^ s[c], r2)
        half(x, 16, 12)
        half(y, 8, 7)

    def rot(v, n):
        return (v >> n | v << (32 - n)) & 0xFFFFFFFF

    s = list(cv) + IV[:4] + [counter & 0xFFFFFFFF, counter >> 32, length, flags]
    m = list(words)
    for _ in range(7):
        for i, (a, b, c, d) in enumerate([(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                                          (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]):
            mix(a, b, c, d, m[2 * i], m[2 * i + 1])
        m = [m[p] for p in PERM]
    return [s[i] ^ s[i + 8] for i in range(8)]


def blake3(data, key=IV, flags=0):
    def chunk(data, n, root):
        cv = key
        blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
        for i, b in enumerate(blocks):
            f = flags | (START if i == 0 else 0) | (END | root if i == len(blocks) - 1 else 0)
            cv = compress(cv, struct.unpack("<16I", b.ljust(64, b"\0")), n, len(b), f)
        return cv

    def tree(data, n, root):
        if len(data) <= 1024:
            return chunk(data, n, root)
        left = 1024
        while left * 2 < len(data):
            left *= 2
        pair = tree(data[:left], n, 0) + tree(data[left:], n + left // 1024, 0)
        return compress(key, pair, 0, 64, flags | PARENT | root)

    return struct.pack("<8I", *tree(data, 0, ROOT))


def keyed(key, data):
    return blake3(data, list(struct.unpack("<8I", key)), KEYED)


def derive_key(context, material):
    k = blake3(context.encode(), IV, DK_CONTEXT)
    return blake3(material, list(struct.unpack("<8I", k)), DK_MATERIAL)


assert blake3(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
assert blake3(bytes(i % 251 for i in range(1025))).hex() == "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"

# --- the format


def noise(n, seed=0):
    out = b""
    while len(out) < n:
        out += hashlib.sha256(b"%d %d" % (seed, len(out))).digest()
    return out[:n]


def uvarint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def zstd(data, *options, file=False):
    if not file:
        return subprocess.run(["zstd", "-q", "-c", "--no-check", *options], input=data, capture_output=True, check=True).stdout
    with tempfile.NamedTemporaryFile() as f:  # the size of a file goes into the frame's header
        f.write(data)
        f.flush()
        return subprocess.run(["zstd", "-q", "-c", "--no-check", *options, f.name], capture_output=True, check=True).stdout


def encrypt(key, head, inner):
    return head + AESGCM(key).encrypt(bytes(12), inner, head)


def block_key(secret, inner):
    return keyed(derive_key("ventidhash 2026 seal v1 block keys", secret), inner)


def raw(plain):
    return b"\0" + plain


def packed(plain, size=None, **kw):
    return b"\1" + uvarint(len(plain) if size is None else size) + zstd(plain, "-3", **kw)


def case(**fields):
    for k, v in fields.items():
        out.write(f"{k}: {v.hex() if isinstance(v, bytes) else v}\n")
    out.write("\n")


def block(name, secret, plain, inner, made):
    key = block_key(secret, inner)
    b = encrypt(key, b"\1", inner)
    case(case=name, kind="block", secret=secret, plain=plain, key=key, score=hashlib.sha256(b).digest(), block=b, made=made, expect="ok")


def root(name, k, plain, inner, made):
    salt = keyed(derive_key("ventidhash 2026 seal v1 root salt", k), inner)
    key = keyed(derive_key("ventidhash 2026 seal v1 root key", k), salt)
    b = encrypt(key, b"\2" + salt, inner)
    case(case=name, kind="root", secret=k, plain=plain, key=key, score=hashlib.sha256(b).digest(), block=b, made=made, expect="ok")


def bad(name, inner, head=b"\1", **kw):
    key = noise(32, 7)
    case(case=name, kind="block", key=key, block=encrypt(key, head, inner), expect="corrupt")


OWNER, PUBLIC = noise(32, 1), bytes(32)
TEXT = b"".join(b"line %d of a text that compresses\n" % i for i in range(60))

with open("seal.txt", "w") as out:
    # made: exactly says that Seal has to make these bytes; of what compresses, another compressor may make others.
    for secret, who in (OWNER, "owner"), (PUBLIC, "public"):
        for n in 0, 1, 64, 65, 1500:
            block(f"{n} bytes of noise, {who}", secret, noise(n), raw(noise(n)), "exactly")
    block("64 zero bytes", OWNER, bytes(64), raw(bytes(64)), "exactly")
    block("text", OWNER, TEXT, packed(TEXT), "else")
    block("text, its length in the frame", OWNER, TEXT, packed(TEXT, file=True), "else")
    block("65 zero bytes", OWNER, bytes(65), packed(bytes(65)), "else")
    block("text that was not compressed", OWNER, TEXT, raw(TEXT), "else")
    root("root of noise", OWNER, noise(300), raw(noise(300)), "exactly")
    root("root of nothing", OWNER, b"", raw(b""), "exactly")
    root("root of text", OWNER, TEXT, packed(TEXT), "else")

    z = zstd(TEXT, "-3")
    size = uvarint(len(TEXT))
    limit = (4 << 20) - 18 - 32
    for name, inner in [
        ("method 2", b"\2" + TEXT),
        ("method 255", b"\xff"),
        ("zstd of nothing", b"\1"),
        ("zstd without a frame", b"\1" + size),
        ("zstd of 64 bytes", packed(bytes(64))),
        ("zstd of no bytes", packed(b"")),
        ("length in a long form", b"\1" + uvarint(len(TEXT))[:-1] + bytes([uvarint(len(TEXT))[-1] | 0x80, 0]) + z),
        ("length cut", b"\1\x80"),
        ("length of 70 bits", b"\1" + b"\xff" * 10 + z),
        ("length over the bound", b"\1" + uvarint(limit + 1) + zstd(bytes(limit + 1), "-3")),
        ("length one short", b"\1" + uvarint(len(TEXT) - 1) + z),
        ("length one long", b"\1" + uvarint(len(TEXT) + 1) + z),
        ("length at the bound, little in the frame", b"\1" + uvarint(limit) + z),
        ("frame cut", b"\1" + size + z[:-4]),
        ("bytes after the frame", b"\1" + size + z + b"more"),
        ("two frames", b"\1" + size + z + z),
        ("no frame", b"\1" + size + noise(200)),
        ("64 MiB, length in the frame", b"\1" + size + zstd(bytes(64 << 20), "-19", file=True)),
        ("64 MiB, no length in the frame", b"\1" + size + zstd(bytes(64 << 20), "-19")),
        ("many frames of 1 MiB", b"\1" + size + zstd(bytes(1 << 20), "-3") * 64),
        ("window of 128 MiB", b"\1" + size + z[:5] + b"\x88" + z[6:]),
    ]:
        bad(name, inner)
    bad("version 0", raw(TEXT), head=b"\0")
    bad("version 3", raw(TEXT), head=b"\3")
    bad("a root", raw(TEXT), head=b"\2" + noise(32))
