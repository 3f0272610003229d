"""Packages that are damaged, that lie, or that want to get out, each with what a reader has to say of it.

``GALLERY`` holds (what it is, its bytes, a pattern of the message). They are meant for ``LIMITS``: bombs need not be
large to be bombs.
"""

from __future__ import annotations

import io
import random
import re
import tarfile
from collections.abc import Callable

import zstandard

from entrepot.models import UnpackingLimits
from entrepot_plugins.apt.debfile import Limits
from support.debs import ar_archive, compress, tar_archive

LIMITS = Limits(4096, 20, 1 << 20, UnpackingLimits(unpacked=1 << 20, members=50))
CONTROL = b"Package: evil\nVersion: 1.0\nArchitecture: all\n"
FORMAT = ("debian-binary", b"2.0\n")


def control(text: bytes = CONTROL, *extra: tuple[tarfile.TarInfo, bytes]) -> tuple[str, bytes]:
    return "control.tar.gz", compress(tar_archive({"control": text}, extra), "gz")


def data(*extra: tuple[tarfile.TarInfo, bytes], compression: str = "gz") -> tuple[str, bytes]:
    suffix = f".{compression}" if compression else ""
    return f"data.tar{suffix}", compress(tar_archive({"usr/share/evil": b"x"}, extra), compression)


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", content: bytes = b"", size: int | None = None
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    info.size = len(content) if size is None else size
    return info, content


def plain(*members: tuple[str, bytes]) -> bytes:
    return ar_archive(members or (FORMAT, control(), data()))


def patched(old: bytes, new: bytes, count: int = 1) -> bytes:
    whole = plain()
    assert old in whole
    return whole.replace(old, new, count)


def inside(change: Callable[[bytes], bytes]) -> bytes:
    """A package whose uncompressed data.tar went through ``change``."""
    return plain(FORMAT, control(), ("data.tar", change(tar_archive({"usr/share/evil": b"x" * 600}))))


def broken_sum(archive: bytes) -> bytes:
    return archive[:1024] + b"X" + archive[1025:]


def packed(change: Callable[[bytes], bytes], compression: str) -> bytes:
    """A package whose compressed data.tar went through ``change``."""
    name, content = data(member("./noise", content=random.Random(1).randbytes(5000)), compression=compression)
    return plain(FORMAT, control(), (name, change(content)))


def cut(content: bytes) -> bytes:
    return content[:-9]


def longer(content: bytes) -> bytes:
    return content + b"garbage" * 9


def empty(_content: bytes) -> bytes:
    return b""


def flipped(content: bytes) -> bytes:
    return content[:99] + bytes([content[99] ^ 1]) + content[100:]


def bomb(compression: str) -> bytes:
    return plain(FORMAT, control(), data(ZEROS, compression=compression))


def pax(archive: dict[str, str]) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers=archive) as tar:
        tar.addfile(tarfile.TarInfo("usr"))
    return "data.tar", buffer.getvalue()


ZEROS = member("zeros", content=bytes(2 << 20))
_WINDOW = zstandard.ZstdCompressionParameters(window_log=29)
_STREAM = zstandard.ZstdCompressor(compression_params=_WINDOW).compressobj()
WIDE = _STREAM.compress(bytes(3)) + _STREAM.flush()

AR = [
    ("an empty file", b"", "does not begin as an ar archive does"),
    ("a page of HTML", b"<html>404</html>", "does not begin as an ar archive does"),
    ("the magic alone", b"!<arch>\n", "begins with nothing, not with debian-binary"),
    ("no debian-binary", plain(control(), data()), "begins with control.tar.gz, not with debian-binary"),
    ("the old format", plain(("debian-binary", b"0.939000\n")), r"debian-binary is '0.939000\\n', only version 2"),
    ("format 3", plain(("debian-binary", b"3.0\n"), control(), data()), r"debian-binary is '3.0\\n', only version 2"),
    ("format 2 cut off", plain(("debian-binary", b"2.0"), control(), data()), "debian-binary is '2.0', only version 2"),
    ("a huge debian-binary", plain(("debian-binary", b"2.0\n" * 99), control(), data()), "debian-binary is ''"),
    ("data before control", plain(FORMAT, data(), control()), "has data.tar.gz where control.tar should be"),
    ("no data", plain(FORMAT, control()), "has nothing where data.tar should be"),
    ("two control members", plain(FORMAT, control(), control(), data()), "has control.tar.gz where data.tar should be"),
    ("two data members", plain(FORMAT, control(), data(), data()), "has a member data.tar.gz, which no Debian package"),
    ("a stranger at the end", plain(FORMAT, control(), data(), ("x", b"")), "has a member x, which no Debian package"),
    ("an unknown compression", plain(FORMAT, control(), ("data.tar.br", b"")), "has data.tar.br where data.tar should"),
    ("control in bz2", plain(FORMAT, ("control.tar.bz2", b""), data()), "has control.tar.bz2 where control.tar should"),
    ("garbage behind it", plain() + b"garbage" * 20, "has 140 bytes after data.tar.gz that are no member"),
    ("half a header behind it", plain() + b"x", "has 1 bytes after data.tar.gz that are no member"),
    (
        "a size that lies",
        patched(b"4         `\n2.0", b"4000000000`\n2.0"),
        "is cut short: .* 4000000000",
    ),
    (
        "a size below zero",
        patched(b"4         `\n2.0", b"-1        `\n2.0"),
        "has a damaged member header",
    ),
    ("a size that is no number", patched(b"4         `\n2.0", b"0x4       `\n2.0"), "has a damaged member header"),
    ("a size of two numbers", patched(b"4         `\n2.0", b"4 4       `\n2.0"), "has a damaged member header"),
    ("a name with an escape", patched(b"debian-binary ", b"\x1b[2Jan-binary "), r"header at its start: '\\x1b\[2J"),
    ("a GNU long name", patched(b"debian-binary   ", b"/0              "), "has a damaged member header"),
    ("very many members", plain(*[("_", b"")] * 1000), "has more than 64 members"),
    ("cut off in the data", plain()[:-20], "member data.tar.gz is cut short: it should have"),
    ("cut off in a header", plain(FORMAT, control(), data())[:100], "has 28 bytes after debian-binary that are no"),
]

STREAMS = ("gz", "xz", "zst", "bz2")
COMPRESSION = [
    *((f"{kind} cut off", packed(cut, kind), f"{kind} is (cut short|damaged: zstd)") for kind in STREAMS),
    *((f"{kind}, then more", packed(longer, kind), f"{kind} is damaged") for kind in STREAMS),
    *((f"empty {kind}", packed(empty, kind), f"{kind}:? is cut short") for kind in (*STREAMS, "lzma")),
    *((f"flipped bit in {kind}", packed(flipped, kind), f"data.tar.{kind}") for kind in STREAMS),
    *((f"bomb in {kind}", bomb(kind), f"{kind} unpacks to more than 1048576 bytes") for kind in STREAMS),
    ("gz that is xz", plain(FORMAT, control(), ("data.tar.gz", data(compression="xz")[1])), "data.tar.gz is damaged"),
    ("bomb in control", plain(FORMAT, control(CONTROL, ZEROS), data()), "control.tar.gz unpacks to more than 1048576"),
    ("zstd window of 512 MiB", plain(FORMAT, control(), ("data.tar.zst", WIDE)), "zst is damaged: .*too much memory"),
]

TAR = [
    ("no end mark", inside(lambda tar: tar[:-1024]), "data.tar: is cut short: it has no end mark"),
    ("cut off in a member", inside(lambda tar: tar[:-1500]), "data.tar: is cut short in usr/share/evil"),
    ("cut off in a header", inside(lambda tar: tar[:700]), "data.tar: is cut short: it has no end mark"),
    ("no tar at all", inside(lambda _: b"x" * 2048), "data.tar: has a damaged header"),
    ("a wrong sum", inside(broken_sum), r"data.tar: has a damaged header \(its sum is wrong\)"),
    ("something behind the end", inside(lambda tar: tar + tar), "data.tar: has data behind its end mark"),
    ("an absolute name", plain(FORMAT, control(), data(member("/etc/passwd"))), "has the absolute name '/etc/passwd'"),
    ("a name that climbs", plain(FORMAT, control(), data(member("./../x"))), r"leads out of the package: './../x'"),
    ("a name that climbs later", plain(FORMAT, control(), data(member("a/b/../../../x"))), "leads out of the"),
    ("a long name that climbs", plain(FORMAT, control(), data(member("a/" * 90 + "../x"))), "leads out of the"),
    (
        "a name with a line end",
        plain(FORMAT, control(), data(member("a\nb"))),
        r"a\\nb has control characters",
    ),
    ("a name with an escape", plain(FORMAT, control(), data(member("\x1b[2J"))), r"\\x1b\[2J has control characters"),
    ("no name", plain(FORMAT, control(), data(member(""))), r"\(no name\) has an empty name"),
    ("a name without end", plain(FORMAT, control(), data(member("a" * 9000))), "has a name of 9001 bytes"),
    ("a file as the root", plain(FORMAT, control(), data(member("./."))), "takes the place of the root folder"),
    (
        "a hard link that climbs",
        plain(FORMAT, control(), data(member("a", tarfile.LNKTYPE, "../../etc/shadow"))),
        "a leads out of the package: '../../etc/shadow'",
    ),
    (
        "a hard link to an absolute name",
        plain(FORMAT, control(), data(member("a", tarfile.LNKTYPE, "/etc/shadow"))),
        "a has the absolute name '/etc/shadow'",
    ),
    (
        "a file through a symbolic link",
        plain(FORMAT, control(), data(member("a", tarfile.SYMTYPE, "/etc"), member("./a/b/passwd"))),
        "a/b/passwd would be written through a symbolic link",
    ),
    (
        "a file over a symbolic link",
        plain(FORMAT, control(), data(member("a", tarfile.SYMTYPE, "/etc/passwd"), member("a"))),
        "a would be written through a symbolic link",
    ),
    (
        "a file through a hard link to a symbolic link",
        plain(
            FORMAT,
            control(),
            data(member("a", tarfile.SYMTYPE, "/etc"), member("b", tarfile.LNKTYPE, "a"), member("b/passwd")),
        ),
        "b/passwd would be written through a symbolic link",
    ),
    (
        "a symbolic link with a line end",
        plain(FORMAT, control(), data(member("a", tarfile.SYMTYPE, "x\ny"))),
        r"a is a symbolic link to 'x\\ny'",
    ),
    ("a pax header", plain(FORMAT, control(), pax({"path": "../evil"})), "is of type 'g', which dpkg does not read"),
    (
        "a folder with content",
        plain(FORMAT, control(), data(member("d/", tarfile.DIRTYPE, content=b"x"))),
        "d/ is a folder, yet has content",
    ),
    (
        "a link with content",
        plain(FORMAT, control(), data(member("l", tarfile.SYMTYPE, "x", content=b"x"))),
        "l is a symbolic link, yet has content",
    ),
    ("a size of 8 EiB", plain(FORMAT, control(), data(member("a", size=1 << 63))), "has a damaged header: its size is"),
    ("a size of 7 EiB", plain(FORMAT, control(), data(member("a", size=7 << 60))), "is cut short in a"),
    ("too many members", plain(FORMAT, control(), data(*[member("a")] * 60)), "data.tar.gz: has more than 50 members"),
]

CONTROL_ARCHIVE = [
    ("no control file", ("control.tar.gz", compress(tar_archive({"md5sums": b""}), "gz")), "has no file control"),
    ("two control files", control(CONTROL, member("control", content=CONTROL)), "has control twice"),
    (
        "control as a link",
        control(CONTROL, member("x", tarfile.SYMTYPE, "/etc/passwd")),
        "x is not a plain file of the",
    ),
    ("a device", control(CONTROL, member("x", tarfile.CHRTYPE)), "x is not a plain file of the control archive"),
    ("a folder", control(CONTROL, member("d/", tarfile.DIRTYPE)), "d is not a plain file of the control archive"),
    ("a file in a folder", control(CONTROL, member("a/b")), "a/b is not a plain file of the control archive"),
    ("a name that climbs", control(CONTROL, member("../../x")), "leads out of the"),
    ("too large", control(CONTROL + b"X: " + b"x" * 5000 + b"\n"), "has a member of 50[0-9]+ bytes where at most 4096"),
    ("too many members", control(CONTROL, *[member(f"x{n}") for n in range(30)]), "has more than 20 members"),
    ("empty", control(b"\n"), "control: is empty"),
    ("two stanzas", control(CONTROL + b"\nPackage: other\n"), "control: line 5 begins a second stanza"),
    ("a stanza behind blanks", control(CONTROL + b" \nFilename: x\n"), "control: line 5 begins a second stanza"),
    ("a field twice", control(CONTROL + b"package: other\n"), "control: has the field package twice"),
    ("a line that is no field", control(CONTROL + b"what\n"), "control: line 4 is no field: 'what'"),
    ("a comment", control(b"# x\n" + CONTROL), "control: line 1 is no field"),
    ("a continuation of nothing", control(b" x\n" + CONTROL), "control: line 1 continues nothing"),
    ("an escape", control(CONTROL + b"X: \x1b[2J\n"), "control: line 4 has control characters"),
    ("a NUL", control(CONTROL + b"X: \x00\n"), "control: line 4 has control characters"),
    ("a lone carriage return", control(CONTROL + b"X: a\rb\n"), "control: line 4 has control characters"),
    *(
        (f"no {field}", control(re.sub(rf"{field}: .*\n".encode(), b"", CONTROL)), f"control: has no {field}")
        for field in ("Package", "Version", "Architecture")
    ),
    *(
        (f"a name {name!r}", control(CONTROL.replace(b"evil", name)), "control: Package is ")
        for name in (b"../evil", b"e", b"Evil", b"ev il", b"ev_il", b"e/vil", b"", b"-evil", "\u00e9vil".encode())
    ),
    *(
        (f"a version {version!r}", control(CONTROL.replace(b"1.0", version)), "control: .*[Vv]ersion")
        for version in (
            b"../1",
            b"1/2",
            b"1 2",
            b"",
            b"1_2",
            b":1",
            b"a:1",
            b"1:",
            b"1-",
            b"99999999999:1",
            b"~1",
            b"1%3a2",
        )
    ),
    *(
        (f"an architecture {name!r}", control(CONTROL.replace(b"all", name)), "control: Architecture is ")
        for name in (b"any", b"source", b"amd64 i386", b"../x", b"AMD64", b"", b"linux_any")
    ),
    *(
        (f"a source {name!r}", control(CONTROL + b"Source: " + name + b"\n"), "control: Source is ")
        for name in (b"../x", b"x (1", b"a b", b"x (../1)", b"(1.0)", b"x ()", b"X")
    ),
    ("a long name", control(CONTROL.replace(b"evil", b"e" * 300)), "name and version are too long for a file's name"),
]

GALLERY = [
    *AR,
    *COMPRESSION,
    *((f"tar: {name}", content, message) for name, content, message in TAR),
    *((f"control: {name}", plain(FORMAT, part, data()), message) for name, part, message in CONTROL_ARCHIVE),
]
