"""Packages that are damaged, that lie, or that want to get out, each with what a reader has to say of it.

``GALLERY`` holds (what it is, its bytes, a pattern of the message). They are meant for ``LIMITS``: bombs need not be
large to be bombs. Never hand them to rpm or dnf.
"""

from __future__ import annotations

import random
import stat
import struct
from collections.abc import Callable, Sequence

import zstandard

from entrepot.models import UnpackingLimits
from entrepot_plugins.rpm.structure import ENTRY, HEADER_MAGIC, INTRODUCTION, LEAD, Limits
from entrepot_plugins.rpm.tags import SigTag, Tag, Type
from entrepot_plugins.rpm.writing import Value, compose_header
from support.debs import compress
from support.rpms import (
    Member,
    assemble,
    cpio_archive,
    cpio_member,
    file_values,
    lead,
    replaced,
    texts,
    values_of,
)

LIMITS = Limits(4096, 64 << 10, 100, UnpackingLimits(unpacked=1 << 20, members=50))
FILE = Member("/usr/share/evil", b"x" * 600)
SOURCERPM = texts(Tag.SOURCERPM, "evil-1.0-1.src.rpm")
TRAILER = cpio_member(b"TRAILER!!!", b"")


def header(*extra: Value, members: Sequence[Member] = (FILE,)) -> list[Value]:
    return replaced([*values_of("evil"), *file_values(members), SOURCERPM], extra)


def whole(
    *extra: Value, members: Sequence[Member] = (FILE,), payload: bytes | None = None, signature: Sequence[Value] = ()
) -> bytes:
    """A package that is right but for ``extra`` values in its header and ``signature`` values in the one before."""
    archive = cpio_archive(members) if payload is None else payload
    return assemble(header(*extra, members=members), archive, signature_values=signature)


def cpio(*parts: bytes) -> bytes:
    """A package with the one file ``FILE`` in its header, and these members in its payload."""
    return whole(payload=b"".join(parts))


def file(name: bytes, content: bytes = FILE.content, *, size: int | None = None) -> bytes:
    return cpio_member(name, content, mode=stat.S_IFREG | 0o644, size=size)


def packed(change: Callable[[bytes], bytes], compression: str) -> bytes:
    """A package whose compressed payload went through ``change``, and whose digests are of the result."""
    noise = Member("/noise", random.Random(1).randbytes(5000))
    suffix = {"gzip": "gz", "zstd": "zst", "bzip2": "bz2"}.get(compression, compression)
    data = change(compress(cpio_archive([noise]), suffix))
    return assemble(header(members=[noise]), b"", compression=compression, compressed=data)


def cut(content: bytes) -> bytes:
    return content[:-9]


def longer(content: bytes) -> bytes:
    return content + b"garbage" * 9


def empty(_content: bytes) -> bytes:
    return b""


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def header_at(data: bytes) -> int:
    """Where the header begins."""
    count, store = struct.unpack_from(">II", data, LEAD + 8)
    end: int = LEAD + (INTRODUCTION.size + count * ENTRY.size + store + 7) // 8 * 8
    return end


def with_entry(tag: int, kind: int, offset: int, count: int) -> bytes:
    """A package with another entry for a tag in its header's index, and digests left as they were."""
    data = assemble(header(), cpio_archive([FILE]), signature_values=[Value(item, Type.BIN, b"") for item in DIGESTS])
    start = header_at(data)
    for number in range(INTRODUCTION.unpack_from(data, start)[1]):
        at = start + INTRODUCTION.size + number * ENTRY.size
        if struct.unpack_from(">I", data, at)[0] == tag:
            return patched(data, at, ENTRY.pack(tag, kind, offset, count))
    raise KeyError(tag)


DIGESTS = (SigTag.MD5, SigTag.SHA1, SigTag.SHA256)
PLAIN = whole()
START = header_at(PLAIN)
FRONT = PLAIN[:START]
BOMB = Member("/zeros", bytes(2 << 20))
LINES = "/usr/\x1b[2J/x"
_STREAM = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=29)).compressobj()
WIDE = _STREAM.compress(bytes(3)) + _STREAM.flush()


def introduced(magic: bytes = HEADER_MAGIC, count: int = 1, store: int = 16) -> bytes:
    return INTRODUCTION.pack(magic, count, store)


def twice() -> bytes:
    """A package with two names: which one counts?"""
    return FRONT + compose_header(Tag.REGION, [*header(), texts(Tag.NAME, "good")])


def dribble() -> bytes:
    """A package with an entry after its region, as CVE-2021-3421 has it."""
    head = bytearray(compose_header(Tag.REGION, header()))
    _, count, store = INTRODUCTION.unpack_from(head)
    at = INTRODUCTION.size + count * ENTRY.size
    head[at:at] = ENTRY.pack(Tag.URL, Type.STRING, store, 1)
    INTRODUCTION.pack_into(head, 0, HEADER_MAGIC, count + 1, store + 2)
    return FRONT + bytes(head) + b"x\0"


STRUCTURE = [
    ("an empty file", b"", "does not begin as one does"),
    ("a page of HTML", b"<html>404</html>", "not an RPM package"),
    ("half a lead", lead()[:50], "is cut short in its lead"),
    ("a lead alone", lead(), "signature header is cut short"),
    ("version 2", lead(major=2) + PLAIN[LEAD:], "a lead of version 2, type 0, signature type 5"),
    ("a signature without a header", lead(kind=1) + PLAIN[LEAD:], "signature type 1"),
    ("a delta package", patched(PLAIN, 6, b"\0\7"), "type 7"),
    ("no header", FRONT, "header is cut short"),
    ("half a header", PLAIN[: START + 40], "header is cut short: it should have"),
    ("another magic", FRONT + introduced(b"\x8e\xad\xe8\x02" + bytes(4)), "header does not begin as one does"),
    ("no entries", FRONT + introduced(count=0), "header has 0 entries"),
    ("too many entries", FRONT + introduced(count=2**31), "header has 2147483648 entries"),
    ("too much data", FRONT + introduced(store=2**32 - 1), "header has 4294967295 bytes of data"),
    ("a huge signature header", lead() + introduced(store=5000) + bytes(5016), "signature header has 5000 bytes"),
    ("an entry twice", twice(), "has NAME twice"),
    ("data outside", with_entry(Tag.OS, Type.STRING, 1 << 20, 1), "overlaps that of others or lies outside"),
    ("data before the store", with_entry(Tag.OS, Type.STRING, -4, 1), "overlaps that of others or lies outside"),
    ("data of another tag", with_entry(Tag.OS, Type.STRING, 0, 1), "overlaps that of others or lies outside"),
    ("an unknown type", with_entry(Tag.I18NTABLE, 10, 0, 1), "I18NTABLE is of the unknown type 10"),
    ("no type", with_entry(Tag.I18NTABLE, 0, 0, 1), "I18NTABLE is of the unknown type 0"),
    ("more texts than there are", with_entry(Tag.I18NTABLE, Type.STRING_ARRAY, 0, 99), "does not have the 99 texts"),
    ("more numbers than there are", with_entry(Tag.I18NTABLE, Type.INT64, 0, 2**31), "have the 2147483648 values"),
    ("no values", with_entry(Tag.I18NTABLE, Type.STRING_ARRAY, 0, 0), "does not have the 0 texts"),
    ("no region, and a tag of one", with_entry(Tag.REGION, Type.BIN, 0, 16), "outside of its signed region"),
    ("an entry outside of the region", dribble(), "outside of its signed region"),
    ("a size that lies", whole(signature=[Value(SigTag.SIZE, Type.INT32, [1])]), "they should have 1 "),
    ("a large size that lies", whole(signature=[Value(SigTag.LONGSIZE, Type.INT64, [2**33])]), "8589934592 .LONGSIZE"),
    ("a payload cut off", PLAIN[:-20], "bytes; they should have"),
    ("a payload with more behind it", PLAIN + b"more", "bytes; they should have"),
    ("another header digest", whole(signature=[texts(SigTag.SHA256, "0" * 64)]), "its sha256 is not what SHA256 says"),
    ("another SHA1", whole(signature=[texts(SigTag.SHA1, "0" * 40)]), "header is damaged: its sha1"),
    ("another MD5", whole(signature=[Value(SigTag.MD5, Type.BIN, bytes(16))]), "payload is damaged: its md5"),
    (
        "another payload",
        whole(texts(Tag.PAYLOADDIGEST, "0" * 64, kind=Type.STRING_ARRAY)),
        "payload is damaged: its sha256 is not what PAYLOADDIGEST says",
    ),
    (
        "an unknown digest",
        whole(Value(Tag.PAYLOADDIGESTALGO, Type.INT32, [99])),
        "PAYLOADDIGESTALGO is 99, which is no known",
    ),
    ("a digest that is a number", whole(Value(Tag.PAYLOADDIGEST, Type.INT32, [1])), "PAYLOADDIGEST has no text"),
]

NAMES = [
    ("no name", whole(texts(Tag.NAME)), "NAME is '', which it cannot be"),
    ("a name with a slash", whole(texts(Tag.NAME, "../evil")), "NAME is '../evil', which it cannot be"),
    ("a name of several lines", whole(texts(Tag.NAME, "a\nb")), r"NAME is 'a\\nb', which it cannot be"),
    ("a name for a terminal", whole(texts(Tag.NAME, "\x1b[2J")), "NAME is '.*', which it cannot be"),
    ("a name for a page", whole(texts(Tag.NAME, "<b>")), "NAME is '<b>', which it cannot be"),
    ("a very long name", whole(texts(Tag.NAME, "n" * 250)), "its file name would have 267 characters"),
    ("a hyphen in the version", whole(texts(Tag.VERSION, "1-2")), "VERSION is '1-2', which it cannot be"),
    ("no release", whole(texts(Tag.RELEASE)), "RELEASE is '', which it cannot be"),
    ("an architecture with dots", whole(texts(Tag.ARCH, "..")), r"ARCH is '\.\.', which it cannot be"),
    ("a version that is a number", whole(Value(Tag.VERSION, Type.INT32, [1])), "VERSION has no text"),
    ("an epoch that is a text", whole(texts(Tag.EPOCH, "1")), "EPOCH has no numbers"),
    ("an epoch that is too large", whole(Value(Tag.EPOCH, Type.INT64, [2**40])), "its epoch is not a number from 0 to"),
    (
        "an epoch that is none",
        whole(
            texts(Tag.REQUIRENAME, "a", kind=Type.STRING_ARRAY),
            texts(Tag.REQUIREVERSION, "x\x1b:1", kind=Type.STRING_ARRAY),
            Value(Tag.REQUIREFLAGS, Type.INT32, [8]),
        ),
        "REQUIREVERSION is '.*', whose epoch is no number",
    ),
    (
        "relations of unequal length",
        whole(texts(Tag.PROVIDENAME, "a", "b"), Value(Tag.PROVIDEFLAGS, Type.INT32, [0])),
        "PROVIDENAME, PROVIDEVERSION, PROVIDEFLAGS differ in length",
    ),
]

FILES = [
    ("a file that leads out", whole(members=[Member("/usr/../../etc/x")]), "leads out of the package"),
    ("a file called ..", whole(members=[Member("/usr/..")]), "is not the name of a file"),
    ("a slash in a name", whole(texts(Tag.BASENAMES, "a/b", kind=Type.STRING_ARRAY)), "is not the name of a file"),
    ("a file of control characters", whole(members=[Member(LINES)]), "has control characters in its name"),
    ("a line end in a name", whole(members=[Member("/usr/a\nb")]), r"/usr/a\\nb is not the name of a file"),
    ("folders that are none", whole(texts(Tag.DIRNAMES, "/usr", kind=Type.STRING_ARRAY)), "is no folder"),
    ("a folder that is not there", whole(Value(Tag.DIRINDEXES, Type.INT32, [7])), "do not fit together"),
    ("no folders", whole(Value(Tag.DIRNAMES, Type.STRING_ARRAY, [])), "do not fit together"),
    ("names and folders of unequal length", whole(Value(Tag.DIRINDEXES, Type.INT32, [0, 0])), "do not fit together"),
    ("two lists of files", whole(texts(Tag.OLDFILENAMES, "/x", kind=Type.STRING_ARRAY)), "do not fit together"),
    ("sizes of more files", whole(Value(Tag.FILESIZES, Type.INT32, [1, 2])), "FILESIZES has 2 values for 1 files"),
    ("too many files", whole(members=[Member(f"/usr/{i:02}") for i in range(51)]), "has more than 50 files"),
]

PAYLOAD = [
    ("a payload of another format", whole(texts(Tag.PAYLOADFORMAT, "drpm")), "is of the format drpm, not cpio"),
    ("an unknown compression", whole(texts(Tag.PAYLOADCOMPRESSOR, "br")), "is compressed with br; gzip, bzip2"),
    ("an empty archive", cpio(), "is cut short: it has no end mark"),
    ("no end mark", cpio(file(b"./usr/share/evil")), "is cut short: it has no end mark"),
    ("data behind the end mark", cpio(file(b"./usr/share/evil"), TRAILER, b"\0\0\0x"), "data behind its end mark"),
    ("no member", cpio(b"garbage" * 20), "has 'garbag' where a member should begin"),
    ("a file cut off", cpio(file(b"./usr/share/evil")[:-99]), "is cut short in /usr/share/evil"),
    ("a file of 4 GiB", cpio(file(b"./usr/share/evil", size=2**32 - 1)), "4294967295 bytes; the header says 600"),
    ("a file that is too short", cpio(file(b"./usr/share/evil", b"x"), TRAILER), "has 1 bytes; the header says 600"),
    ("a name that leads out", cpio(file(b"./../../etc/passwd"), TRAILER), "leads out of the package"),
    ("a stranger", cpio(file(b"./etc/passwd"), TRAILER), "/etc/passwd is not among the files that the header lists"),
    ("a name for a terminal", cpio(file(b"./\x1b[2J"), TRAILER), r"\./\\x1b\[2J is not among the files"),
    ("two ends in a name", cpio(file(b"./usr/share/evil\0x"), TRAILER), "with an end in its midst"),
    ("an endless name", cpio(file(b"n" * 5000), TRAILER), "has a name of 5001 bytes"),
    ("a file twice", cpio(*[file(b"./usr/share/evil")] * 2, TRAILER), "has more members than the header has files"),
    ("a number that is none", cpio(file(b"./x").replace(b"00000258", b"+0000258")), r"has '\+0000258' where a number"),
    ("a member of another header", cpio(b"07070X00000007\0\0", TRAILER), "has a member 7; the header has 1"),
    *(
        entry
        for compression in ("gzip", "xz", "zstd", "bzip2")
        for entry in (
            (
                f"{compression} cut off",
                packed(cut, compression),
                "payload is (cut short|damaged)",
            ),
            (f"garbage behind {compression}", packed(longer, compression), "payload is damaged: "),
            (f"{compression} of nothing", packed(empty, compression), "payload is (cut short|damaged)"),
            (
                f"a bomb in {compression}",
                assemble(header(members=[BOMB]), cpio_archive([BOMB]), compression=compression),
                "payload unpacks to more than 1048576 bytes",
            ),
        )
    ),
    (
        "a window of 512 MiB",
        assemble(header(), b"", compression="zstd", compressed=WIDE),
        "payload is damaged: .*(memory|window)",
    ),
    ("another compression than it says", packed(lambda data: compress(data, "xz"), "gzip"), "payload is damaged"),
]

GALLERY = [*STRUCTURE, *NAMES, *FILES, *PAYLOAD]
