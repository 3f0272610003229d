"""ZIP archives are read as a stream, and never believed."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from entrepot.errors import IndexFormatError
from entrepot_plugins.shared.zipped import zip_members


def archive(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def read(path: Path, limit: int = 1 << 20) -> dict[str, bytes]:
    return dict(zip_members(path, suffix=".json", limit=limit))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_files_with_a_suffix_are_read(tmp_path: Path, method: int) -> None:
    files = {"a.json": b"{}", "sub/b.json": b"x" * 5000, "readme.txt": b"no", "empty.json": b""}
    path = archive(tmp_path / "a.zip", files, method)
    assert read(path) == {name: content for name, content in files.items() if name.endswith(".json")}


def test_an_empty_archive_has_no_files(tmp_path: Path) -> None:
    assert read(archive(tmp_path / "a.zip", {})) == {}


def test_an_archive_with_more_files_than_16_bits_count_is_read(tmp_path: Path) -> None:
    count, content = 66_000, b"{}"
    name, crc = b"a.json", zlib.crc32(content)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 0, crc, 2, 2, len(name), 0) + name + content
    directory = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 45, 20, 0, 0, 0, 0, crc, 2, 2, len(name), 0, 0, 0, 0, 0, at) + name
        for at in range(0, count * len(local), len(local))
    )
    start, size = count * len(local), len(directory)
    end = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    end += struct.pack("<4sLQL", b"PK\x06\x07", 0, start + size, 1)
    end += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, size, start, 0)
    path = tmp_path / "many.zip"
    path.write_bytes(local * count + directory + end)
    assert len(zipfile.ZipFile(path).infolist()) == count
    assert sum(content == b"{}" for _, content in zip_members(path, suffix=".json", limit=100)) == count


def test_sizes_that_were_not_known_when_they_were_written_are_read(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as out, out.open("a.json", "w", force_zip64=True) as file:
        file.write(b"[1]")
    path = tmp_path / "a.zip"
    path.write_bytes(pipe.getvalue())
    assert read(path) == {"a.json": b"[1]"}


def cut(data: bytearray) -> None:
    del data[-40:]


def damage_content(data: bytearray) -> None:
    data[40] ^= 0xFF


def lie_about_size(data: bytearray) -> None:
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 10)


def encrypt(data: bytearray) -> None:
    data[data.index(b"PK\x01\x02") + 8] |= 1


def other_method(data: bytearray) -> None:
    data[data.index(b"PK\x01\x02") + 10] = 12


def lead_astray(data: bytearray) -> None:
    at = data.index(b"PK\x01\x02")
    data[at + 42 : at + 46] = struct.pack("<L", len(data) - 5)


def directory_outside(data: bytearray) -> None:
    at = data.rindex(b"PK\x05\x06")
    data[at + 16 : at + 20] = struct.pack("<L", len(data))


def too_many(data: bytearray) -> None:
    at = data.rindex(b"PK\x05\x06")
    data[at + 10 : at + 12] = struct.pack("<H", 500)


def missing_64(data: bytearray) -> None:
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = b"\xff" * 4


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, "it is cut short, or no ZIP archive"),
        (damage_content, "'a.json' cannot be unpacked: it is damaged"),
        (lie_about_size, "'a.json' cannot be unpacked: it is damaged: size or CRC"),
        (encrypt, "it is encrypted"),
        (other_method, "compressed with what JSON is not compressed with"),
        (lead_astray, "it is not where the directory says"),
        (directory_outside, "its directory is not inside of it"),
        (too_many, "its directory is damaged or cut short"),
        (missing_64, "its size is missing"),
    ],
)
def test_a_damaged_archive_is_told_with_its_name(
    tmp_path: Path, spoil: Callable[[bytearray], None], message: str
) -> None:
    path = archive(tmp_path / "a.zip", {"a.json": bytes(range(256)) * 20})
    data = bytearray(path.read_bytes())
    spoil(data)
    path.write_bytes(data)
    with pytest.raises(IndexFormatError, match=message) as caught:
        read(path)
    assert caught.value.data["file"] == "a.zip"


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.json": b"x" * 2000})
    with pytest.raises(IndexFormatError, match="it has 2000 bytes; at most 1000 are read"):
        read(path, limit=1000)


def test_a_bomb_of_many_files_is_refused_before_it_unfolds(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {f"{number}.json": bytes(1 << 20) for number in range(100)})
    with pytest.raises(IndexFormatError, match="its files are more than can be in it"):
        read(path)


def test_files_that_share_their_data_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"a.json": bytes(range(256)) * 40}, zipfile.ZIP_STORED)
    data = path.read_bytes()
    directory = data.index(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    entry = data[directory:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, 50 * len(entry), directory, 0)
    path.write_bytes(data[:directory] + entry * 50 + tail)
    with pytest.raises(IndexFormatError, match="its files are more than can be in it"):
        read(path)
