#!/usr/bin/env python3
"""Prints the vectors of records.txt, directories.txt and shares.txt. Written from FORMAT.md, not from the Go code.

for f in records directories shares; do python3 vac.py $f >$f.txt; done
"""
import sys

FILE, DIRECTORY, SYMLINK, FIFO, CHAR, BLOCK, SOCKET = range(1, 8)
XATTRS, SPARSE, LINKED, MODE, OWNER, CHANGE, NEWBLOCK, OFFSET = (1 << i for i in range(8))
EMPTY, SLICED, STREAM, NESTED = range(4)


def uint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def sint(n):
    return uint(2 * n if n >= 0 else -2 * n - 1)


def text(s):
    return uint(len(s)) + s


def ref(i):
    return bytes([i]) * 32 + bytes([0x80 | i]) * 32


def hexref(i):
    return f"{ref(i)[:32].hex()} {ref(i)[32:].hex()}"


def entry(size, depth=None, i=None):
    return uint(size) + (b"\0" if i is None else bytes([depth + 1]) + ref(i))


def empty():
    return lambda flags: bytes([EMPTY]), "empty", 0, None


def sliced(size, i, offset, h):
    """A slice of block i: with its ref and offset as far as the flags say."""
    def encode(flags):
        return (bytes([SLICED]) + uint(size) + (ref(i) if flags & NEWBLOCK else b"") +
                (uint(offset) if flags & OFFSET else b"") + bytes([h]) * 16)
    return encode, f"slice {hexref(i)} {offset} {h:02x}", size, (i, offset)


def stream(size, depth=None, i=None):
    what = "hole" if i is None else f"{depth} {hexref(i)}"
    return lambda flags: bytes([STREAM]) + entry(size, depth, i), f"stream {size} {what}", size, None


def nested(data):
    return lambda flags: bytes([NESTED]) + text(data), f"nested {data.hex()}", 0, None


# What stands before the first record of a directory.
FIRST = dict(name=b"", mode=0, owner=(0, 0, b"", b"", 0), mtime=(0, 0), ctime=(0, 0), inode=0, block=0, end=0)


def body(name, type, content=None, mode=0o644, uid=0, gid=0, user=b"", group=b"", mtime=(0, 0), ctime=(0, 0), device=0,
         inode=0, links=1, sparse=False, target=b"", major=0, minor=0, xattrs=(), after=FIRST, same=None, flip=0):
    """The body of a record behind the one that left after; the text that the tests make of it; what it leaves itself.

    same is how many bytes of the name are said to be those of the name before, flip the flags that are wrong.
    """
    owner = (uid, gid, user, group, device)
    place = content[3] if content else None
    f = (XATTRS if xattrs else 0) | (SPARSE if sparse else 0) | (LINKED if links > 1 else 0)
    f |= (MODE if mode != after["mode"] else 0) | (OWNER if owner != after["owner"] else 0)
    f |= CHANGE if ctime != mtime else 0
    left = dict(after, name=name, mode=mode, owner=owner, mtime=mtime, ctime=ctime, inode=inode)
    if place:
        f |= NEWBLOCK if place[0] != after["block"] else 0
        f |= OFFSET if place[1] != (after["end"] if place[0] == after["block"] else 0) else 0
        left.update(block=place[0], end=place[1] + content[2])
    f ^= flip
    if same is None:
        same = 0
        while same < min(len(name), len(after["name"])) and name[same] == after["name"][same]:
            same += 1
    b = uint(same) + text(name[same:]) + bytes([type, f])
    b += uint(mode) if f & MODE else b""
    b += uint(uid) + uint(gid) + text(user) + text(group) + uint(device) if f & OWNER else b""
    b += stamp(mtime, after["mtime"])
    b += stamp(ctime, after["ctime"]) if f & CHANGE else b""
    b += difference(inode - after["inode"])
    if links > 1:
        b += uint(links)
    words, size = "empty", 0
    if content:
        b += content[0](f)
        words = content[1]
        if type == FILE:
            size = content[2]
    if type == SYMLINK:
        b += text(target)
    if type in (CHAR, BLOCK):
        b += uint(major) + uint(minor)
    if xattrs:
        b += uint(len(xattrs)) + b"".join(text(n) + text(v) for n, v in xattrs)
    attrs = ",".join(n.hex() + ":" + v.hex() for n, v in xattrs)
    return b, (f"name={name.hex()} type={type} mode={mode:o} owner={uid}:{gid} names={user.hex()}:{group.hex()} "
               f"mtime={mtime[0]}.{mtime[1]:09} ctime={ctime[0]}.{ctime[1]:09} inode={device}:{inode} links={links} "
               f"size={size} sparse={str(sparse).lower()} target={target.hex()} device={major}:{minor} "
               f"xattrs={attrs} content={words}"), left


def difference(n):
    """n as 64 bits with a sign, whatever overflows dropped."""
    return sint((n + 2**63) % 2**64 - 2**63)


def stamp(t, before):
    return difference(t[0] - before[0]) + sint(t[1] - before[1])


def good(name, b, after=None):
    show(name, b, b[1], after)


def bad(name, b, error, after=None):
    show(name, b, "error " + error, after)


def show(name, b, expect, after):
    before = f"after: {after[0].hex()}\n" if after else ""
    print(f"\nname: {name}\n{before}body: {(b[0] if isinstance(b, tuple) else b).hex()}\nexpect: {expect}")


def records():
    print("# Made by vac.py. The score of a ref is one byte 32 times, its key that byte with the top bit set.")
    good("empty file", body(b"a", FILE, empty()))
    good("everything", body(b"report.txt", FILE, sliced(77, 1, 4000, 9), mode=0o6755, uid=1000, gid=2**32 - 1, user=b"anna",
                            group=b"staff", mtime=(1700000000, 999999999), ctime=(-1, 5), device=3, inode=2**64 - 1,
                            links=2, sparse=True, xattrs=[(b"security.x", b"\0\1"), (b"user.a", b""), (b"user.b", b"v" * 300)]))
    good("times long ago and far ahead", body(b"t", FILE, empty(), mtime=(-2**63, 0), ctime=(2**63 - 1, 1)))
    good("name that is no UTF-8", body(b"\xff\xfe \n", FILE, empty()))
    good("long name", body(b"n" * 4096, FILE, empty()))
    good("name of three dots", body(b"...", FILE, empty()))
    good("slice as large as a block", body(b"s", FILE, sliced(4 << 20, 2, 0, 7)))
    good("stream", body(b"s", FILE, stream(5 << 30, 2, 3)))
    good("hole", body(b"s", FILE, stream(2**63 - 1), sparse=True))
    good("empty directory", body(b"d", DIRECTORY, empty(), mode=0o1777))
    good("nested directory", body(b"d", DIRECTORY, nested(b"\1anything"), mode=0o755))
    good("directory of its own", body(b"d", DIRECTORY, stream(2, 0, 4), mode=0))
    good("directory with attributes", body(b"d", DIRECTORY, empty(), xattrs=[(b"system.posix_acl_default", b"acl")]))
    good("link", body(b"l", SYMLINK, target=b"../a b/\xff"))
    good("linked link", body(b"l", SYMLINK, target=b"x", links=2**32 - 1, device=1, inode=1))
    good("fifo", body(b"f", FIFO, mode=0o600))
    good("socket", body(b"f", SOCKET, links=3))
    good("character device", body(b"null", CHAR, major=1, minor=3))
    good("block device", body(b"sda", BLOCK, major=2**32 - 1, minor=2**32 - 1, xattrs=[(b"user.x", b"y")]))

    behind()

    ok = body(b"a", FILE, empty())[0]
    for n in range(len(ok)):
        bad(f"cut to {n} bytes", ok[:n], "ends too soon")
    bad("byte behind", ok + b"\0", "bytes after the end")
    for n, what in [(b"", "no"), (b".", "dot"), (b"..", "dots"), (b"a/b", "slash"), (b"/", "a slash as"), (b"a\0b", "NUL in the")]:
        bad(f"{what} name", body(n, FILE, empty()), "name is empty")
    bad("name too long", body(b"n" * 4097, FILE, empty()), "over the bound of 4096")
    bad("type 0", body(b"a", 0), "type 0 is not known")
    bad("type 8", body(b"a", 8), "type 8 is not known")
    for flag in (MODE, OWNER, CHANGE):
        bad(f"flag {flag} without need", body(b"a", FILE, empty(), mode=0, flip=flag), "do not fit")
    for flag in (NEWBLOCK, OFFSET):
        bad(f"flag {flag} of an empty file", body(b"a", FILE, empty(), flip=flag), "do not fit")
    bad("offset 0 of another block", body(b"a", FILE, sliced(5, 1, 0, 1), flip=OFFSET), "do not fit")
    bad("slice of the block before, and there is none", body(b"a", FILE, sliced(5, 1, 0, 1), flip=NEWBLOCK), "content does not fit")
    bad("mode over 07777", body(b"a", FILE, empty(), mode=0o10000), "over the bound of 4095")
    bad("uid over 32 bits", body(b"a", FILE, empty(), uid=2**32), "over the bound of")
    bad("nanoseconds over a second", body(b"a", FILE, empty(), mtime=(0, 10**9)), "over the bound of 999999999")
    bad("nanoseconds below 0", body(b"a", FILE, empty(), mtime=(0, -1)), "over the bound of 999999999")
    bad("nanoseconds far ahead", b"\0\1a\1\0\0" + uint(2**64 - 2), "over the bound of 999999999")
    bad("linked once", b"\0" + text(b"a") + bytes([FIFO, LINKED, 0, 0, 0, 1]), "two links")
    bad("linked directory", body(b"d", DIRECTORY, empty(), links=2), "directory is not linked")
    bad("sparse link", body(b"l", SYMLINK, target=b"x", sparse=True), "only a regular file is sparse")
    bad("sparse directory", body(b"d", DIRECTORY, empty(), sparse=True), "only a regular file is sparse")
    bad("target too long", body(b"l", SYMLINK, target=b"x" * 65537)[0][:99], "over the bound of 65536")
    bad("attributes announced", body(b"f", FIFO, flip=XATTRS)[0] + b"\0", "no attributes")
    bad("attributes out of order", body(b"f", FIFO, xattrs=[(b"b", b""), (b"a", b"")]), "not in order")
    bad("attribute twice", body(b"f", FIFO, xattrs=[(b"a", b""), (b"a", b"")]), "not in order")
    bad("attribute without name", body(b"f", FIFO, xattrs=[(b"", b"")]), "name of an attribute")
    bad("attribute with NUL in its name", body(b"f", FIFO, xattrs=[(b"a\0", b"")]), "name of an attribute")
    bad("attribute too long", body(b"f", FIFO, xattrs=[(b"a", b"x" * 65537)])[0][:99], "over the bound of 65536")
    bad("too many attributes", body(b"f", FIFO, flip=XATTRS)[0] + uint(16385), "over the bound of 16384")
    bad("content kind 4", body(b"a", FILE, (lambda flags: b"\4", "", 0, None)), "content kind 4 is not known")
    bad("slice of no bytes", body(b"a", FILE, sliced(0, 1, 0, 1)), "content does not fit")
    bad("slice of no block", body(b"a", FILE, (lambda flags: bytes([SLICED, 5]) + bytes(64 + 16), "", 5, (1, 0))), "content does not fit")
    bad("slice longer than a block", body(b"a", FILE, sliced((4 << 20) + 1, 1, 0, 1)), "over the bound of")
    bad("slice behind the longest block", body(b"a", FILE, sliced(5, 1, (4 << 20) - 4, 1)), "content does not fit")
    bad("sliced directory", body(b"d", DIRECTORY, sliced(5, 1, 0, 1)), "content does not fit")
    bad("nested file", body(b"a", FILE, nested(b"\1x")), "content does not fit")
    bad("stream of no bytes", body(b"a", FILE, stream(0)), "content does not fit")
    bad("stream of no bytes with a block", body(b"a", FILE, stream(0, 0, 1)), "depth 0")
    bad("stream too deep", body(b"a", FILE, stream(9, 13, 1)), "depth 13 is over")
    bad("stream over 63 bits", body(b"a", FILE, stream(2**63)), "over the bound of")
    bad("directory of zeros", body(b"d", DIRECTORY, stream(5)), "content does not fit")
    bad("directory stream of a version", body(b"d", DIRECTORY, stream(1, 0, 1)), "content does not fit")
    bad("nested directory of no bytes", body(b"d", DIRECTORY, nested(b"")), "content does not fit")
    bad("nested directory of no entries", body(b"d", DIRECTORY, nested(b"\1")), "content does not fit")
    bad("nested directory too long", body(b"d", DIRECTORY, nested(b"\1" * 32769))[0][:99], "over the bound of 32768")
    bad("long number", ok[:5] + b"\xa4\x83\0" + ok[7:], "shortest form")


def behind():
    """Records behind another one."""
    mine = dict(mode=0o640, uid=7, gid=8, user=b"anna", group=b"staff", device=2)
    first = body(b"report-1", FILE, sliced(77, 1, 4000, 9), mtime=(1700000000, 5), ctime=(1700000001, 999999999), inode=40, **mine)
    left = first[2]

    def both(name, *args, error=None, **fields):
        b = body(*args, after=left, **fields)
        bad(name, b, error, first) if error else good(name, b, first)

    both("all the same", b"report-2", FILE, sliced(5, 1, 4077, 3), mtime=(1700000000, 5), ctime=(1700000000, 5), inode=40, **mine)
    both("all different", b"z", FILE, sliced(5, 2, 4077, 3), mode=0, mtime=(-2**63, 0), ctime=(2**63 - 1, 1), inode=2**64 - 1)
    both("earlier in the block", b"report-10", FILE, sliced(5, 1, 0, 3), mtime=(1700000001, 0), ctime=(1700000002, 0), inode=39, **mine)
    both("at the beginning of another block", b"report-1.", FILE, sliced(5, 2, 0, 3), inode=41, **mine)
    both("no slice", b"s", FIFO, **mine)
    both("name that goes on", b"report-1\1", SOCKET, **mine)
    both("longest name behind another", b"report-" + b"9" * 4089, FIFO, **mine)
    both("name too long behind another", b"report-" + b"9" * 4090, FIFO, error="over the bound of 4096", **mine)
    both("same name", b"report-1", FIFO, error="comes after", **mine)
    both("name before", b"report-0", FIFO, error="comes after", **mine)
    both("shorter name", b"report", FIFO, error="comes after", **mine)
    both("more in common than said", b"report-2", FIFO, same=6, error="more in common", **mine)
    both("more in common than there is", b"report-2" * 2, FIFO, same=9, error="over the bound of 8", **mine)
    both("slash behind", b"report-1/", FIFO, error="name is empty", **mine)
    both("mode said again", b"s", FIFO, flip=MODE, error="do not fit", **mine)
    both("owner said again", b"s", FIFO, flip=OWNER, error="do not fit", **mine)
    both("block said again", b"s", FILE, sliced(5, 1, 4077, 3), flip=NEWBLOCK, error="do not fit", **mine)
    both("offset said again", b"s", FILE, sliced(5, 1, 4077, 3), flip=OFFSET, error="do not fit", **mine)
    both("offset of a link", b"s", SYMLINK, target=b"x", flip=OFFSET, error="do not fit", **mine)
    end = body(b"a", FILE, sliced(5, 1, (4 << 20) - 5, 3))
    bad("slice behind the end of the longest block", body(b"b", FILE, sliced(5, 1, 4 << 20, 3), after=end[2]),
        "content does not fit", end)


def row(*names, kind=FIFO):
    """The records of a directory."""
    out, left = b"", FIRST
    for n in names:
        b = body(n, kind, after=left)
        out, left = out + text(b[0]), b[2]
    return out


def directories():
    print("# Made by vac.py. Directories: nested ones, or the whole stream.")
    a, b = (body(n, FIFO)[0] for n in (b"a", b"b"))

    def show(name, data, expect):
        print(f"\nname: {name}\nbytes: {data.hex()}\nexpect: {expect}")

    show("one", b"\1" + row(b"a"), "a")
    show("three", b"\1" + row(b"a", b"b", b"ba"), "a b ba")
    show("order of bytes", b"\1" + row(b"A", b"a", b"a!", b"\xc3"), r"A a a! \xc3")
    show("no entries", b"\1", "")
    show("no bytes", b"", "error unexpected EOF")
    show("version 2", b"\2" + row(b"a"), "error version 2 is not known")
    show("twice the same", b"\1" + row(b"a", b"a"), "a error \"a\" comes after \"a\"")
    show("twice the same record", b"\1" + text(a) + text(a), "a error \"a\" comes after \"a\"")
    show("wrong order", b"\1" + row(b"b", b"a"), "b error \"a\" comes after \"b\"")
    show("prefix after", b"\1" + row(b"ba", b"b"), "ba error \"b\" comes after \"ba\"")
    show("record as if it were the first", b"\1" + text(a) + text(b), "a error do not fit")
    show("record as if it were not the first", b"\1" + row(b"a", b"ab")[len(text(a)):], "error over the bound of 0")
    show("record cut short", b"\1" + row(b"a", b"b")[:-1], "a error unexpected EOF")
    show("length cut short", b"\1" + row(b"a") + b"\x80", "a error unexpected EOF")
    show("long length", b"\1" + bytes([len(a) | 0x80, 0]) + a, "error shortest form")
    show("length over the bound", b"\1" + uint((8 << 20) + 1) + a, "error over the bound of 8388608")
    show("length over 64 bits", b"\1" + b"\xff" * 10 + a, "error length of a record")
    show("record of no bytes", b"\1\0" + text(a), "error ends too soon")
    show("zero behind", b"\1" + text(a) + b"\0", "a error ends too soon")
    show("parent", b"\1" + text(body(b"..", DIRECTORY, empty())[0]), "error name is empty")


def shares():
    print("# Made by vac.py. Tables of shared blocks.")

    def show(name, rows, expect, head=b"\1", tail=b""):
        data = head + b"".join(bytes([i]) * 32 + uint(size) + uint(used) for i, size, used in rows) + tail
        print(f"\nname: {name}\nbytes: {data.hex()}\nexpect: {expect}")

    show("empty", [], "", b"")
    show("one", [(1, 100, 50)], "1:100:50")
    show("three", [(1, 1, 0), (2, 4 << 20, 1 << 62), (255, 0, 7)], f"1:1:0 2:{4 << 20}:{1 << 62} 255:0:7")
    show("version only", [], "error no rows")
    show("version 2", [(1, 1, 1)], "error version 2 is not known", b"\2")
    show("wrong order", [(2, 1, 1), (1, 1, 1)], "error not in order")
    show("twice the same", [(1, 1, 1), (1, 1, 1)], "error not in order")
    show("score of zeros", [(0, 1, 1)], "error not in order")
    show("block too long", [(1, (4 << 20) + 1, 1)], "error over the bound of")
    show("used too much", [(1, 1, (1 << 62) + 1)], "error over the bound of")
    show("cut short", [(1, 1, 1)], "error ends too soon", tail=bytes(31))
    show("no numbers", [(1, 1, 1)], "error ends too soon", tail=bytes([2]) * 32)


{"records": records, "directories": directories, "shares": shares}[sys.argv[1]]()
