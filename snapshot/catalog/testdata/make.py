#!/usr/bin/env python3
"""Makes the vectors in this folder from FORMAT.md alone, with Python's own hashes and the Ed25519 of `cryptography`.

    python3 make.py

Each file has cases parted by empty lines; a case is lines of `key: value`. Bytes are hexadecimal, text is JSON.
"""
import hashlib
import hmac
import json
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def hkdf(entropy, label):
    prk = hmac.new(bytes(32), entropy, hashlib.sha256).digest()
    return hmac.new(prk, label.encode() + b"\x01", hashlib.sha256).digest()


class Owner:
    def __init__(self, entropy):
        self.entropy = entropy
        self.key = Ed25519PrivateKey.from_private_bytes(hkdf(entropy, "ventidhash 2026 owner v1 signing key"))
        self.public = self.key.public_key().public_bytes_raw()
        self.root = hkdf(entropy, "ventidhash 2026 owner v1 root key")
        self.secret = hkdf(entropy, "ventidhash 2026 owner v1 convergence secret")
        self.mark = hkdf(entropy, "ventidhash 2026 owner v1 mark key")


def case(f, **fields):
    for k, v in fields.items():
        f.write(f"{k.replace('_', '-')}: {v.hex() if isinstance(v, bytes) else v}\n")
    f.write("\n")


ALICE, BOB = Owner(bytes(range(32))), Owner(b"\x80" * 32)


# --- owner.txt: keys

with open("owner.txt", "w") as f:
    for o in ALICE, BOB, Owner(bytes(32)), Owner(b"\xff" * 32):
        case(f, entropy=o.entropy, public=o.public, root=o.root, secret=o.secret, mark=o.mark)


# --- identity.txt

def identity(o, title=None, public=None, former=()):
    title = title or f"ventidhash identity {2 if former else 1}\n"
    return (title + "# Whoever has this file can read and sign for everything of its owner. Keep it secret.\n"
            + f"entropy {o.entropy.hex()}\nowner {(public or o.public).hex()}\n"
            + "".join(f"former {w.entropy.hex()}\n" for w in former))


with open("identity.txt", "w") as f:
    good = identity(ALICE)
    for name, text, expect in [
        ("good", good, "ok"),
        ("another", identity(BOB), "ok"),
        ("former owners", identity(ALICE, former=[BOB, Owner(bytes(32))]), "ok"),
        ("as many former owners as there may be", identity(ALICE, former=[Owner(bytes([i]) * 32) for i in range(32)]), "ok"),
        ("too many former owners", identity(ALICE, former=[Owner(bytes([i]) * 32) for i in range(33)]), "corrupt"),
        ("former owner in version 1", identity(ALICE, former=[BOB], title="ventidhash identity 1\n"), "corrupt"),
        ("version 2 without former owners", identity(ALICE, title="ventidhash identity 2\n"), "corrupt"),
        ("former owner twice", identity(ALICE, former=[BOB, BOB]), "corrupt"),
        ("its own former owner", identity(ALICE, former=[ALICE]), "corrupt"),
        ("former owner cut", identity(ALICE, former=[BOB])[:-2], "corrupt"),
        ("former owner with more", identity(ALICE, former=[BOB])[:-1] + "00\n", "corrupt"),
        ("newer version", identity(ALICE, title="ventidhash identity 3\n"), "corrupt"),
        ("public key of another", identity(ALICE, public=BOB.public), "corrupt"),
        ("one digit changed", good.replace("entropy 00", "entropy 10"), "corrupt"),
        ("upper case", good.replace("0a0b", "0A0B"), "corrupt"),
        ("no newline at the end", good[:-1], "corrupt"),
        ("more at the end", good + "\n", "corrupt"),
        ("carriage returns", good.replace("\n", "\r\n"), "corrupt"),
        ("cut in the entropy", good[:130], "corrupt"),
        ("empty", "", "corrupt"),
        ("other note", good.replace("secret", "open"), "corrupt"),
        ("no hex", good.replace("entropy 00", "entropy zz"), "corrupt"),
    ]:
        case(f, case=name, text=json.dumps(text), expect=expect)


# --- head.txt

LABEL = b"ventidhash 2026 catalog head v1\0"


def body(o, seq=7, score=bytes(range(100, 132)), sec=1_770_000_000, version=1):
    return bytes([version]) + o.public + seq.to_bytes(8, "big") + score + sec.to_bytes(8, "big")


def head(o, label=LABEL, by=None, **kw):
    b = body(o, **kw)
    return b + (by or o).key.sign(label + b)


def flip(b, i):
    return b[:i] + bytes([b[i] ^ 1]) + b[i + 1:]


with open("head.txt", "w") as f:
    good = head(ALICE)
    score = bytes(range(100, 132))
    for seq, sec in (7, 1_770_000_000), (1, 0), (2**64 - 1, 2**33):
        h = head(ALICE, seq=seq, sec=sec)
        case(f, case=f"sequence {seq}", head=h, entropy=ALICE.entropy, sequence=seq, score=score, time=sec, expect="ok")
    case(f, case="another owner", head=head(BOB), entropy=BOB.entropy, sequence=7, score=score, time=1_770_000_000, expect="ok")
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(good[-32:], "little") + order
    for name, h in [
        ("version 0", head(ALICE, version=0)),
        ("version 2", head(ALICE, version=2)),
        ("sequence 0", head(ALICE, seq=0)),
        ("score of zeros", head(ALICE, score=bytes(32))),
        ("time over 63 bits", head(ALICE, sec=2**63)),
        ("signed by another", head(ALICE, by=BOB)),
        ("signed without label", head(ALICE, label=b"")),
        ("signed with the label of another use", head(ALICE, label=b"ventidhash 2026 catalog head v2\0")),
        ("signature that is its own other form", good[:-32] + s.to_bytes(32, "little")),
        ("version changed", flip(good, 0)),
        ("owner changed", flip(good, 1)),
        ("sequence changed", flip(good, 40)),
        ("score changed", flip(good, 41)),
        ("time changed", flip(good, 80)),
        ("signature changed", flip(good, 81)),
        ("short", good[:-1]),
        ("long", good + b"\0"),
        ("empty", b""),
    ]:
        case(f, case=name, head=h, expect="corrupt")


# --- stream.txt

def uvarint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def zigzag(n):
    return uvarint(2 * n if n >= 0 else -2 * n - 1)


def text(b):
    return uvarint(len(b)) + b


def texts(list):
    return uvarint(len(list)) + b"".join(text(b) for b in list)


def listed(s, flags=None, nsec=None, host=None, kind=3):
    return (bytes([kind]) + uvarint(s["Stamp"]) + bytes.fromhex(s["Score"]) + zigzag(s["Sec"])
            + uvarint(s["Nsec"] if nsec is None else nsec)
            + (host or text(s["Host"].encode())) + text(s["User"].encode())
            + texts([bytes.fromhex(p) for p in s["Paths"]]) + texts([bytes.fromhex(t) for t in s["Tags"]])
            + uvarint(s["Files"]) + uvarint(s["Dirs"]) + uvarint(s["Bytes"]) + uvarint(s["Added"]) + uvarint(s["Duration"])
            + bytes.fromhex(s["Parent"]) + bytes([int(s["Share"]) if flags is None else flags]) + uvarint(s["Incomplete"]))


def forgotten(f):
    return bytes([2]) + uvarint(f["Stamp"]) + bytes.fromhex(f["Score"]) + uvarint(f["Sec"])


def setup(m):
    files = b"".join(text(bytes.fromhex(f["Name"])) + text(bytes.fromhex(f["Content"])) for f in m["Files"])
    return bytes([1]) + uvarint(m["Stamp"]) + text(m["Host"].encode()) + uvarint(m["Sec"]) + uvarint(len(m["Files"])) + files


def stream(*records, version=2):
    return bytes([version]) + b"".join(text(r) for r in records)


def whole(l):
    return stream(*map(setup, l["Machines"]), *map(forgotten, l["Forgotten"]), *map(listed, l["Snapshots"]),
                  *map(former, l["Former"]))


def former(w):
    return bytes([4]) + uvarint(w["Stamp"]) + bytes.fromhex(w["Entropy"])


def was(n, stamp=2):
    return dict(Stamp=stamp, Entropy=hashlib.sha256(b"former %d" % n).hexdigest())


def score(n):
    return hashlib.sha256(b"snapshot %d" % n).hexdigest()


def snap(n, sec, **kw):
    s = dict(Stamp=1, Score=score(n), Sec=sec, Nsec=0, Host="", User="", Paths=[], Tags=[],
             Files=0, Dirs=0, Bytes=0, Added=0, Duration=0, Parent="00" * 32, Share=False, Incomplete=0)
    s.update(kw)
    return s


def gone(n, sec, stamp=5):
    return dict(Stamp=stamp, Score=score(n), Sec=sec)


def machine(host, stamp=3, sec=1_770_000_000, files=((b"config.toml", b"store = 'swarm'\n"),)):
    return dict(Stamp=stamp, Host=host, Sec=sec, Files=[dict(Name=n.hex(), Content=c.hex()) for n, c in files])


def lists(machines=(), forgotten=(), snapshots=(), former=()):
    return dict(Machines=list(machines), Forgotten=list(forgotten), Snapshots=list(snapshots), Former=list(former))


with open("stream.txt", "w") as f:
    plain = snap(0, 1_770_000_000)
    full = snap(1, 1_770_000_001, Nsec=999_999_999, Host="srv1", User="root", Stamp=2**63 - 1,
                Paths=[b"/srv/\xff\n".hex(), b"/var".hex()], Tags=[b"nightly".hex(), b"".hex()], Files=300, Dirs=2, Bytes=2**40,
                Added=127, Duration=90 * 10**9, Parent=plain["Score"], Share=True, Incomplete=2**63 - 1)
    early = snap(2, -5, Host="\u00fc")
    twins = sorted([snap(3, 5), snap(4, 5)], key=lambda s: s["Score"])
    old, late = gone(5, 1_760_000_000), gone(6, 1_760_000_001, stamp=4)
    pair = sorted([gone(7, 9), gone(8, 9)], key=lambda s: s["Score"])
    bare, www = machine("", sec=0, files=()), machine("www", files=((b"", b""), (b"a\xff", b"\0" * 300), (b"b", b"x")))
    many = [machine("m%02d" % i, files=()) for i in range(65)]
    full_files = [(b"%02d" % i, b"") for i in range(17)]
    for name, l in [
        ("empty", lists()),
        ("one", lists(snapshots=[plain])),
        ("all fields", lists(snapshots=[full])),
        ("three", lists(snapshots=[early, plain, full])),
        ("same time", lists(snapshots=twins)),
        ("forgotten", lists(forgotten=[old, late])),
        ("forgotten at the same time", lists(forgotten=pair)),
        ("machines", lists(machines=[bare, www])),
        ("as many machines and files as there may be", lists(machines=many[:63] + [machine("z", files=full_files[:16])])),
        ("everything", lists([bare, www], [old, late], [early, plain, full], [was(1), was(0, stamp=3)])),
        ("former owners of one stamp", lists(former=sorted([was(0), was(1)], key=lambda w: w["Entropy"]))),
        ("as many former owners as there may be", lists(former=[was(i, stamp=i + 1) for i in range(32)])),
    ]:
        case(f, case=name, stream=whole(l), list=json.dumps(l), expect="ok")
    a, b, c = listed(plain), listed(full), listed(early)
    for name, x in [
        ("nothing", b""),
        ("version 0", stream(a, version=0)),
        ("version 1", stream(a, version=1)),
        ("version 3", stream(a, version=3)),
        ("out of order", stream(b, a)),
        ("out of order by score", stream(*map(listed, reversed(twins)))),
        ("twice", stream(a, a)),
        ("score twice", stream(a, listed({**full, "Score": plain["Score"]}))),
        ("listed and forgotten", stream(forgotten(gone(0, 7)), a)),
        ("no score", stream(listed({**plain, "Score": "00" * 32}))),
        ("no time", stream(listed({**plain, "Sec": -62135596800}))),
        ("no stamp", stream(listed({**plain, "Stamp": 0}))),
        ("stamp over the bound", stream(listed({**plain, "Stamp": 2**63}))),
        ("kind 0", stream(listed(plain, kind=0))),
        ("kind 5", stream(listed(plain, kind=5))),
        ("former owner before a snapshot", stream(former(was(0)), a)),
        ("former owners out of order", stream(former(was(0, stamp=3)), former(was(1)))),
        ("former owner twice", stream(former(was(0)), former(was(0, stamp=3)))),
        ("former owner cut", stream(former(was(0))[:-1])),
        ("former owner, bytes after the end", stream(former(was(0)) + b"\0")),
        ("former owner without stamp", stream(former(was(0, stamp=0)))),
        ("too many former owners", stream(*[former(was(i, stamp=i + 1)) for i in range(33)])),
        ("kinds out of order", stream(a, forgotten(old))),
        ("machine after forgotten", stream(forgotten(old), setup(www))),
        ("cut in a record", stream(a, b)[:-1]),
        ("cut in a length", stream(a) + b"\x80"),
        ("record too short", stream(a[:-1])),
        ("bytes in a record after its end", stream(a + b"\0")),
        ("record of nothing", stream(b"")),
        ("flag that is not known", stream(listed(plain, flags=2))),
        ("nanoseconds over a second", stream(listed(plain, nsec=10**9))),
        ("length in a long form", stream(listed(plain, host=b"\x80\x00"))),
        ("record length in a long form", b"\x02" + bytes([len(a) & 0x7F | 0x80, (len(a) >> 7) | 0x80, 0]) + a),
        ("host over the bound", stream(listed({**plain, "Host": "h" * 4097}))),
        ("paths over the bound", stream(listed({**plain, "Paths": ["61"] * 4097}))),
        ("number over 63 bits", stream(listed({**plain, "Files": 2**63}))),
        ("record length beyond all memory", b"\x02" + uvarint(2**62)),
        ("forgotten out of order", stream(forgotten(late), forgotten(old))),
        ("forgotten twice", stream(forgotten(old), forgotten({**old, "Sec": old["Sec"] + 1}))),
        ("forgotten at no time", stream(forgotten(gone(5, 0)))),
        ("forgotten without score", stream(forgotten({**old, "Score": "00" * 32}))),
        ("forgotten too late", stream(forgotten(gone(5, 2**40 + 1)))),
        ("forgotten, bytes after the end", stream(forgotten(old) + b"\0")),
        ("machines out of order", stream(setup(www), setup(bare))),
        ("machine twice", stream(setup(www), setup(www))),
        ("too many machines", stream(*map(setup, many))),
        ("too many files", stream(setup(machine("z", files=full_files)))),
        ("files out of order", stream(setup(machine("z", files=[(b"b", b""), (b"a", b"")])))),
        ("file twice", stream(setup(machine("z", files=[(b"a", b"1"), (b"a", b"2")])))),
        ("file over the bound", stream(setup(machine("z", files=[(b"a", bytes(65537))])))),
        ("machine, bytes after the end", stream(setup(www) + b"\0")),
    ]:
        case(f, case=name, stream=x, expect="corrupt")


# --- unpublished.txt

def unpublished(*scores, version=1):
    b = bytes([version]) + b"".join(scores)
    return b + hashlib.sha256(b).digest()


with open("unpublished.txt", "w") as f:
    one, two, last = bytes(31) + b"\1", b"\1" + bytes(31), b"\xff" * 32
    for name, x, scores in [
        ("one", unpublished(two), [two]),
        ("three", unpublished(one, two, last), [one, two, last]),
    ]:
        case(f, case=name, note=x, scores=" ".join(s.hex() for s in scores), expect="ok")
    for name, x in [
        ("nothing", b""),
        ("no score", unpublished()),
        ("no sum", b"\1" + two),
        ("version 0", unpublished(two, version=0)),
        ("version 2", unpublished(two, version=2)),
        ("out of order", unpublished(two, one)),
        ("twice", unpublished(two, two)),
        ("the zero score", unpublished(bytes(32), two)),
        ("half a score", unpublished(one, two[:16])),
        ("cut", unpublished(one, two)[:-1]),
        ("bytes after the end", unpublished(one, two) + b"\0"),
        ("changed", flip(unpublished(one, two), 7)),
        ("another sum", flip(unpublished(one, two), 96)),
    ]:
        case(f, case=name, note=x, expect="corrupt")
