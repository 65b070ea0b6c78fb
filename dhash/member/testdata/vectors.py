#!/usr/bin/env python3
"""Writes vectors.txt from FORMAT.md and PROTOCOL.md alone, with the Ed25519 of `cryptography`:

    python3 vectors.py > vectors.txt

A case has a name, a kind with its bytes, and what is to come of them: words that describe it, or `refused`.
"""
import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# --- BLAKE3, of up to one chunk

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]


def compress(cv, block, length, flags):
    v = list(cv) + IV[:4] + [0, 0, length, flags]
    m = list(struct.unpack("<16I", block.ljust(64, b"\0")))

    def g(a, b, c, d, x, y):
        for word, r1, r2 in (x, 16, 12), (y, 8, 7):
            v[a] = (v[a] + v[b] + word) & 0xFFFFFFFF
            t = v[d] ^ v[a]
            v[d] = (t >> r1 | t << (32 - r1)) & 0xFFFFFFFF
            v[c] = (v[c] + v[d]) & 0xFFFFFFFF
            t = v[b] ^ v[c]
            v[b] = (t >> r2 | t << (32 - r2)) & 0xFFFFFFFF

    for _ in range(7):
        for i, (a, b, c, d) in enumerate([(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                                          (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]):
            g(a, b, c, d, m[2 * i], m[2 * i + 1])
        m = [m[p] for p in PERMUTATION]
    return [v[i] ^ v[i + 8] for i in range(8)]


def blake3(data):
    assert len(data) <= 1024
    blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
    cv = IV
    for i, b in enumerate(blocks):
        flags = (1 if i == 0 else 0) | (2 | 8 if i == len(blocks) - 1 else 0)
        cv = compress(cv, b, len(b), flags)
    return struct.pack("<8I", *cv)


assert blake3(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

# --- fields


def uint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(b):
    b = b.encode() if isinstance(b, str) else b
    return uint(len(b)) + b


class Key:
    def __init__(self, name):
        self.seed = hashlib.sha256(name.encode()).digest()
        self.key = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self.key.public_key().public_bytes_raw()

    def sign(self, label, body, swarm=None):
        swarm = SWARM if swarm is None else swarm
        return self.key.sign(label + b"\0" + blake3(b"vdh swarm\0" + swarm.public) + body)


SWARM, OTHER = Key("the swarm"), Key("another swarm")
DELEGATE, SUB = Key("delegate"), Key("sub-delegate")
A, B, CLIENT, OWNER = Key("a"), Key("b"), Key("client"), Key("owner")
T = 1_800_000_000  # the time at which all is judged
DAY = 86400


def out(name, kind, data, expect):
    print(f"name: {name}\n{kind}: {data if isinstance(data, str) else data.hex()}\nexpect: {expect}\n")


# --- manifest


def manifest(revision=7, name="test", nines=5000, p=900_000, need=0, total=0, grace=0, bans=(), time=T, key=SWARM,
             version=1, label=b"vdh manifest", public=None, tail=b""):
    b = bytes([version]) + (public or key.public) + uint(revision) + field(name) + uint(nines) + uint(p)
    b += bytes([need, total]) + uint(grace) + uint(len(bans)) + b"".join(bans) + uint(time)
    return b + key.sign(label, b, SWARM if public else key) + tail


def manifests():
    bans = sorted([A.public, B.public])
    good = manifest()
    out("plain", "manifest", good, "revision 7 name test nines 5000 p 900000 code 0/0 grace 0 bans 0")
    out("all fields", "manifest", manifest(300, "ünï", 12000, 999_999, 8, 20, 31_622_400, bans),
        "revision 300 name ünï nines 12000 p 999999 code 8/20 grace 31622400 bans 2")
    out("highest revision", "manifest", manifest(2**64 - 1), f"revision {2**64-1} name test nines 5000 p 900000 code 0/0 grace 0 bans 0")
    out("of another swarm", "manifest", manifest(key=OTHER), "refused")
    out("forged: this swarm's key, signed by another", "manifest", manifest(key=OTHER, public=SWARM.public), "refused")
    out("signed as a certificate", "manifest", manifest(label=b"vdh certificate"), "refused")
    flipped = bytearray(good)
    flipped[33] ^= 1
    out("a bit of the revision flipped", "manifest", bytes(flipped), "refused")
    flipped = bytearray(good)
    flipped[-1] ^= 0x80
    out("a bit of the signature flipped", "manifest", bytes(flipped), "refused")
    for name, bad in [
        ("version 2", manifest(version=2)), ("revision 0", manifest(0)), ("no target", manifest(nines=0)),
        ("target too high", manifest(nines=12001)), ("availability 1", manifest(p=1_000_000)),
        ("code 21/20", manifest(need=21, total=20)), ("code 8/65", manifest(need=8, total=65)),
        ("code 0/20", manifest(need=0, total=20)), ("grace too long", manifest(grace=31_622_401)),
        ("bans not ascending", manifest(bans=bans[::-1])), ("a ban twice", manifest(bans=[bans[0]] * 2)),
        ("bytes after the end", manifest(tail=b"\0")), ("control character", manifest(name="a\nb")),
        ("name not UTF-8", manifest(name=b"\xff")), ("name too long", manifest(name="x" * 65)),
        ("too many bans", manifest(bans=[i.to_bytes(32, "big") for i in range(1025)])),
        ("empty", b""), ("cut", good[:-1]),
    ]:
        out(name, "manifest", bad, "refused")


# --- certificates


def certificate(issuer, role, subject, issued=T - DAY, expires=0, uses=0, label="", version=1, swarm=None):
    b = bytes([version, role]) + subject.public + uint(issued) + uint(expires) + uint(uses) + field(label)
    return b + issuer.sign(b"vdh certificate", b, swarm)


def chain(*certs):
    return bytes([len(certs)]) + b"".join(certs)


DELEGATION, MEMBER, CLIENT_ROLE = 1, 2, 3


def invited(**kw):
    return certificate(SWARM, DELEGATION, DELEGATE, T - 10 * DAY, **{"expires": T, **kw})


MEMBER_A = certificate(DELEGATE, MEMBER, A)


def chains():
    """The subject is the key of a for all; the client is checked by the roles."""
    two = invited(), MEMBER_A
    out("member by the swarm's key", "chain", chain(certificate(SWARM, MEMBER, A)), "member")
    out("member by invitation", "chain", chain(*two), "member")
    out("the invitation has expired since", "chain",
        chain(invited(expires=T - DAY), MEMBER_A), "member")
    out("member by an invitation for three of one for five", "chain",
        chain(invited(uses=5), certificate(DELEGATE, DELEGATION, SUB, T - 5 * DAY, T - DAY, 3, "for a"),
              certificate(SUB, MEMBER, A, T - DAY)), "member")
    out("client", "chain", chain(invited(), certificate(DELEGATE, MEMBER, B), certificate(B, CLIENT_ROLE, A, T - 60, T + 60)),
        "client")
    out("member that will expire", "chain", chain(certificate(SWARM, MEMBER, A, expires=T + 1)), "member")
    out("delegation", "chain", chain(certificate(SWARM, DELEGATION, A, T - DAY, T + DAY, 3)), "delegation")
    for name, bad in [
        ("of another subject: replayed", [certificate(SWARM, MEMBER, B)]),
        ("signed by another swarm", [certificate(OTHER, MEMBER, A, swarm=SWARM)]),
        ("of another swarm", [certificate(SWARM, MEMBER, A, swarm=OTHER)]),
        ("signed by oneself", [invited(), certificate(A, MEMBER, A)]),
        ("without the delegation", [MEMBER_A]),
        ("issued after the invitation expired", [invited(expires=T - 2 * DAY), MEMBER_A]),
        ("issued before the invitation", [invited(), certificate(DELEGATE, MEMBER, A, T - 11 * DAY)]),
        ("issued in the future", [certificate(SWARM, MEMBER, A, T + 3601)]),
        ("member that has expired", [certificate(SWARM, MEMBER, A, expires=T - 1)]),
        ("client by the swarm's key", [certificate(SWARM, CLIENT_ROLE, A, T - 60, T + 60)]),
        ("client by a delegation", [invited(), certificate(DELEGATE, CLIENT_ROLE, A, T - 60, T + 60)]),
        ("client that has expired", [invited(), certificate(DELEGATE, MEMBER, B), certificate(B, CLIENT_ROLE, A, T - DAY, T - 1)]),
        ("client without an end", [invited(), certificate(DELEGATE, MEMBER, B), certificate(B, CLIENT_ROLE, A)]),
        ("client for three days", [invited(), certificate(DELEGATE, MEMBER, B),
                                   certificate(B, CLIENT_ROLE, A, T - DAY, T + 2 * DAY)]),
        ("client that outlives the member", [certificate(SWARM, MEMBER, B, T - DAY, T + 60),
                                             certificate(B, CLIENT_ROLE, A, T - 60, T + 61)]),
        ("member by a member", [invited(), certificate(DELEGATE, MEMBER, B), certificate(B, MEMBER, A)]),
        ("delegation by a member", [invited(), certificate(DELEGATE, MEMBER, B),
                                    certificate(B, DELEGATION, A, T - 60, T + 60)]),
        ("narrower in nothing: uses", [invited(uses=5), certificate(DELEGATE, DELEGATION, SUB, T - 5 * DAY, T, 6),
                                       certificate(SUB, MEMBER, A)]),
        ("any number of uses of five", [invited(uses=5), certificate(DELEGATE, DELEGATION, SUB, T - 5 * DAY, T),
                                        certificate(SUB, MEMBER, A)]),
        ("delegation outlives its issuer's", [invited(), certificate(DELEGATE, DELEGATION, SUB, T - 5 * DAY, T + 1),
                                              certificate(SUB, MEMBER, A)]),
        ("delegation without an end", [certificate(SWARM, DELEGATION, A)]),
        ("use count of a member", [certificate(SWARM, MEMBER, A, uses=1)]),
        ("role 4", [certificate(SWARM, 4, A)]), ("role 0", [certificate(SWARM, 0, A)]),
        ("version 2", [certificate(SWARM, MEMBER, A, version=2)]),
        ("five certificates", [invited()] * 4 + [MEMBER_A]), ("none", []),
    ]:
        out(name, "chain", chain(*bad), "refused")
    out("cut", "chain", chain(*two)[:-1], "refused")
    out("bytes after the end", "chain", chain(*two) + b"\0", "refused")


# --- record, grant


ADDR = bytes([4, 127, 0, 0, 1, 6]) + struct.pack(">H", 4001)  # /ip4/127.0.0.1/tcp/4001


def record(subject=A, sequence=5, time=T, state=1, capacity=1000, free=999, program="v1", name="a", domain="site/a",
           addrs=(ADDR,), certs=None, key=None, version=1):
    b = bytes([version]) + subject.public + uint(sequence) + uint(time) + bytes([state]) + uint(capacity) + uint(free)
    b += field(program) + field(name) + field(domain) + bytes([len(addrs)]) + b"".join(field(a) for a in addrs)
    b += certs or chain(invited(), MEMBER_A)
    return b + (key or subject).sign(b"vdh record", b)


def records():
    out("plain", "record", record(), "sequence 5 state active free 999 of 1000 program v1 name a domain site/a "
        "addrs /ip4/127.0.0.1/tcp/4001 chain 2")
    out("smallest", "record", record(sequence=0, capacity=0, free=0, program="", name="", domain="", addrs=[], state=3),
        "sequence 0 state retiring free 0 of 0 program  name  domain  addrs  chain 2")
    out("wiped", "record", record(sequence=0, capacity=0, free=0, program="", name="", domain="", addrs=[], state=4),
        "sequence 0 state wiped free 0 of 0 program  name  domain  addrs  chain 2")
    for name, bad in [
        ("signed by another", record(key=B)), ("more free than there is", record(free=1001)),
        ("state 0", record(state=0)), ("state 5", record(state=5)), ("no time", record(time=0)),
        ("nine addresses", record(addrs=[ADDR] * 9)), ("an address that is none", record(addrs=[b"\xff\xff\xff"])),
        ("an empty address", record(addrs=[b""])), ("sequence over 63 bits", record(sequence=2**63)),
        ("a client's certificate", record(certs=chain(certificate(SWARM, CLIENT_ROLE, A, T - 60, T + 60)))),
        ("version 0", record(version=0)), ("cut", record()[:-1]), ("bytes after the end", record() + b"\0"), ("empty", b""),
        ("domain too long", record(domain="x" * 129)),
    ]:
        out(name, "record", bad, "refused")


def grant(owner=OWNER, peer=A, expires=T + DAY, key=None, version=1, swarm=None, tail=b""):
    b = bytes([version]) + owner.public + peer.public + uint(expires)
    return b + (key or owner).sign(b"vdh grant", b, swarm) + tail


def grants():
    out("plain", "grant", grant(), f"owner {OWNER.public.hex()} expires {T + DAY}")
    for name, bad in [
        ("for another peer", grant(peer=B)), ("expired", grant(expires=T - 1)), ("without an end", grant(expires=0)),
        ("signed by the peer", grant(key=A)), ("in another swarm", grant(swarm=OTHER)), ("version 2", grant(version=2)),
        ("bytes after the end", grant(tail=b"\0")), ("empty", b""),
    ]:
        out(name, "grant", bad, "refused")


# --- invitation

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(b):
    n, text = int.from_bytes(b, "big"), ""
    while n:
        n, r = divmod(n, 58)
        text = ALPHABET[r] + text
    return "1" * (len(b) - len(b.lstrip(b"\0"))) + text


def invitation(certs, seed=DELEGATE.seed, addrs=(), version=1, sum=None):
    b = bytes([version]) + SWARM.public + seed + certs + bytes([len(addrs)]) + b"".join(field(a) for a in addrs)
    return "vdh1" + base58(b + (blake3(b"vdh invitation\0" + b)[:4] if sum is None else sum))


AT_A = ADDR + bytes([0xA5, 0x03, 38]) + b"\x00\x24\x08\x01\x12\x20" + A.public  # /p2p/ID


def invitations():
    cert = chain(invited(uses=3, label="friends"))
    good = invitation(cert, addrs=[AT_A])
    out("plain", "invitation", good, f"expires {T} uses 3 label friends addrs 1")
    out("no address", "invitation", invitation(cert), f"expires {T} uses 3 label friends addrs 0")
    for name, bad in [
        ("mistyped", good[:50] + ("2" if good[50] != "2" else "3") + good[51:]), ("one short", good[:-1]),
        ("two letters swapped", good[:60] + good[61] + good[60] + good[62:] if good[60] != good[61] else good[:-2]),
        ("letter that is none", good[:70] + "0" + good[71:]), ("another prefix", "vdh2" + good[4:]), ("empty", ""),
        ("prefix only", "vdh1"), ("another's key", invitation(cert, seed=B.seed)), ("version 2", invitation(cert, version=2)),
        ("address without an id", invitation(cert, addrs=[ADDR])), ("nine addresses", invitation(cert, addrs=[AT_A] * 9)),
        ("a member's certificate", invitation(chain(invited(), MEMBER_A), seed=A.seed)),
        ("wrong sum", invitation(cert, sum=b"\0\0\0\0")),
    ]:
        out(name, "invitation", bad, "refused")


# --- messages


def frame(kind, body=b"", size=None, version=1):
    return bytes([version, kind]) + struct.pack(">I", len(body) if size is None else size) + body


def messages():
    low, high = sorted([A.public, B.public])
    zero, top = bytes(32), b"\xff" * 32
    rec = record()
    for name, kind, body in [
        ("hello of a member", 1, uint(7) + b"\1" + field(rec)), ("hello of a client", 1, uint(0) + b"\2" + field(b"chain")),
        ("answer to hello", 2, uint(7) + b"\1" + field(rec)),
        ("ping", 3, b"s" * 32 + uint(5) + uint(7)), ("answer to ping", 4, b"s" * 32 + uint(0) + uint(2**64 - 1)),
        ("digest", 5, zero + top + uint(2) + low + uint(1) + high + uint(300)), ("empty digest", 5, zero + top + uint(0)),
        ("digest of one key", 5, low + low + uint(1) + low + uint(1)),
        ("answer to a digest", 6, uint(1) + low + uint(2) + field(rec) + field(rec)), ("empty answer", 6, uint(0) + uint(0)),
        ("push", 7, field(manifest()) + uint(1) + field(rec)), ("push nothing", 7, field(b"") + uint(0)),
        ("answer to push", 8, b""), ("pull the manifest", 9, b""), ("answer: none", 10, field(b"")),
        ("answer: a manifest", 10, field(manifest())), ("goodbye", 11, b""), ("answer to goodbye", 12, b""),
        ("refusal", 255, b"\1" + field("say hello first")), ("refusal without words", 255, b"\5" + field("")),
    ]:
        out(name, "message", frame(kind, body), f"kind {kind}")
    for name, bad in [
        ("kind 0", frame(0)), ("kind 13", frame(13)), ("kind 254", frame(254)), ("version 2", frame(3, b"s" * 32 + b"\0\0", version=2)),
        ("hello of sort 3", frame(1, uint(7) + b"\3" + field(rec))), ("hello with bytes after", frame(1, uint(7) + b"\1" + field(rec) + b"x")),
        ("hello too long", frame(1, uint(7) + b"\1" + field(b"x" * 4096))),
        ("ping too short", frame(3, b"s" * 32 + b"\0")), ("ping too long", frame(3, b"s" * 64)),
        ("number not in its shortest form", frame(3, b"s" * 32 + b"\x80\0" + b"\0")),
        ("digest not ascending", frame(5, zero + top + uint(2) + high + uint(1) + low + uint(1))),
        ("digest: a key twice", frame(5, zero + top + uint(2) + low + uint(1) + low + uint(1))),
        ("digest beyond its end", frame(5, zero + low + uint(1) + high + uint(1))),
        ("digest before its start", frame(5, high + top + uint(1) + low + uint(1))),
        ("digest that begins after its end", frame(5, high + low + uint(0))),
        ("digest of more rows than there are", frame(5, zero + top + uint(3) + low + uint(1))),
        ("goodbye with a body", frame(11, b"x")), ("refusal with fault 0", frame(255, b"\0" + field(""))),
        ("refusal with fault 6", frame(255, b"\6" + field(""))), ("refusal with a newline", frame(255, b"\1" + field("a\n"))),
        ("a length beyond the bytes", frame(3, b"s" * 32, 40)), ("a length beyond all bounds", frame(7, b"", 2**32 - 1)),
        ("a length beyond the kind's bound", frame(11, b"", 1)), ("half a head", b"\1\3\0"), ("empty", b""),
    ]:
        out(name, "message", bad, "refused")


# --- the answer of a rescue


def rescued(body=None, swarm=SWARM, revision=7, addrs=None, certs=None, granted=1, size=None, version=1, man=None, tail=b""):
    addrs = [AT_A] if addrs is None else addrs
    certs = certs or chain(invited(), certificate(DELEGATE, MEMBER, B), certificate(B, CLIENT_ROLE, A, T - 60, T + 60))
    if body is None:
        body = swarm.public + field(manifest(revision) if man is None else man) + certs + bytes([len(addrs)])
        body += b"".join(field(a) for a in addrs)
    body += tail
    return bytes([version, granted]) + struct.pack(">I", len(body) if size is None else size) + body


def rescues():
    out("plain", "rescue", rescued(), "revision 7 chain 3 addrs 1")
    out("eight addresses", "rescue", rescued(addrs=[AT_A] * 8), "revision 7 chain 3 addrs 8")
    out("no address", "rescue", rescued(addrs=[]), "revision 7 chain 3 addrs 0")
    out("refusal", "rescue", rescued(b"", granted=0), "none")
    for name, bad in [
        ("nine addresses", rescued(addrs=[AT_A] * 9)), ("an address without an id", rescued(addrs=[ADDR])),
        ("an address that is none", rescued(addrs=[b"\xff"])), ("an address that is empty", rescued(addrs=[b""])),
        ("no manifest", rescued(man=b"")), ("another swarm's manifest", rescued(man=manifest(key=OTHER))),
        ("this swarm's manifest under another's key", rescued(swarm=OTHER)), ("no certificate", rescued(certs=b"\0")),
        ("five certificates", rescued(certs=chain(*[invited()] * 5))), ("bytes after the end", rescued(tail=b"\0")),
        ("granted, and empty", rescued(b"")), ("refused, with a body", rescued(granted=0)), ("verdict 2", rescued(granted=2)),
        ("version 2", rescued(version=2)), ("a length beyond all bounds", rescued(b"", size=2**32 - 1)),
        ("a length over the bound", rescued(b"", size=35775)), ("a length beyond the bytes", rescued(b"", size=100)),
        ("half a head", b"\1\1\0"), ("empty", b""),
    ]:
        out(name, "rescue", bad, "refused")


manifests()
chains()
records()
grants()
invitations()
messages()
rescues()
