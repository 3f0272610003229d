"""A workspace on a storage when something goes wrong: killed commands, damaged objects, copies not to be trusted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import zstandard

from entrepot.errors import StorageError
from entrepot.publish.lease import LEASE_SECONDS
from entrepot.remote.layout import CHUNK, CHUNKS, FILES, GENERATIONS, HEAD_KEY
from entrepot_storage.wrappers import FaultyStorage
from support.remote import Place, make_repository


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENTREPOT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield Place().initialised("first")


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after it"])
def test_whoever_is_killed_at_a_write_leaves_the_old_generation_or_the_new_one(
    begun: Place, elsewhere: Callable[[], None], *, after: bool
) -> None:
    outcomes = []
    for call in count(1):
        place = begun.copy()
        place.storage = storage = FaultyStorage(place.storage, fail_at=call, after=after, dead=True)
        elsewhere()
        try:
            with place.opened() as workspace:
                make_repository(workspace, "second")
        except StorageError:
            assert storage.failed
        if not storage.failed:
            break
        place.storage = storage.inner
        place.clock.advance(seconds=LEASE_SECONDS + 1)
        elsewhere()
        outcomes.append(place.names())
        with place.opened() as workspace:
            make_repository(workspace, "third")
        assert place.names() == [*outcomes[-1], "third"]
    assert len(outcomes) > 6
    # The last write gives the lease back; the one before it is the head.
    new = 2 if after else 1
    assert outcomes == [["first"]] * (len(outcomes) - new) + [["first", "second"]] * new


def damaged(place: Place, prefix: str, change: Callable[[bytes], bytes]) -> Place:
    """The place with every object below a prefix changed."""
    other = place.copy()
    for info in list(other.storage.list(prefix)):
        with other.storage.read(info.key) as stream:
            other.storage.write(info.key, change(stream.read()))
    return other


def pointing_out(data: bytes, path: str = "../../evil") -> bytes:
    values = json.loads(data)
    values["files"] = {path: next(iter(values["files"].values()))}
    return json.dumps(values).encode()


@pytest.mark.parametrize(
    ("prefix", "change", "message"),
    [
        (CHUNKS, lambda data: zstandard.compress(bytes(CHUNK)), "has other content than its name says"),
        (CHUNKS, lambda data: zstandard.compress(bytes(1000 * CHUNK)), "has other content than its name says"),
        (CHUNKS, lambda data: b"no zstd", "is damaged"),
        (FILES, lambda data: b"another key", "is damaged"),
        ("catalog/lists/", lambda data: bytes(len(data)), "is damaged"),
        (GENERATIONS, lambda data: b"{}", "is not what a workspace has there"),
        (GENERATIONS, pointing_out, "is not what a workspace has there"),
        (GENERATIONS, lambda data: pointing_out(data, "catalog.db"), "is not what a workspace has there"),
        (GENERATIONS, lambda data: data.replace(b"catalog.db", b"other.db"), "is not what a workspace has there"),
        (HEAD_KEY, lambda data: b"<html>", "is not what a workspace has there"),
        (HEAD_KEY, lambda data: data.replace(b'"format": 1', b'"format": 2'), "this program knows format 1"),
        (HEAD_KEY, lambda data: data.replace(b'"name": "0', b'"name": "../'), "is not what a workspace has there"),
    ],
)
def test_what_is_damaged_on_the_storage_is_named_and_not_believed(
    begun: Place, prefix: str, change: Callable[[bytes], bytes], message: str
) -> None:
    with pytest.raises(StorageError, match=message):
        damaged(begun, prefix, change).names()


def test_a_copy_that_a_killed_command_left_is_repaired(begun: Place, cache: Path) -> None:
    place = begun.copy()
    assert place.names() == ["first"]
    (database,) = cache.rglob("catalog.db")
    content = bytearray(database.read_bytes())
    content[CHUNK : 2 * CHUNK] = bytes(CHUNK)
    database.write_bytes(content)
    database.with_name("catalog.db-wal").write_bytes(b"what nobody committed")
    assert place.names() == ["first"]
    with place.opened() as workspace:
        workspace.catalog.audit.verify()


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    begun: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: found)
    with pytest.raises(StorageError, match="where 1000 are free") as caught:
        begun.copy().names()
    assert "ENTREPOT_CACHE" in caught.value.hint
