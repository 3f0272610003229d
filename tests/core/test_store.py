"""The private store: every file once, by its sha256, and checked when it comes out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from entrepot.contracts import Storage
from entrepot.errors import NotFoundError, StorageError
from entrepot.store import ArtifactStore, file_sha256
from entrepot_storage.local import LocalStorage
from entrepot_storage.memory import MemoryStorage
from entrepot_storage.wrappers import FaultyStorage

CONTENT = b"beep" * 300_000


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return LocalStorage(tmp_path / "store") if request.param == "local" else MemoryStorage()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "robot.toy"
    path.write_bytes(CONTENT)
    return path


def test_a_file_is_kept_under_its_digest_and_stays_where_it_was(storage: Storage, path: Path) -> None:
    store, sha256 = ArtifactStore(storage), file_sha256(path)
    assert sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (store.has(sha256), store.size(sha256)) == (False, None)
    store.add(path, sha256)
    assert (store.has(sha256), store.size(sha256)) == (True, len(CONTENT))
    assert path.read_bytes() == CONTENT
    with store.open(sha256) as stream:
        assert stream.read() == CONTENT
    assert [info.key for info in storage.list()] == [f"artifacts/{sha256[:2]}/{sha256}"]


def test_the_same_content_is_kept_once(storage: Storage, path: Path, tmp_path: Path) -> None:
    store, sha256 = ArtifactStore(storage), file_sha256(path)
    store.add(path, sha256)
    before = storage.stat(store.key(sha256))
    other = path.rename(tmp_path / "other.toy")
    store.add(other, sha256)
    assert storage.stat(store.key(sha256)) == before


def test_a_file_comes_out_under_the_name_that_is_asked_for_and_goes_again(
    storage: Storage, path: Path, tmp_path: Path
) -> None:
    store, sha256 = ArtifactStore(storage), file_sha256(path)
    store.add(path, sha256)
    with store.local(sha256, "hello.toy", tmp_path) as local:
        assert (local.name, local.read_bytes()) == ("hello.toy", CONTENT)
    assert not local.exists()


def test_a_damaged_file_does_not_come_out(storage: Storage, path: Path, tmp_path: Path) -> None:
    store, sha256 = ArtifactStore(storage), file_sha256(path)
    storage.write(store.key(sha256), CONTENT + b"!")
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(StorageError, match=f"the artifact {sha256} has other content than its name says"):
        store.copy_out(sha256, folder / "robot.toy")
    assert list(folder.iterdir()) == []


def test_a_file_that_is_not_there_is_an_error_and_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(NotFoundError):
        ArtifactStore(storage).copy_out("0" * 64, folder / "robot.toy")
    assert list(folder.iterdir()) == []


def test_a_file_can_be_forgotten(storage: Storage, path: Path) -> None:
    store, sha256 = ArtifactStore(storage), file_sha256(path)
    store.add(path, sha256)
    store.remove(sha256)
    store.remove(sha256)
    assert not store.has(sha256)


def test_a_write_that_fails_keeps_nothing(path: Path) -> None:
    inner = MemoryStorage()
    with pytest.raises(StorageError, match="failed on purpose"):
        ArtifactStore(FaultyStorage(inner, fail_at=1)).add(path, file_sha256(path))
    assert list(inner.list()) == []
