"""Decompressing indexes as streams."""

from __future__ import annotations

import tracemalloc
from functools import cache
from pathlib import Path

import pytest

from entrepot.errors import IndexFormatError
from entrepot_plugins.shared.compression import CHUNK, SUFFIXES, decompress, default_limit
from support.apt_repository import COMPRESS

COMPRESSED = [suffix for suffix in SUFFIXES if suffix]
TEXT = b"".join(b"Package: package-%d\nVersion: %d\n\n" % (number, number * 7919) for number in range(30_000))


@cache
def compressed(suffix: str) -> bytes:
    """The text, once for all tests: the stronger compressions take half a second."""
    return COMPRESS[suffix](TEXT)


def read(path: Path, suffix: str, limit: int = 10**9) -> bytes:
    return b"".join(decompress(path, suffix, limit=limit, name="Packages"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_was_compressed_comes_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "index"
    path.write_bytes(compressed(suffix))
    assert read(path, suffix) == TEXT


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2", ".zst"])
def test_several_members_are_read_as_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "index"
    path.write_bytes(b"".join(COMPRESS[suffix](part) for part in (TEXT[:500_000], b"", TEXT[500_000:])))
    assert read(path, suffix) == TEXT


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        (suffix, damage)
        for suffix in COMPRESSED
        for damage in ("cut", "flipped", "empty", "garbage", "followed")
        # The old lzma format has no checksum: it is the digests of the Release file that find this.
        if (suffix, damage) != (".lzma", "flipped")
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, suffix: str, damage: str) -> None:
    whole = compressed(suffix)
    middle = len(whole) // 2
    content = {
        "cut": whole[:-5],
        "flipped": whole[:middle] + bytes(byte ^ 0x55 for byte in whole[middle : middle + 8]) + whole[middle + 8 :],
        "empty": b"",
        "garbage": b"<html>not found</html>",
        "followed": whole + b"<html>",
    }[damage]
    path = tmp_path / "index"
    path.write_bytes(content)
    with pytest.raises(IndexFormatError, match="Packages"):
        read(path, suffix)


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_bomb_is_stopped_at_the_limit_with_bounded_memory(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "index"
    path.write_bytes(COMPRESS[suffix](bytes(60_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(IndexFormatError, match="larger than the 40000000 bytes"):
            for _ in decompress(path, suffix, limit=40_000_000, name="Packages"):
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # zstd may unfold 256 bytes to 8 MiB, which are joined once.
    assert peak < 20_000_000


def test_an_index_of_unknown_size_may_unfold_to_so_much_and_no_more() -> None:
    assert default_limit(1000) == 64 << 20
    assert default_limit(10 << 20) == 2500 << 20
    assert default_limit(1 << 40) == 8 << 30


def test_chunks_are_small(tmp_path: Path) -> None:
    path = tmp_path / "index"
    path.write_bytes(COMPRESS[".xz"](TEXT))
    assert max(len(chunk) for chunk in decompress(path, ".xz", limit=10**9, name="x")) <= CHUNK
