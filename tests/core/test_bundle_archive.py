"""The archive of a bundle: every byte of it counts, and nothing but what is expected gets through."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.bundles import ArchiveReader, ArchiveWriter, ChunkWriter, check_chunks, is_chunked, open_chunks
from entrepot.bundles.archive import header
from entrepot.errors import BundleError

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
MEMBERS = {"manifest.json": b"{}", "empty": b"", "rows.jsonl": b"x" * 700, "files/one": bytes(range(256)) * 4}


def archive(members: dict[str, bytes] = MEMBERS) -> bytes:
    sink = io.BytesIO()
    writer = ArchiveWriter(sink, NOW)
    for name, content in members.items():
        writer.add(name, len(content), [content] if content else [], hashlib.sha256(content).hexdigest())
    writer.close()
    return sink.getvalue()


def read(data: bytes) -> list[bytes]:
    reader = ArchiveReader(io.BytesIO(data), "bundle")
    found = [
        b"".join(reader.member(name, len(content), hashlib.sha256(content).hexdigest()))
        for name, content in MEMBERS.items()
    ]
    reader.end()
    return found


WHOLE = archive()


def test_what_was_written_is_read() -> None:
    assert read(WHOLE) == list(MEMBERS.values())


def test_any_tar_unpacks_it() -> None:
    with tarfile.open(fileobj=io.BytesIO(WHOLE)) as tar:
        unpacked = {item.name: tar.extractfile(item) for item in tar}
        assert {name: file.read() for name, file in unpacked.items() if file} == MEMBERS
        assert {item.mtime for item in tar} == {int(NOW.timestamp())}


def test_a_file_of_more_than_eight_gigabytes_has_a_header_that_tar_reads() -> None:
    assert tarfile.TarInfo.frombuf(header("large", 9 << 30, 0), "utf-8", "strict").size == 9 << 30


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_byte_can_be_another(place: int, change: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] ^= change
    with pytest.raises(BundleError):
        read(bytes(damaged))


def test_no_member_can_have_fewer_bytes_than_none() -> None:
    stream = io.BytesIO(header("manifest.json", -1, 0) + bytes(1 << 20))
    with pytest.raises(BundleError, match=r"the header of manifest\.json is damaged"):
        ArchiveReader(stream, "bundle").whole("manifest.json", 100)
    assert stream.tell() == 512


@given(st.integers(0, len(WHOLE) - 1))
def test_it_cannot_end_early(length: int) -> None:
    with pytest.raises(BundleError):
        read(WHOLE[:length])


@pytest.mark.parametrize("more", [b"\0", b"x", bytes(512), bytes(10240), WHOLE], ids=lambda more: str(len(more)))
def test_nothing_may_follow_it(more: bytes) -> None:
    with pytest.raises(BundleError, match="does not end where it should"):
        read(WHOLE + more)


def with_member(make: Callable[[tarfile.TarInfo], bytes]) -> bytes:
    """The archive as ``tarfile`` writes it, with something odd in place of its first member."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("manifest.json")
        content = make(info)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return sink.getvalue()


def linked(kind: bytes, target: str) -> Callable[[tarfile.TarInfo], bytes]:
    def make(info: tarfile.TarInfo) -> bytes:
        info.type, info.linkname = kind, target
        return b""

    return make


def named(name: str) -> Callable[[tarfile.TarInfo], bytes]:
    def make(info: tarfile.TarInfo) -> bytes:
        info.name = name
        return b"{}"

    return make


@pytest.mark.parametrize(
    "make",
    [
        linked(tarfile.SYMTYPE, "/etc/passwd"),
        linked(tarfile.LNKTYPE, "manifest.json"),
        linked(tarfile.CHRTYPE, ""),
        linked(tarfile.DIRTYPE, ""),
        linked(tarfile.GNUTYPE_SPARSE, ""),
        named("../manifest.json"),
        named("/manifest.json"),
        named("n" * 200),
    ],
    ids=["symbolic link", "hard link", "device", "folder", "sparse", "upwards", "absolute", "long name"],
)
def test_only_plain_files_under_their_own_names_are_read(make: Callable[[tarfile.TarInfo], bytes]) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        read(with_member(make))


def test_members_in_another_order_or_twice_are_refused() -> None:
    for order in (["rows.jsonl", "manifest.json"], ["manifest.json", "manifest.json"]):
        with pytest.raises(BundleError, match="should be"):
            read(archive({f"{name}": MEMBERS[name] for name in order} if order[0] != order[1] else {order[0]: b"{}"}))


def test_a_member_that_is_larger_than_allowed_is_not_read() -> None:
    reader = ArchiveReader(io.BytesIO(archive({"manifest.json": bytes(100)})), "bundle")
    with pytest.raises(BundleError, match="at most 99 are read"):
        reader.whole("manifest.json", 99)


# ---------------------------------------------------------------------------------------------------------- pieces


@pytest.fixture
def pieces(tmp_path: Path) -> Path:
    writer = ChunkWriter(tmp_path, tmp_path / "bundle", 1000)
    writer.write(WHOLE)
    writer.close()
    return tmp_path / "bundle"


def joined(path: Path) -> bytes:
    with open_chunks(path) as reader:
        return reader.read(1 << 20)


def test_pieces_are_read_as_one_by_the_first_or_by_what_all_are_called(pieces: Path) -> None:
    first = pieces.with_name("bundle.001")
    assert is_chunked(first)
    assert is_chunked(pieces)
    assert joined(first) == joined(pieces) == WHOLE
    assert check_chunks(first) == []
    assert first.stat().st_size == 1000


def test_the_list_of_pieces_is_what_sha256sum_reads(pieces: Path) -> None:
    lines = pieces.with_name("bundle.sha256").read_text().splitlines()
    assert lines[0] == f"{hashlib.sha256(WHOLE[:1000]).hexdigest()}  bundle.001"
    assert len(lines) == -(-len(WHOLE) // 1000)


def test_a_damaged_piece_is_named_and_so_is_one_that_is_missing(pieces: Path) -> None:
    third, fifth = pieces.with_name("bundle.003"), pieces.with_name("bundle.005")
    third.write_bytes(third.read_bytes()[:-1] + b"!")
    fifth.unlink()
    assert [str(problem) for problem in check_chunks(pieces)] == [
        f"{third} is damaged: it is not what .sha256 says",
        f"{fifth} is missing",
    ]
    with pytest.raises(BundleError, match=r"bundle\.003 is damaged"):
        joined(pieces)


def test_pieces_are_read_without_their_list_too(pieces: Path) -> None:
    pieces.with_name("bundle.sha256").unlink()
    assert joined(pieces) == WHOLE


@pytest.mark.parametrize("line", ["nonsense", f"{'0' * 64}  ../bundle.001", f"{'0' * 64}  bundle.002"])
def test_a_list_that_names_other_files_is_refused(pieces: Path, line: str) -> None:
    pieces.with_name("bundle.sha256").write_text(line + "\n")
    with pytest.raises(BundleError, match="is no list of the pieces"):
        joined(pieces)
