"""What is inside packages of APT: every member, with its content, and hostile ones refused as when they are read."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.errors import PackageError
from entrepot.models import Content, ContentKind
from entrepot_plugins.apt.debfile import DebReader
from support.contents import entry, listing
from support.corpus import corpus_files
from support.debs import ar_archive, compress, make_deb, make_source
from support.hostile_debs import FORMAT, GALLERY, LIMITS, control, data, member, plain

REAL = corpus_files("deb", ".deb", ".udeb", ".ddeb")
reader = DebReader()
strict = DebReader(LIMITS)


@pytest.mark.parametrize("compression", ["", "gz", "xz", "zst", "bz2", "lzma"])
def test_every_file_and_script_is_handed_out(tmp_path: Path, compression: str) -> None:
    files = {"usr/bin/hello": b"ELF" * 50_000, "etc/empty": b""}
    scripts = {"postinst": b"#!/bin/sh\necho hi\n", "md5sums": b"0  x\n", "triggers": b"interest x\n"}
    path = make_deb(tmp_path, files=files, scripts=scripts, compression=compression)
    found = listing(reader, path)
    assert {name: text for name, (content, text) in found.items() if content.kind is ContentKind.FILE} == {
        "control/control": found["control/control"][1],
        "script/postinst": scripts["postinst"],
        "control/md5sums": scripts["md5sums"],
        "control/triggers": scripts["triggers"],
        "payload/usr/bin/hello": files["usr/bin/hello"],
        "payload/etc/empty": b"",
    }
    assert found["control/control"][1].startswith(b"Package: hello\n")
    assert found["payload/."][0].kind is ContentKind.FOLDER
    assert found["payload/usr/bin"][0] == Content(
        "payload", "usr/bin", ContentKind.FOLDER, 0, 0o755, owner="root", group="root"
    )


def _info(
    name: str, kind: bytes, *, mode: int = 0o644, target: str = "", owner: str = "", uid: int = 0
) -> tarfile.TarInfo:
    info, _ = member(name, kind, target)
    info.mode, info.uname, info.uid, info.gid = mode, owner, uid, uid
    return info


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (
            _info("usr/bin/su", tarfile.REGTYPE, mode=0o104755, owner="root"),
            Content("payload", "usr/bin/su", ContentKind.FILE, 0, 0o4755, owner="root", group="0"),
        ),
        (
            _info("etc/x", tarfile.SYMTYPE, target="/opt/\udce9", mode=0o777, uid=8),
            Content("payload", "etc/x", ContentKind.SYMBOLIC_LINK, 0, 0o777, "/opt/\udce9", "8", "8"),
        ),
        (
            _info("./a", tarfile.LNKTYPE, target="./usr/share/evil"),
            Content("payload", "a", ContentKind.HARD_LINK, 0, 0o644, "usr/share/evil", "0", "0"),
        ),
        (
            _info("dev/x", tarfile.CHRTYPE, mode=0o666),
            Content("payload", "dev/x", ContentKind.CHARACTER_DEVICE, 0, 0o666, "", "0", "0"),
        ),
        (
            _info("dev/b", tarfile.BLKTYPE),
            Content("payload", "dev/b", ContentKind.BLOCK_DEVICE, 0, 0o644, "", "0", "0"),
        ),
        (
            _info("run/\udce9", tarfile.FIFOTYPE),
            Content("payload", "run/\udce9", ContentKind.FIFO, 0, 0o644, "", "0", "0"),
        ),
    ],
    ids=["set-id", "symbolic link", "hard link", "character device", "block device", "fifo"],
)
def test_kinds_modes_owners_and_targets_are_told(tmp_path: Path, info: tarfile.TarInfo, expected: Content) -> None:
    path = tmp_path / "odd.deb"
    path.write_bytes(plain(FORMAT, control(), data((info, b""))))
    assert [content for content, _ in reader.contents([path])][-1] == expected


def test_what_dpkg_leaves_out_is_handed_out_too(tmp_path: Path) -> None:
    path = tmp_path / "signed.deb"
    path.write_bytes(ar_archive([FORMAT, ("_first", b"one"), control(), data(), ("_gpgorigin", b"signature")]))
    found = listing(reader, path)
    assert [found[f"control/{name}"][1] for name in ("_first", "_gpgorigin")] == [b"one", b"signature"]


@pytest.mark.parametrize(
    ("content", "message"),
    [item[1:] for item in GALLERY if not item[0].startswith("control: ")],
    ids=[item[0] for item in GALLERY if not item[0].startswith("control: ")],
)
def test_hostile_archives_are_refused_with_the_message_of_reading(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "evil.deb"
    path.write_bytes(content)
    with pytest.raises(PackageError, match=message):
        listing(strict, path)


def test_contents_may_be_left_unread(tmp_path: Path) -> None:
    path = make_deb(tmp_path, files={"a": b"x" * 900_000, "b": b"y"}, compression="xz")
    assert [content.path for content, _ in reader.contents([path])] == ["control", ".", "a", "b"]


def test_contents_may_be_read_in_part(tmp_path: Path) -> None:
    path = make_deb(tmp_path, files={"a": b"x" * 900_000, "b": b"y"}, compression="xz")
    assert [next(chunks, b"")[:1] for _, chunks in reader.contents([path])] == [b"P", b"", b"x", b"y"]


def test_content_cannot_be_read_after_the_next_member_was_asked_for(tmp_path: Path) -> None:
    path = make_deb(tmp_path, files={"a": b"x" * 900_000, "b": b"y"})
    members = reader.contents([path])
    late = [next(members)[1] for _ in range(4)][-2]
    with pytest.raises(RuntimeError, match="before the next one"):
        next(late)


@pytest.mark.parametrize("compression", ["gz", "xz", "zst", "bz2", "lzma"])
def test_memory_does_not_grow_with_the_package(tmp_path: Path, compression: str) -> None:
    path = make_deb(tmp_path, files={"zeros": bytes(24 << 20)}, compression=compression)
    listing(reader, make_deb(tmp_path, "warm", compression=compression))
    tracemalloc.start()
    try:
        assert sum(len(chunk) for _, chunks in reader.contents([path]) for chunk in chunks) > 24 << 20
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.corpus
@pytest.mark.client
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_real_package_has_the_members_that_dpkg_deb_unpacks(path: Path) -> None:
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], check=True, capture_output=True).stdout
    expected = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            digest = hashlib.sha256(file.read() if file else b"").hexdigest()
            name = info.name.removeprefix("./") or "."
            expected[name] = (info.mode & 0o7777, info.uname, info.gname, digest)
    found = {
        content.path: (content.mode, content.owner, content.group, hashlib.sha256(text).hexdigest())
        for content, text in listing(reader, path).values()
        if content.part == "payload"
    }
    assert found == expected


# -------------------------------------------------------------------------------------------------- source packages


def test_a_source_package_has_its_dsc_and_what_is_in_its_tarballs(tmp_path: Path) -> None:
    found = listing(reader, *make_source(tmp_path))
    assert found["control/hello_1.0-1.dsc"][1].startswith(b"Format: 3.0")
    assert found["source/hello_1.0.orig.tar.gz/hello-1.0/README"][1] == b"hello\n"
    assert found["source/hello_1.0-1.debian.tar.xz/debian/rules"][1].startswith(b"#!/usr/bin/make")


def test_other_files_of_a_source_package_come_as_they_are(tmp_path: Path) -> None:
    files = source(tmp_path, b"-diff", "hello_1.0-1.diff.gz")
    assert listing(reader, *files)["source/hello_1.0-1.diff.gz"][1] == b"-diff"


@pytest.mark.parametrize("drop", [1, 2])
def test_a_source_package_that_is_not_whole_is_refused(tmp_path: Path, drop: int) -> None:
    files = make_source(tmp_path)
    with pytest.raises(PackageError, match="which is not there"):
        listing(reader, *(file for number, file in enumerate(files) if number != drop))


def source(folder: Path, archive: bytes, name: str = "hello_1.0.orig.tar") -> list[Path]:
    """A source package whose upstream tarball is ``archive``."""
    files = make_source(folder)
    text = files[0].read_text()
    old = files[1].read_bytes()
    for algorithm in ("md5", "sha1", "sha256"):
        line = f" {hashlib.new(algorithm, old).hexdigest()} {len(old)} {files[1].name}\n"
        assert line in text
        text = text.replace(line, f" {hashlib.new(algorithm, archive).hexdigest()} {len(archive)} {name}\n")
    files[0].write_text(text)
    files[1].unlink()
    upstream = folder / name
    upstream.write_bytes(archive)
    return [files[0], upstream, files[2]]


def tarball(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT, **pax: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, pax_headers=pax) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def upstream_of(folder: Path, archive: bytes) -> dict[str, tuple[Content, bytes]]:
    """The members of an upstream tarball by path."""
    prefix = "source/hello_1.0.orig.tar/"
    found = listing(reader, *source(folder, archive))
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}


LONG = "hello-1.0/" + "n" * 300 + "/\N{SNOWMAN}"


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_are_read_in_both_ways_to_write_them(tmp_path: Path, form: int) -> None:
    archive = tarball(member(LONG, content=b"text"), member("link", tarfile.SYMTYPE, "t" * 300), form=form)
    found = upstream_of(tmp_path, archive)
    assert found[LONG][1] == b"text"
    assert found["link"][0].target == "t" * 300


def test_global_headers_as_git_archive_writes_them_are_read(tmp_path: Path) -> None:
    archive = tarball(member("a", content=b"text"), comment="0123456789abcdef")
    assert upstream_of(tmp_path, archive)["a"][1] == b"text"


def test_a_size_in_a_pax_header_counts(tmp_path: Path) -> None:
    info, content = member("a", content=b"text" * 300)
    info.pax_headers = {"size": str(len(content))}
    archive = bytearray(tarball((info, content), member("b", content=b"after")))
    at = archive.index(b"a" + bytes(99))
    archive[at + 124 : at + 136] = b"00000000000\0"
    archive[at + 148 : at + 156] = b"%06o\0 " % (sum(archive[at : at + 512]) - sum(archive[at + 148 : at + 156]) + 256)
    found = upstream_of(tmp_path, bytes(archive))
    assert found["a"][1] == content
    assert found["b"][1] == b"after"


@pytest.mark.parametrize("version", ["gnu", "0.0", "0.1", "1.0"])
def test_what_follows_a_sparse_file_is_read(tmp_path: Path, version: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with (folder / "sparse").open("wb") as file:
        for number in range(40):
            file.seek(number << 17)
            file.write(b"island")
    (folder / "text").write_bytes(b"after")
    form = ["--format=gnu"] if version == "gnu" else ["--format=pax", f"--sparse-version={version}"]
    command = ["tar", "-S", *form, "-c", "sparse", "text"]
    archive = subprocess.run(command, check=True, capture_output=True, cwd=folder).stdout
    found = upstream_of(tmp_path, archive)
    assert sorted(found) == ["sparse", "text"]
    assert found["sparse"][1].count(b"island") == 40
    assert found["text"][1] == b"after"


@pytest.mark.parametrize(
    ("archive", "path"),
    [
        (tarball(member("/etc/x", content=b"text")), "etc/x"),
        (tarball(member("./../x", content=b"text")), "../x"),
        (tarball(member("l", tarfile.SYMTYPE, "/etc"), member("l/x", content=b"text")), "l/x"),
        (tarball(member("v7", content=b"text"), form=tarfile.USTAR_FORMAT)[:1024], "v7"),
        (tarball(member("old", b"\0", content=b"text")), "old"),
        (tarball(member("contiguous", b"7", content=b"text")), "contiguous"),
        (tarball(member("strange", b"Q", content=b"text")), "strange"),
        (tarball(member("a", content=b"text")) + b"rubbish", "a"),
    ],
    ids=["absolute", "climbs", "through a link", "no end mark", "old", "contiguous", "unknown type", "rubbish behind"],
)
def test_what_gnu_tar_reads_is_read(tmp_path: Path, archive: bytes, path: str) -> None:
    assert upstream_of(tmp_path, archive)[path][1] == b"text"


def _broken(change: Callable[[bytes], bytes]) -> bytes:
    return change(tarball(member("a", content=b"text" * 300), form=tarfile.USTAR_FORMAT))


def _pax(records: bytes, size: int | None = None) -> bytes:
    return tarball(member("h", b"x", content=records, size=size), member("a"), form=tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (_broken(lambda tar: b"x" + tar[1:]), "its sum is wrong"),
        (_broken(lambda tar: tar[:700]), "is cut short in"),
        (_broken(lambda tar: tar[:300]), "is cut short"),
        (b"no tar" * 200, "has a damaged header"),
        (tarball(member("d", tarfile.DIRTYPE, content=b"x")), "d/ is a folder, yet has content"),
        (_pax(b"9999 path=x\n"), "has a damaged pax header"),
        (_pax(b"path=x\n"), "has a damaged pax header"),
        (_pax(b"0 path=x\n"), "has a damaged pax header"),
        (_pax(b"13 size=-12x\n"), "has the size '-12x'"),
        (_pax(b"5010 path=" + b"x" * 4999 + b"\n"), "has a name of 4999 bytes"),
        (
            tarball(member("h", b"x", content=bytes(2 << 20)), form=tarfile.USTAR_FORMAT),
            "a pax header of 2097152 bytes",
        ),
    ],
)
def test_damaged_upstream_tarballs_are_refused(tmp_path: Path, archive: bytes, message: str) -> None:
    files = source(tmp_path, archive)
    with pytest.raises(PackageError, match=rf"hello_1\.0-1\.dsc: hello_1\.0\.orig\.tar.*{message}"):
        listing(reader, *files)


@pytest.mark.parametrize("compression", ["gz", "xz", "bz2", "zst"])
def test_a_bomb_in_a_source_package_is_refused(tmp_path: Path, compression: str) -> None:
    archive = compress(tarball(member("zeros", content=bytes(2 << 20))), compression)
    with pytest.raises(PackageError, match="unpacks to more than 1048576 bytes"):
        listing(strict, *source(tmp_path, archive, f"hello_1.0.orig.tar.{compression}"))


def test_too_many_members_of_a_source_package_are_refused(tmp_path: Path) -> None:
    archive = tarball(*(member(f"m{number}") for number in range(60)))
    with pytest.raises(PackageError, match="has more than 50 members"):
        listing(strict, *source(tmp_path, archive))


@pytest.mark.corpus
@pytest.mark.parametrize("dsc", corpus_files("deb", ".dsc"), ids=lambda path: path.name)
def test_a_real_source_package_has_the_members_that_tar_lists(dsc: Path) -> None:
    files = [dsc, *(dsc.parent / item.name for item in reader.companions(dsc))]
    if not all(path.exists() for path in files):
        pytest.skip("the collection has its .dsc only")
    expected = set()
    for path in files[1:]:
        if ".tar." in path.name and not path.name.endswith(".asc"):
            command = ["tar", "-tf", str(path), "--quoting-style=literal"]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            expected |= {entry(f"{path.name}/{line}") for line in told.splitlines()}
    found = {
        content.path for content, _ in listing(reader, *files).values() if ".tar." in content.path.partition("/")[0]
    }
    assert {path for path in found if "/" in path} == expected
