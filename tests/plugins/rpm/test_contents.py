"""What is inside RPM packages: members of the payload and scripts of the header."""

from __future__ import annotations

import hashlib
import stat
import tracemalloc
from pathlib import Path

import pytest

from entrepot.errors import PackageError
from entrepot.models import Content, ContentKind
from entrepot_plugins.rpm.filelist import read_files
from entrepot_plugins.rpm.header import RpmReader
from entrepot_plugins.rpm.structure import Limits, read_parts
from entrepot_plugins.rpm.tags import HASHES, Tag, Type
from entrepot_plugins.rpm.writing import Value
from support.contents import listing
from support.corpus import corpus_files
from support.hostile_rpms import FILE, GALLERY, LIMITS, NAMES, TRAILER, file, whole
from support.rpms import Member, cpio_archive, make_rpm, make_srpm, texts

PACKAGES = corpus_files("rpm", ".rpm")
reader = RpmReader()
strict = RpmReader(LIMITS)


@pytest.mark.parametrize("compression", ["", "gzip", "xz", "zstd", "bzip2", "lzma"])
def test_every_file_and_script_is_handed_out(tmp_path: Path, compression: str) -> None:
    files = {"/usr/bin/hello": b"ELF" * 50_000, "/etc/empty": b""}
    path = make_rpm(
        tmp_path, files=files, scriptlets={"post": "echo hi\n"}, interpreter="/bin/sh", compression=compression
    )
    found = listing(reader, path)
    assert {name: text for name, (_, text) in found.items()} == {
        "script/%post": b"#!/bin/sh\necho hi\n",
        "payload/usr/bin/hello": files["/usr/bin/hello"],
        "payload/etc/empty": b"",
    }
    expected = Content("payload", "usr/bin/hello", ContentKind.FILE, 150_000, 0o644, "", "root", "root")
    assert found["payload/usr/bin/hello"][0] == expected


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        (
            Member("/usr/bin/su", b"x", stat.S_IFREG | 0o4755),
            Content("payload", "usr/bin/su", ContentKind.FILE, 1, 0o4755, "", "root", "root"),
        ),
        (
            Member("/usr/bin/link", b"/opt/x", stat.S_IFLNK | 0o777),
            Content("payload", "usr/bin/link", ContentKind.SYMBOLIC_LINK, 0, 0o777, "/opt/x", "root", "root"),
        ),
        (
            Member("/var/tmp", b"", stat.S_IFDIR | 0o1777),
            Content("payload", "var/tmp", ContentKind.FOLDER, 0, 0o1777, "", "root", "root"),
        ),
        (
            Member("/", b"", stat.S_IFDIR | 0o755),
            Content("payload", ".", ContentKind.FOLDER, 0, 0o755, "", "root", "root"),
        ),
        (
            Member("/dev/x", b"", stat.S_IFCHR | 0o666),
            Content("payload", "dev/x", ContentKind.CHARACTER_DEVICE, 0, 0o666, "", "root", "root"),
        ),
        (
            Member("/run/x", b"", stat.S_IFIFO | 0o600),
            Content("payload", "run/x", ContentKind.FIFO, 0, 0o600, "", "root", "root"),
        ),
        (
            Member("/odd", b"content", 0),
            Content("payload", "odd", ContentKind.FILE, 7, 0, "", "root", "root"),
        ),
    ],
    ids=["set-id", "symbolic link", "sticky folder", "the root", "device", "fifo", "no type"],
)
def test_kinds_modes_owners_and_targets_are_told(tmp_path: Path, member: Member, expected: Content) -> None:
    (found, _), *_ = listing(reader, make_rpm(tmp_path, files=[member])).values()
    assert found == expected


def test_of_hard_links_the_last_has_the_content(tmp_path: Path) -> None:
    members = [Member("/a", b"text"), Member("/b", b"text"), Member("/c", b"text")]
    same = Value(Tag.FILEINODES, Type.INT32, [7, 7, 7])
    stored = cpio_archive([Member("/a"), Member("/b"), members[2]])
    found = listing(reader, written(tmp_path, whole(same, members=members, payload=stored)))
    kinds = {name: (content.kind, content.target, text) for name, (content, text) in found.items()}
    assert kinds == {
        "payload/a": (ContentKind.HARD_LINK, "c", b""),
        "payload/b": (ContentKind.HARD_LINK, "c", b""),
        "payload/c": (ContentKind.FILE, "", b"text"),
    }


def test_content_that_a_hard_link_should_not_have_is_handed_out(tmp_path: Path) -> None:
    members = [Member("/a", b"evil"), Member("/b", b"text")]
    same = Value(Tag.FILEINODES, Type.INT32, [7, 7])
    found = listing(reader, written(tmp_path, whole(same, members=members)))
    assert {name: text for name, (_, text) in found.items()} == {"payload/a": b"evil", "payload/b": b"text"}


def test_members_that_are_numbered_have_the_sizes_of_the_header(tmp_path: Path) -> None:
    members = [Member("/a", b"text"), Member("/b", b"more text")]
    payload = b""
    for number, member in enumerate(members):
        payload += b"07070X%08x" % number + bytes(2) + member.content + bytes(-len(member.content) % 4)
    found = listing(reader, written(tmp_path, whole(members=members, payload=payload + TRAILER)))
    assert {name: text for name, (_, text) in found.items()} == {"payload/a": b"text", "payload/b": b"more text"}


def test_a_file_twice_in_the_payload_is_handed_out_twice(tmp_path: Path) -> None:
    members = [FILE, Member("/usr/share/other", b"x")]
    payload = file(b"./usr/share/evil") + file(b"./usr/share/evil", b"y" * 600) + TRAILER
    path = written(tmp_path, whole(members=members, payload=payload))
    assert [b"".join(chunks)[:1] for _, chunks in reader.contents([path])] == [b"x", b"y"]


SCRIPTS = [
    *(("%pretrans", Tag.PRETRANS, Tag.PRETRANSPROG), ("%pre", Tag.PREIN, Tag.PREINPROG)),
    *(("%post", Tag.POSTIN, Tag.POSTINPROG), ("%preun", Tag.PREUN, Tag.PREUNPROG)),
    *(("%postun", Tag.POSTUN, Tag.POSTUNPROG), ("%posttrans", Tag.POSTTRANS, Tag.POSTTRANSPROG)),
    *(("%preuntrans", Tag.PREUNTRANS, Tag.PREUNTRANSPROG), ("%postuntrans", Tag.POSTUNTRANS, Tag.POSTUNTRANSPROG)),
    ("%verify", Tag.VERIFYSCRIPT, Tag.VERIFYSCRIPTPROG),
]


@pytest.mark.parametrize(("name", "body", "program"), SCRIPTS, ids=[name for name, _, _ in SCRIPTS])
def test_every_scriptlet_has_its_name_and_its_interpreter(tmp_path: Path, name: str, body: Tag, program: Tag) -> None:
    path = make_rpm(tmp_path, extra=[texts(body, "do\n"), texts(program, "/bin/sh", "-e")])
    content, text = listing(reader, path)[f"script/{name}"]
    assert (content.kind, content.mode, text) == (ContentKind.FILE, 0o755, b"#!/bin/sh -e\ndo\n")


def test_a_scriptlet_may_be_an_interpreter_alone_or_a_body_alone(tmp_path: Path) -> None:
    path = make_rpm(tmp_path, extra=[texts(Tag.POSTINPROG, "/sbin/ldconfig"), texts(Tag.PREIN, "do\n")])
    found = listing(reader, path)
    assert (found["script/%post"][1], found["script/%pre"][1]) == (b"#!/sbin/ldconfig\n", b"do\n")


@pytest.mark.parametrize(
    ("prefix", "tags"),
    [
        ("%", (Tag.TRIGGERSCRIPTS, Tag.TRIGGERSCRIPTPROG, Tag.TRIGGERINDEX, Tag.TRIGGERFLAGS)),
        (
            "%file",
            (Tag.FILETRIGGERSCRIPTS, Tag.FILETRIGGERSCRIPTPROG, Tag.FILETRIGGERINDEX, Tag.FILETRIGGERFLAGS),
        ),
        (
            "%transfile",
            (
                *(Tag.TRANSFILETRIGGERSCRIPTS, Tag.TRANSFILETRIGGERSCRIPTPROG),
                *(Tag.TRANSFILETRIGGERINDEX, Tag.TRANSFILETRIGGERFLAGS),
            ),
        ),
    ],
    ids=["triggers", "file triggers", "transaction file triggers"],
)
def test_triggers_are_numbered_and_called_by_their_kind(
    tmp_path: Path, prefix: str, tags: tuple[Tag, Tag, Tag, Tag]
) -> None:
    bodies, programs, places, flags = tags
    values = [
        Value(bodies, Type.STRING_ARRAY, [b"one\n", b"two\n", b"three\n"]),
        Value(programs, Type.STRING_ARRAY, [b"/bin/sh", b"<lua>", b"/bin/sh"]),
        Value(places, Type.INT32, [0, 0, 1]),
        Value(flags, Type.INT32, [1 << 16, 1 << 16, 1 << 18 | 8]),
    ]
    found = listing(reader, make_rpm(tmp_path, files={}, extra=values))
    assert {name: text for name, (_, text) in found.items()} == {
        f"script/{prefix}triggerin[1]": b"#!/bin/sh\none\n",
        f"script/{prefix}triggerpostun[2]": b"#!<lua>\ntwo\n",
        f"script/{prefix}trigger[3]": b"#!/bin/sh\nthree\n",
    }


def test_files_of_a_source_package_are_of_the_part_source(tmp_path: Path) -> None:
    found = listing(reader, make_srpm(tmp_path))
    assert sorted(found) == ["source/hello-1.0.tar.gz", "source/hello.spec"]
    assert found["source/hello.spec"][1].startswith(b"Name: hello\n")


PARTS = [entry for entry in GALLERY if entry not in NAMES and entry[0] != "another SHA1"]


@pytest.mark.parametrize(("content", "message"), [entry[1:] for entry in PARTS], ids=[entry[0] for entry in PARTS])
def test_hostile_packages_are_refused_with_the_message_of_reading(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(PackageError, match=message):
        listing(strict, written(tmp_path, content))


def test_a_script_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="PREIN has no text"):
        listing(reader, make_rpm(tmp_path, extra=[Value(Tag.PREIN, Type.INT32, [1])]))


def test_content_cannot_be_read_after_the_next_member_was_asked_for(tmp_path: Path) -> None:
    members = reader.contents([make_rpm(tmp_path, files={"/a": b"x", "/b": b"y"})])
    late, _ = next(members)[1], next(members)
    with pytest.raises(RuntimeError, match="before the next one"):
        next(late)


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd", "bzip2", "lzma"])
def test_memory_does_not_grow_with_the_package(tmp_path: Path, compression: str) -> None:
    path = make_rpm(tmp_path, "large", files={"/zeros": bytes(8 << 20)}, compression=compression)
    listing(reader, make_rpm(tmp_path, compression=compression))
    tracemalloc.start()
    try:
        assert sum(len(chunk) for _, chunks in reader.contents([path]) for chunk in chunks) == 8 << 20
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.corpus
@pytest.mark.parametrize("path", PACKAGES, ids=[path.name for path in PACKAGES])
def test_files_of_real_packages_have_the_digests_that_their_headers_say(path: Path) -> None:
    with path.open("rb") as opened:
        head = read_parts(opened, path.stat().st_size, path.name, Limits()).header
    algorithm = HASHES[head.number(Tag.FILEDIGESTALGO) or 1]
    files = read_files(head, 100_000)
    expected = {
        "/".join(part for part in name.decode().split("/") if part not in ("", ".")): digest.decode()
        for name, digest in zip(files.paths, head.strings(Tag.FILEDIGESTS), strict=False)
    }
    for content, text in listing(reader, path).values():
        if content.part != "script" and content.kind is ContentKind.FILE and content.size:
            assert hashlib.new(algorithm, text).hexdigest() == expected[content.path], content.path


def written(folder: Path, content: bytes) -> Path:
    path = folder / "some.rpm"
    path.write_bytes(content)
    return path
