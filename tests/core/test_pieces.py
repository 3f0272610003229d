"""Indexes in pieces: valid for every program, and no work for what did not change."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import lzma
import os
import random
import shutil
import subprocess
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.contracts import IndexText, RenderedFile
from entrepot.errors import NotFoundError, StorageError, UsageError
from entrepot.models import EntryRef, PackageFile, PublishedEntry, Sha256
from entrepot.publish.bodies import PathBody
from entrepot.publish.encoders import COMPRESSIONS, Extent, Levels, make_codec
from entrepot.publish.pieces import PIECE_MAX, PIECE_MIN, EntryText, IndexRenderer, PieceCache

LONG_AGO = 1_000_000_000


class Shelf:
    """Packages by id, and a count of how many were asked for."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self.entries = {
            number: PublishedEntry(text, "pool/a", (PackageFile("a.deb", 1, Sha256("0" * 64)),))
            for number, text in enumerate(texts, 1)
        }
        self.loaded = 0

    def refs(self) -> list[EntryRef]:
        return [EntryRef(n, hashlib.blake2b(e.raw, digest_size=16).digest()) for n, e in self.entries.items()]

    def load(self, ids: Sequence[int]) -> Iterable[PublishedEntry]:
        for number in ids:
            self.loaded += 1
            yield self.entries[number]

    def renderer(self, folder: Path, *, salt: str = "test 1") -> IndexRenderer:
        return IndexRenderer(PieceCache(folder), self.load, salt=salt)


def as_it_is(published: PublishedEntry) -> bytes:
    return published.raw


def shouted(published: PublishedEntry) -> bytes:
    return published.raw.upper()


def numbered(count: int) -> Shelf:
    return Shelf(b"Package: p%d\nDescription: %s\n\n" % (n, b"text " * (n % 7)) for n in range(count))


def content(file: RenderedFile) -> bytes:
    data = b"".join(file.body.chunks())
    assert len(data) == file.size
    assert hashlib.sha256(data).hexdigest() == file.sha256
    return data


def contents(files: Mapping[str, RenderedFile]) -> dict[str, bytes]:
    return {name: content(file) for name, file in files.items()}


def unpack(compression: str, data: bytes) -> bytes:
    """Decompresses with a library, refusing anything but one xz stream."""
    if compression == "gz":
        return gzip.decompress(data)
    if compression == "zst":
        return zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress(data)
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    plain = stream.decompress(data)
    assert stream.eof
    assert not stream.unused_data
    return plain


def packed(compression: str, pieces: Sequence[Sequence[bytes]], levels: Levels) -> bytes:
    codec = make_codec(compression, levels)
    out = bytearray(codec.start)
    extents = []
    for piece in pieces:
        encoder = codec.encoder()
        encoded = b"".join(map(encoder.feed, piece)) + encoder.finish()
        out += encoded
        extents.append(Extent(sum(map(len, piece)), len(encoded), len(encoded) - encoder.padding))
    return bytes(out + codec.end(extents))


PIECES = st.lists(st.lists(st.binary(max_size=40) | st.binary(min_size=1, max_size=9).map(lambda b: b * 5000)))


@pytest.mark.parametrize("compression", COMPRESSIONS)
@given(pieces=PIECES, level=st.integers(1, 9))
@settings(deadline=None)
def test_any_split_into_pieces_is_one_file_with_the_plain_bytes(
    compression: str, pieces: list[list[bytes]], level: int
) -> None:
    data = packed(compression, pieces, Levels(gz=level, xz=level, zst=level))
    assert unpack(compression, data) == b"".join(b"".join(piece) for piece in pieces)


PROGRAMS = {"gz": "gzip", "xz": "xz", "zst": "zstd"}


@pytest.mark.client
@pytest.mark.parametrize("compression", COMPRESSIONS)
@given(pieces=PIECES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_program_of_the_compression_reads_any_split(
    tmp_path: Path, compression: str, pieces: list[list[bytes]]
) -> None:
    program = PROGRAMS[compression]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    path = tmp_path / f"data.{compression}"
    path.write_bytes(packed(compression, pieces, Levels()))
    subprocess.run([program, "-t", "-q", path], check=True)
    plain = subprocess.run([program, "-dc", path], check=True, capture_output=True).stdout
    assert plain == b"".join(b"".join(piece) for piece in pieces)


@pytest.mark.client
@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("count", [0, 1, 3000])
def test_apt_reads_a_rendered_index(tmp_path: Path, compression: str, count: int) -> None:
    helper = Path("/usr/lib/apt/apt-helper")
    if not helper.exists():
        pytest.skip("apt is not installed")
    shelf = numbered(count)
    files = shelf.renderer(tmp_path / "cache")(shelf.refs(), as_it_is, compressions=[compression])
    path = tmp_path / f"Packages.{compression}"
    path.write_bytes(content(files[compression]))
    assert subprocess.run([helper, "cat-file", path], check=True, capture_output=True).stdout == content(files[""])


@pytest.mark.parametrize("count", [0, 1, PIECE_MIN, PIECE_MAX, 5000])
def test_every_compression_holds_head_entries_and_tail_in_order(tmp_path: Path, count: int) -> None:
    shelf = numbered(count)
    files = contents(
        shelf.renderer(tmp_path)(shelf.refs(), as_it_is, compressions=COMPRESSIONS, head=b"<h>\n", tail=b"</h>\n")
    )
    plain = b"<h>\n" + b"".join(entry.raw for entry in shelf.entries.values()) + b"</h>\n"
    assert files.pop("") == plain
    assert {name: unpack(name, data) for name, data in files.items()} == dict.fromkeys(COMPRESSIONS, plain)


def test_the_same_packages_give_the_same_bytes_from_another_cache(tmp_path: Path) -> None:
    shelf = numbered(1500)
    first, second = (
        contents(shelf.renderer(tmp_path / name)(shelf.refs(), as_it_is, compressions=COMPRESSIONS)) for name in "ab"
    )
    assert first == second


def test_what_did_not_change_is_not_loaded_again(tmp_path: Path) -> None:
    shelf = numbered(3000)
    before = contents(shelf.renderer(tmp_path)(shelf.refs(), as_it_is))
    shelf.loaded = 0
    after = contents(shelf.renderer(tmp_path)(shelf.refs(), as_it_is))
    assert after == before
    assert shelf.loaded == 0


@pytest.mark.parametrize("change", ["added", "removed", "replaced"])
def test_a_change_costs_the_pieces_next_to_it_wherever_it_is(tmp_path: Path, change: str) -> None:
    shelf = numbered(12000)
    refs = shelf.refs()
    shelf.renderer(tmp_path)(refs, as_it_is)
    shelf.entries[0] = PublishedEntry(b"Package: new\n\n", "pool/n", ())
    new = EntryRef(0, bytes(16))  # ends in a zero byte: the kind that moves a cut
    costs = []
    for place in random.Random(7).sample(range(len(refs)), 20):
        changed = list(refs)
        changed[place : place + (change != "added")] = [] if change == "removed" else [new]
        shelf.loaded = 0
        shelf.renderer(tmp_path)(changed, as_it_is)
        costs.append(shelf.loaded)
    assert sum(costs) / len(costs) < 3 * (PIECE_MIN + 256)
    assert max(costs) < len(refs) / 3


def test_another_compression_is_made_without_touching_the_others(tmp_path: Path) -> None:
    shelf = numbered(600)
    shelf.renderer(tmp_path)(shelf.refs(), as_it_is, compressions=["gz"])
    before = {path: path.stat().st_ino for path in tmp_path.glob("*/*")}
    shelf.renderer(tmp_path)(shelf.refs(), as_it_is, compressions=["gz", "xz"])
    after = {path: path.stat().st_ino for path in tmp_path.glob("*/*")}
    assert before.items() < after.items()


def shouting(published: PublishedEntry) -> bytes:
    return published.raw.upper()


@pytest.mark.parametrize(("entry", "salt"), [(shouting, "test 1"), (as_it_is, "test 2")])
def test_pieces_of_another_text_are_never_taken_for_these(tmp_path: Path, entry: EntryText, salt: str) -> None:
    shelf = numbered(10)
    shelf.renderer(tmp_path)(shelf.refs(), as_it_is)
    shelf.loaded = 0
    shelf.renderer(tmp_path, salt=salt)(shelf.refs(), entry)
    assert shelf.loaded == 10


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def cut_into_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def flip_in_header(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)


def flip_in_body(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage", [Path.unlink, empty, cut_into_header, cut_short, lengthen, flip_in_header, flip_in_body]
)
def test_a_damaged_piece_is_rendered_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    shelf = numbered(2500)
    before = contents(shelf.renderer(tmp_path)(shelf.refs(), as_it_is, compressions=COMPRESSIONS))
    for path in sorted(tmp_path.glob("*/*"))[::3]:
        damage(path)
    after = contents(shelf.renderer(tmp_path)(shelf.refs(), as_it_is, compressions=COMPRESSIONS))
    assert after == before


def test_a_piece_that_vanishes_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    shelf = numbered(10)
    files = shelf.renderer(tmp_path)(shelf.refs(), as_it_is)
    shutil.rmtree(tmp_path)
    with pytest.raises(StorageError, match="cannot be read"):
        content(files["gz"])


def test_a_file_that_shrank_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    body = PathBody.whole(path)
    path.write_bytes(b"123")
    with pytest.raises(StorageError, match="ends 2 bytes too early"):
        list(body.chunks())


def test_a_body_can_be_read_twice(tmp_path: Path) -> None:
    shelf = numbered(700)
    file = shelf.renderer(tmp_path)(shelf.refs(), as_it_is)["gz"]
    assert content(file) == content(file)


def test_indexes_of_the_same_packages_are_as_if_each_was_rendered_alone_and_load_each_package_once(
    tmp_path: Path,
) -> None:
    shelf = numbered(3 * PIECE_MIN)
    texts = {"a": IndexText(as_it_is, b"<a>", b"</a>"), "b": IndexText(shouted, b"<b>", b"</b>")}
    together = shelf.renderer(tmp_path / "together").together(shelf.refs(), texts, COMPRESSIONS)
    assert shelf.loaded == len(shelf.entries)
    for name, text in texts.items():
        alone = shelf.renderer(tmp_path / name)(shelf.refs(), text.entry, COMPRESSIONS, text.head, text.tail)
        assert contents(together[name]) == contents(alone)


@pytest.mark.parametrize("chunks", [[], [b"all of it"], [b"a", b"", b"text " * 100_000, b"z"]])
def test_a_text_that_is_no_index_has_every_compression(tmp_path: Path, chunks: list[bytes]) -> None:
    rendered = contents(numbered(0).renderer(tmp_path).text(lambda: chunks, COMPRESSIONS))
    for name in COMPRESSIONS:
        assert unpack(name, rendered[name]) == rendered[""] == b"".join(chunks)


def test_a_text_that_did_not_change_is_not_compressed_again(tmp_path: Path) -> None:
    renderer = numbered(0).renderer(tmp_path)
    first = contents(renderer.text(lambda: [b"the ", b"same"]))
    before = sorted(tmp_path.rglob("*.*"))
    assert contents(renderer.text(lambda: [b"the same"])) == first
    assert sorted(tmp_path.rglob("*.*")) == before
    assert contents(renderer.text(lambda: [b"another"])) != first


def test_an_entry_that_cannot_be_rendered_leaves_nothing_behind(tmp_path: Path) -> None:
    def broken(published: PublishedEntry) -> bytes:
        if published.raw.startswith(b"Package: p99\n"):
            raise ValueError("no")
        return published.raw

    shelf = numbered(100)
    with pytest.raises(ValueError, match="no"):
        shelf.renderer(tmp_path)(shelf.refs(), broken, compressions=COMPRESSIONS)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_package_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    shelf = numbered(5)
    renderer = IndexRenderer(PieceCache(tmp_path), lambda ids: shelf.load(ids[:3]), salt="test 1")
    with pytest.raises(NotFoundError, match="2 packages"):
        renderer(shelf.refs(), as_it_is)


@pytest.mark.parametrize("compression", ["bz2", "lzma", "../x"])
def test_a_compression_that_is_not_offered_is_refused(tmp_path: Path, compression: str) -> None:
    with pytest.raises(UsageError, match="cannot be compressed") as caught:
        numbered(1).renderer(tmp_path)([], as_it_is, compressions=[compression])
    assert caught.value.hint == "choose from gz, xz, zst"


@pytest.mark.parametrize("levels", [{"gz": 0}, {"xz": 10}, {"zst": 23}])
def test_a_level_out_of_range_is_refused(levels: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="level is between"):
        Levels(**levels)


def test_a_cache_in_a_place_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot hold rendered indexes"):
        PieceCache(tmp_path / "file" / "cache")


def test_pieces_unused_for_long_are_collected_and_others_stay(tmp_path: Path) -> None:
    shelf = numbered(2000)
    renderer = shelf.renderer(tmp_path)
    renderer(shelf.refs(), as_it_is)
    for path in tmp_path.glob("*/*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    kept = renderer(shelf.refs()[:300], as_it_is)  # the first piece or two, which are in use again
    before = sum(path.stat().st_size for path in tmp_path.glob("*/*"))
    freed = PieceCache(tmp_path).collect(dt.datetime.fromtimestamp(LONG_AGO + 1, dt.UTC))
    after = sum(path.stat().st_size for path in tmp_path.glob("*/*"))
    assert content(kept["gz"])
    assert 0 < freed == before - after


def test_several_at_a_time_can_use_one_cache(tmp_path: Path) -> None:
    shelf = numbered(1500)
    barrier = threading.Barrier(4)
    results: list[dict[str, bytes]] = []

    def work() -> None:
        barrier.wait()
        results.append(contents(shelf.renderer(tmp_path)(shelf.refs(), as_it_is, compressions=COMPRESSIONS)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(result == results[0] for result in results)


def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    text = random.Random(1).randbytes(20_000)

    def load(ids: Sequence[int]) -> Iterable[PublishedEntry]:
        return (PublishedEntry(b"%d%s" % (number, text), "pool/a", ()) for number in ids)

    renderer = IndexRenderer(PieceCache(tmp_path), load, salt="test 1")
    refs = (EntryRef(number, number.to_bytes(16)) for number in range(1, 1500))  # 30 MB, in pieces of 5 MB
    tracemalloc.start()
    try:
        renderer(refs, as_it_is)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000
