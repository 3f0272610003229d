"""Dates of files in a folder: web servers and clients tell one file from the next by them, in whole seconds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from entrepot_storage.local import LocalStorage


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "tree")


def second(storage: LocalStorage, key: str) -> int:
    """When a file was modified, as HTTP tells it."""
    return int((storage.root / key).stat().st_mtime)


def test_every_file_that_replaces_another_one_has_a_later_date(storage: LocalStorage) -> None:
    dates = []
    for content in (b"1", b"2", b"3", b"3"):
        info = storage.write("InRelease", content)
        assert info == storage.stat("InRelease")
        dates.append(second(storage, "InRelease"))
    assert dates == sorted(set(dates))


def test_a_date_from_the_future_is_followed_by_a_later_one(storage: LocalStorage) -> None:
    storage.write("InRelease", b"1")
    os.utime(storage.root / "InRelease", (4e9, 4e9))
    storage.write("InRelease", b"2", if_match=storage.write("InRelease", b"3").etag)
    assert second(storage, "InRelease") == 4_000_000_002


def test_a_file_that_replaces_an_older_one_has_the_date_of_its_writing(storage: LocalStorage) -> None:
    storage.write("InRelease", b"1")
    os.utime(storage.root / "InRelease", (1e9, 1e9))
    info = storage.write("InRelease", b"2")
    storage.write("new", b"2")
    assert 0 <= second(storage, "new") - int(info.modified.timestamp()) < 60


def test_a_copy_that_shares_its_file_leaves_its_date_alone(storage: LocalStorage) -> None:
    storage.write("by-hash/1", b"1")
    os.utime(storage.root / "by-hash/1", (1e9, 1e9))
    storage.write("Packages.gz", b"0")
    info = storage.copy(storage, "by-hash/1", "Packages.gz")
    assert second(storage, "by-hash/1") == info.modified.timestamp() == 1e9
