"""Builds tiny RPM packages: real enough for rpm and dnf, always the same bytes for the same arguments (and key).

    path = make_rpm(tmp_path, "nginx", "1.24", "2.el9", epoch=1, requires=["nginx-core = 1:1.24-2.el9", "(a or b)"])
    srpm = make_srpm(tmp_path, "nginx", "1.24", "2.el9")
    signed = make_rpm(tmp_path, "nginx", sign_with=Key(home, fingerprint))

About 3,000 a second, without a signature. ``values_of``, ``cpio_archive`` and ``assemble`` are what they are made of,
for tests that need a package which is wrong in one place.
"""

from __future__ import annotations

import base64
import hashlib
import re
import stat
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from entrepot_plugins.rpm.structure import LEAD, Limits, Parts, read_parts
from entrepot_plugins.rpm.tags import SigTag, Tag, Type
from entrepot_plugins.rpm.writing import Value, compose_header, padded
from entrepot_plugins.shared.packets import RSA, packets, read_signature
from support.debs import compress
from support.gnupg import gpg

TIME = 1_700_000_000
LESS, GREATER, EQUAL, RPMLIB = 2, 4, 8, 1 << 24
_OPERATORS = {"<": LESS, "<=": LESS | EQUAL, "=": EQUAL, ">=": GREATER | EQUAL, ">": GREATER}
_RELATION = re.compile(r"(\S+)\s*(<=|>=|<|>|=)\s*(\S+)")
_COMPRESSIONS = {"gzip": "gz", "xz": "xz", "zstd": "zst", "bzip2": "bz2", "lzma": "lzma", "": ""}
_RPMLIB_OF = {"xz": "PayloadIsXz 5.2-1", "zstd": "PayloadIsZstd 5.4.18-1", "lzma": "PayloadIsLzma 4.4.2-1"}
_ISA = {"x86_64": "x86-64", "aarch64": "aarch-64", "i686": "x86-32"}
_SCRIPTS = {
    "pre": (Tag.PREIN, Tag.PREINPROG, 1 << 9),
    "post": (Tag.POSTIN, Tag.POSTINPROG, 1 << 10),
    "preun": (Tag.PREUN, Tag.PREUNPROG, 1 << 11),
    "postun": (Tag.POSTUN, Tag.POSTUNPROG, 1 << 12),
}


class Key(NamedTuple):
    """A secret key of a GnuPG home, and options for gpg."""

    home: Path
    fingerprint: str
    options: tuple[str, ...] = ()


class Relation(NamedTuple):
    """One dependency as a header has it."""

    name: str
    flags: int
    version: str


@dataclass(frozen=True)
class Member:
    """A file of a package. ``mode`` has the type in it; ``content`` of a symbolic link is where it points to."""

    path: str
    content: bytes = b""
    mode: int = stat.S_IFREG | 0o644
    flags: int = 0


def make_rpm(
    folder: Path,
    name: str = "hello",
    version: str = "1.0",
    release: str = "1",
    arch: str = "noarch",
    *,
    epoch: int | None = None,
    requires: Iterable[str] = (),
    provides: Iterable[str] = (),
    conflicts: Iterable[str] = (),
    obsoletes: Iterable[str] = (),
    recommends: Iterable[str] = (),
    suggests: Iterable[str] = (),
    supplements: Iterable[str] = (),
    enhances: Iterable[str] = (),
    files: Mapping[str, bytes] | Sequence[Member] | None = None,
    scriptlets: Mapping[str, str] | None = None,
    interpreter: str = "<lua>",
    changelog: Sequence[tuple[int, str, str]] = (),
    modularity: str = "",
    summary: str = "",
    description: str = "",
    group: str = "Unspecified",
    sourcerpm: str | None = None,
    compression: str = "gzip",
    extra: Sequence[Value] = (),
    sign_with: Key | None = None,
    old: bool = False,
) -> Path:
    """A binary package in ``folder``, under the name that rpm gives it.

    Relations are texts as in a spec file. ``files`` maps full paths to contents; by default there is one.
    ``scriptlets`` maps ``pre``, ``post``, ``preun``, ``postun`` to programs for ``interpreter``. ``changelog`` has
    (time, author, text), the newest first. ``compression`` is ``gzip``, ``xz``, ``zstd``, ``bzip2``, ``lzma`` or
    ``""``. ``extra`` values replace those of the same tags. ``old``: as before rpm 4.14, without a digest of the
    payload, and with signatures of header and payload.
    """
    evr = f"{epoch}:{version}-{release}" if epoch is not None else f"{version}-{release}"
    own = [name, *([f"{name}({_ISA[arch]})"] if arch in _ISA else [])]
    scripts = scriptlets or {}
    needed = [Relation(interpreter, _SCRIPTS[script][2], "") for script in scripts if interpreter != "<lua>"]
    relations = {
        "PROVIDE": [*map(relation, provides), *(Relation(text, EQUAL, evr) for text in own)],
        "REQUIRE": [*map(relation, requires), *needed],
        "CONFLICT": [*map(relation, conflicts)],
        "OBSOLETE": [*map(relation, obsoletes)],
        "RECOMMEND": [*map(relation, recommends)],
        "SUGGEST": [*map(relation, suggests)],
        "SUPPLEMENT": [*map(relation, supplements)],
        "ENHANCE": [*map(relation, enhances)],
    }
    members = _members({f"/usr/share/{name}/version": f"{version}\n".encode()} if files is None else files)
    values = [
        *values_of(name, version, release, arch, epoch, summary=summary, description=description, group=group),
        *_relation_values(relations, compression),
        *file_values(members),
        *_script_values(scripts, interpreter),
        *_changelog_values(changelog),
        *([texts(Tag.MODULARITYLABEL, modularity)] if modularity else []),
        texts(Tag.SOURCERPM, sourcerpm if sourcerpm is not None else f"{name}-{version}-{release}.src.rpm"),
    ]
    path = folder / f"{name}-{version}-{release}.{arch}.rpm"
    payload = cpio_archive(members)
    path.write_bytes(assemble(replaced(values, extra), payload, compression=compression, sign_with=sign_with, old=old))
    return path


def make_srpm(
    folder: Path,
    name: str = "hello",
    version: str = "1.0",
    release: str = "1",
    *,
    epoch: int | None = None,
    requires: Iterable[str] = (),
    sign_with: Key | None = None,
) -> Path:
    """A source package: a spec file and a tarball that is none."""
    spec = (
        f"Name: {name}\nVersion: {version}\nRelease: {release}\nSummary: {name}\nLicense: MIT\n%description\n{name}\n"
    )
    members = [Member(f"{name}-{version}.tar.gz", b"tar"), Member(f"{name}.spec", spec.encode(), flags=1 << 5)]
    values = [
        *values_of(name, version, release, "noarch", epoch),
        *_relation_values({"REQUIRE": [*map(relation, requires)]}, "gzip", source=True),
        *file_values(members),
        Value(Tag.SOURCEPACKAGE, Type.INT32, [1]),
    ]
    path = folder / f"{name}-{version}-{release}.src.rpm"
    path.write_bytes(assemble(values, cpio_archive(members), sign_with=sign_with, source=True))
    return path


def values_of(
    name: str = "hello",
    version: str = "1.0",
    release: str = "1",
    arch: str = "noarch",
    epoch: int | None = None,
    *,
    summary: str = "",
    description: str = "",
    group: str = "Unspecified",
) -> list[Value]:
    """What every header says besides files, relations and payload."""
    return [
        Value(Tag.I18NTABLE, Type.STRING_ARRAY, [b"C"]),
        texts(Tag.NAME, name),
        texts(Tag.VERSION, version),
        texts(Tag.RELEASE, release),
        *([Value(Tag.EPOCH, Type.INT32, [epoch])] if epoch is not None else []),
        texts(Tag.SUMMARY, summary or f"{name} for tests", kind=Type.I18NSTRING),
        texts(Tag.DESCRIPTION, description or f"It is {name}, and nothing else.", kind=Type.I18NSTRING),
        Value(Tag.BUILDTIME, Type.INT32, [TIME]),
        texts(Tag.BUILDHOST, "build.example.org"),
        texts(Tag.LICENSE, "MIT"),
        texts(Tag.GROUP, group, kind=Type.I18NSTRING),
        texts(Tag.OS, "linux"),
        texts(Tag.ARCH, arch),
        texts(Tag.RPMVERSION, "4.18.0"),
        texts(Tag.PAYLOADFORMAT, "cpio"),
    ]


def texts(tag: int, *values: str | bytes, kind: Type = Type.STRING) -> Value:
    """A value of texts; more than one need an array."""
    encoded = [value.encode() if isinstance(value, str) else value for value in values]
    return Value(tag, kind if len(encoded) == 1 else Type.STRING_ARRAY, encoded)


def relation(text: str) -> Relation:
    """A relation as a spec file has it."""
    match = None if text.startswith("(") else _RELATION.fullmatch(text)
    return Relation(match[1], _OPERATORS[match[2]], match[3]) if match else Relation(text, 0, "")


def file_values(members: Sequence[Member]) -> list[Value]:
    """What a header says of files, which have to be sorted by path."""
    if not members:
        return [Value(Tag.SIZE, Type.INT32, [0])]
    split = [member.path.rpartition("/") for member in members]
    folders = list(dict.fromkeys(f"{folder}{slash}" for folder, slash, _ in split))
    regular = [stat.S_ISREG(member.mode) for member in members]
    count = len(members)

    def numbers(tag: Tag, values: Iterable[int], kind: Type = Type.INT32) -> Value:
        return Value(tag, kind, list(values))

    def array(tag: Tag, values: Iterable[bytes]) -> Value:
        return Value(tag, Type.STRING_ARRAY, list(values))

    return [
        numbers(Tag.SIZE, [sum(len(member.content) for member in members)]),
        array(Tag.BASENAMES, (name.encode() for _, _, name in split)),
        array(Tag.DIRNAMES, (folder.encode() for folder in folders)),
        numbers(Tag.DIRINDEXES, (folders.index(f"{folder}{slash}") for folder, slash, _ in split)),
        numbers(Tag.FILESIZES, (len(member.content) for member in members)),
        numbers(Tag.FILEMODES, (member.mode for member in members), Type.INT16),
        numbers(Tag.FILERDEVS, [0] * count, Type.INT16),
        numbers(Tag.FILEMTIMES, [TIME] * count),
        array(
            Tag.FILEDIGESTS,
            (
                hashlib.sha256(member.content).hexdigest().encode() if plain else b""
                for member, plain in zip(members, regular, strict=True)
            ),
        ),
        numbers(Tag.FILEDIGESTALGO, [8]),
        array(Tag.FILELINKTOS, (m.content if stat.S_ISLNK(m.mode) else b"" for m in members)),
        numbers(Tag.FILEFLAGS, (member.flags for member in members)),
        array(Tag.FILEUSERNAME, [b"root"] * count),
        array(Tag.FILEGROUPNAME, [b"root"] * count),
        numbers(Tag.FILEVERIFYFLAGS, [2**32 - 1] * count),
        numbers(Tag.FILEDEVICES, [1] * count),
        numbers(Tag.FILEINODES, range(1, count + 1)),
        array(Tag.FILELANGS, [b""] * count),
    ]


def cpio_archive(members: Iterable[Member], *, prefix: str = ".") -> bytes:
    """A payload, not yet compressed. Names get ``prefix`` if they are full paths."""
    out = bytearray()
    for number, member in enumerate(members, 1):
        name = f"{prefix}{member.path}" if member.path.startswith("/") else member.path
        out += cpio_member(name.encode(), member.content, inode=number, mode=member.mode)
    return bytes(out + cpio_member(b"TRAILER!!!", b""))


def cpio_member(name: bytes, content: bytes, *, inode: int = 0, mode: int = 0, size: int | None = None) -> bytes:
    """One member with its padding. Its length is a multiple of four, so members can be put one after another."""
    length = len(content) if size is None else size
    fields = (inode, mode, 0, 0, 1, TIME if mode else 0, length, 0, 0, 0, 0, len(name) + 1, 0)
    out = b"070701" + b"".join(b"%08x" % field for field in fields) + name + b"\0"
    out += bytes(-len(out) % 4)
    return out + content + bytes(-len(content) % 4)


def assemble(
    values: Sequence[Value],
    payload: bytes,
    *,
    compression: str = "gzip",
    compressed: bytes | None = None,
    sign_with: Key | None = None,
    signature_values: Sequence[Value] = (),
    source: bool = False,
    old: bool = False,
) -> bytes:
    """A whole package, with digests that fit. ``compressed`` is taken for the payload as it is in the file, if given.

    ``signature_values`` replace those of the same tags in the signature header.
    """
    packed = compress(payload, _COMPRESSIONS[compression]) if compressed is None else compressed
    described = [texts(Tag.PAYLOADCOMPRESSOR, compression), texts(Tag.PAYLOADFLAGS, "2")] if compression else []
    if not old:
        described += [
            texts(Tag.PAYLOADDIGEST, hashlib.sha256(packed).hexdigest(), kind=Type.STRING_ARRAY),
            Value(Tag.PAYLOADDIGESTALGO, Type.INT32, [8]),
        ]
    header = compose_header(Tag.REGION, replaced(described, values))
    own = [
        Value(SigTag.SIZE, Type.INT32, [len(header) + len(packed)]),
        Value(SigTag.MD5, Type.BIN, hashlib.md5(header + packed).digest()),
        texts(SigTag.SHA1, hashlib.sha1(header).hexdigest()),
        *([] if old else [texts(SigTag.SHA256, hashlib.sha256(header).hexdigest())]),
        Value(SigTag.PAYLOADSIZE, Type.INT32, [len(payload)]),
    ]
    if sign_with:
        own.append(signature_of(header, sign_with))
        if old:
            own.append(signature_of(header + packed, sign_with, of_payload=True))
    signature = padded(compose_header(SigTag.REGION, replaced(own, signature_values)))
    return lead(source=source) + signature + header + packed


def lead(*, source: bool = False, major: int = 3, kind: int = 5) -> bytes:
    """What begins a package, and nothing reads besides its magic, its version and its two types."""
    return struct.pack(">4sBBHH66sHH16x", b"\xed\xab\xee\xdb", major, 0, int(source), 1, b"hello-1.0-1", 1, kind)


def signature_of(data: bytes, key: Key, *, of_payload: bool = False) -> Value:
    """The signature of a header, or of header and payload, under the tag that its algorithm has."""
    packet = gpg(key.home, *key.options, "--local-user", key.fingerprint, "--detach-sign", text=data)
    ((_, body, _),) = packets(packet)
    rsa = read_signature(body).key_algorithm in RSA
    if of_payload:
        return Value(SigTag.PGP if rsa else SigTag.GPG, Type.BIN, packet)
    return Value(SigTag.RSA if rsa else SigTag.DSA, Type.BIN, packet)


def parts_of(data: bytes) -> Parts:
    """A package, taken apart by the reader."""
    return read_parts(BytesIO(data), len(data), "package", Limits())


def with_signature(data: bytes, *extra: Value) -> bytes:
    """A package with other values in its signature header; empty ones leave a tag out."""
    parts = parts_of(data)
    header = parts.signature
    values = []
    for tag, entry in header.entries.items():
        if entry.type is Type.BIN:
            values.append(Value(tag, entry.type, header.binary(tag) or b""))
        elif entry.type is Type.INT32:
            values.append(Value(tag, entry.type, header.numbers(tag)))
        else:
            values.append(Value(tag, entry.type, header.strings(tag)))
    signature = compose_header(SigTag.REGION, replaced(values, extra))
    return data[:LEAD] + padded(signature) + data[parts.start :]


def openpgp_value(*packets_: bytes) -> Value:
    """Signatures of the header as rpm 6 keeps them."""
    return Value(SigTag.OPENPGP, Type.STRING_ARRAY, [base64.b64encode(packet) for packet in packets_])


def replaced(values: Sequence[Value], extra: Sequence[Value]) -> list[Value]:
    """``values`` with those of ``extra`` in the place of those of the same tags; empty ones leave a tag out."""
    tags = {value.tag for value in extra}
    return [*(value for value in values if value.tag not in tags), *(value for value in extra if value.values)]


def _members(files: Mapping[str, bytes] | Sequence[Member]) -> list[Member]:
    if isinstance(files, Mapping):
        files = [Member(path, content) for path, content in files.items()]
    return sorted(files, key=lambda member: member.path)


def _script_values(scripts: Mapping[str, str], interpreter: str) -> Iterable[Value]:
    for script, program in scripts.items():
        body, prog, _ = _SCRIPTS[script]
        yield from (texts(body, program), texts(prog, interpreter))


def _changelog_values(changelog: Sequence[tuple[int, str, str]]) -> list[Value]:
    if not changelog:
        return []
    return [
        Value(Tag.CHANGELOGTIME, Type.INT32, [time for time, _, _ in changelog]),
        Value(Tag.CHANGELOGNAME, Type.STRING_ARRAY, [author.encode() for _, author, _ in changelog]),
        Value(Tag.CHANGELOGTEXT, Type.STRING_ARRAY, [text.encode() for _, _, text in changelog]),
    ]


def _relation_values(
    relations: Mapping[str, Sequence[Relation]], compression: str, *, source: bool = False
) -> list[Value]:
    needed = ["CompressedFileNames 3.0.4-1"]
    if not source:
        needed += ["PayloadFilesHavePrefix 4.0-1", "FileDigests 4.6.0-1"]
    if compression in _RPMLIB_OF:
        needed.append(_RPMLIB_OF[compression])
    if any(item.name.startswith("(") for kind in relations.values() for item in kind):
        needed.append("RichDependencies 4.12.0-1")
    own = [Relation(f"rpmlib({word})", RPMLIB | LESS | EQUAL, version) for word, version in map(str.split, needed)]
    values = []
    for kind, items in {**relations, "REQUIRE": [*relations.get("REQUIRE", ()), *own]}.items():
        if items:
            values += [
                Value(Tag[f"{kind}NAME"], Type.STRING_ARRAY, [item.name.encode() for item in items]),
                Value(Tag[f"{kind}FLAGS"], Type.INT32, [item.flags for item in items]),
                Value(Tag[f"{kind}VERSION"], Type.STRING_ARRAY, [item.version.encode() for item in items]),
            ]
    return values
