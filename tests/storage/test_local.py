"""What is particular to a storage that is a folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import NotFoundError, PreconditionError, SettingsError, StorageError
from entrepot_storage.contract.base import at_once, content, keys
from entrepot_storage.local import LocalStorage, LocalStorageFactory
from entrepot_storage.memory import MemoryStorage


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if ".tmp" not in path.parts)


# ---------------------------------------------------------------------------------------------------- files on disk


def test_the_root_is_made_by_the_first_write(tmp_path: Path) -> None:
    root = tmp_path / "not" / "yet"
    storage = LocalStorage(root)
    assert keys(storage) == []
    assert storage.stat("a") is None
    storage.delete("a")
    assert not root.exists()
    storage.write("pool/a", b"a")
    assert (root / "pool" / "a").read_bytes() == b"a"


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(
    ("mask", "mode", "folder"), [(0o022, 0o644, 0o755), (0o002, 0o664, 0o775), (0o077, 0o600, 0o700)]
)
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, mode: int, folder: int) -> None:
    os.umask(mask)
    storage = LocalStorage(tmp_path / "root")
    storage.write("pool/a", b"a")
    storage.copy(storage, "pool/a", "pool/b")
    found = [stat.S_IMODE((tmp_path / "root" / name).stat().st_mode) for name in ("pool/a", "pool/b", "pool", ".")]
    assert found == [mode, mode, folder, folder]


@pytest.mark.usefixtures("umask")
def test_unfinished_files_are_out_of_reach_for_a_web_server(tmp_path: Path) -> None:
    LocalStorage(tmp_path).write("a", b"a")
    assert stat.S_IMODE((tmp_path / ".tmp").stat().st_mode) & 0o007 == 0


def test_nothing_but_locks_is_left_beside_the_objects(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("a", b"a")
    storage.write("a", b"b", if_match=storage.write("a", b"c").etag)
    storage.write("b", b"b", if_absent=True)
    storage.copy(storage, "a", "b")
    storage.copy(storage, "a", "b")
    with pytest.raises(PreconditionError):
        storage.write("b", b"b", if_absent=True)
    storage.delete("a")
    assert {path.name.partition("-")[0] for path in (tmp_path / ".tmp").iterdir()} == {"lock"}


def test_deleting_takes_the_folders_that_are_empty_then_but_not_the_root(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("pool/main/h/hello/hello.deb", b"")
    storage.write("pool/main/n/nginx/nginx.deb", b"")
    storage.delete("pool/main/h/hello/hello.deb")
    assert files(tmp_path) == ["pool", "pool/main", "pool/main/n", "pool/main/n/nginx", "pool/main/n/nginx/nginx.deb"]
    storage.delete("pool/main/n/nginx/nginx.deb")
    assert files(tmp_path) == []
    assert tmp_path.is_dir()


def test_a_storage_that_syncs_flushes_the_file_and_every_folder_that_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    storage = LocalStorage(tmp_path / "root", fsync=True)
    storage.write("pool/main/a", b"a")
    assert [name.partition("-")[0] for name in synced] == ["part", "root", "pool", "main"]
    synced.clear()
    storage.copy(storage, "pool/main/a", "pool/b")
    assert [name.partition("-")[0] for name in synced] == ["part", "pool"]
    synced.clear()
    storage.delete("pool/b")
    assert synced == ["pool"]


def test_a_listing_opens_only_the_folder_that_its_prefix_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(tmp_path)
    for name in ("dists/stable/InRelease", "dists/testing/InRelease", "pool/a/a.deb", "pool/b/b.deb"):
        storage.write(name, b"")
    scanned: list[str] = []
    scandir = os.scandir

    def noted(descriptor: int) -> object:
        scanned.append(os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), tmp_path))
        return scandir(descriptor)

    monkeypatch.setattr(os, "scandir", noted)
    assert keys(storage, "dists/sta") == ["dists/stable/InRelease"]
    assert scanned == ["dists", "dists/stable"]


# ------------------------------------------------------------------------------------------------------------- links


def test_copying_between_folders_of_one_file_system_shares_the_file(tmp_path: Path) -> None:
    store, tree = LocalStorage(tmp_path / "store"), LocalStorage(tmp_path / "tree")
    info = store.write("ab/cd", b"content")
    assert tree.copy(store, "ab/cd", "pool/a.deb").etag == info.etag
    assert (tmp_path / "store/ab/cd").samefile(tmp_path / "tree/pool/a.deb")
    store.delete("ab/cd")
    assert content(tree, "pool/a.deb") == b"content"


def test_a_storage_without_links_copies(tmp_path: Path) -> None:
    store, tree = LocalStorage(tmp_path / "store"), LocalStorage(tmp_path / "tree", hardlinks=False)
    store.write("a", b"content" * 100_000)
    tree.copy(store, "a", "a")
    assert not (tmp_path / "store/a").samefile(tmp_path / "tree/a")
    assert content(tree, "a") == b"content" * 100_000


@pytest.mark.usefixtures("umask")
def test_a_file_that_a_web_server_could_not_read_is_copied_instead_of_linked(tmp_path: Path) -> None:
    store, tree = LocalStorage(tmp_path / "store"), LocalStorage(tmp_path / "tree")
    store.write("a", b"content")
    (tmp_path / "store/a").chmod(0o600)
    tree.copy(store, "a", "a")
    assert stat.S_IMODE((tmp_path / "tree/a").stat().st_mode) == 0o644
    assert content(tree, "a") == b"content"
    assert stat.S_IMODE((tmp_path / "store/a").stat().st_mode) == 0o600


def test_copying_across_file_systems_copies_the_bytes(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    writable = [folder for folder in (Path("/dev/shm"), Path("/var/tmp")) if os.access(folder, os.W_OK)]
    others = [folder for folder in writable if folder.stat().st_dev != tmp_path.stat().st_dev]
    if not others:
        pytest.skip("there is no second file system that can be written")
    origin = LocalStorage(others[0] / f"entrepot-test-{os.getpid()}")
    tree = LocalStorage(tmp_path)
    try:
        origin.write("a", b"content" * 100_000)
        tree.copy(origin, "a", "pool/a")
        assert content(tree, "pool/a") == b"content" * 100_000
    finally:
        origin.delete("a")
        for lock in (origin.root / ".tmp").iterdir():
            lock.unlink()
        (origin.root / ".tmp").rmdir()
        origin.root.rmdir()


@pytest.fixture
def poor_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has neither hard links nor copies by the kernel, as FAT and some network file systems."""

    def refuse(*arguments: object, **options: object) -> int:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "copy_file_range", refuse)


@pytest.mark.usefixtures("poor_file_system")
def test_a_file_system_without_links_copies(tmp_path: Path) -> None:
    store, tree = LocalStorage(tmp_path / "store"), LocalStorage(tmp_path / "tree")
    store.write("a", b"content" * 100_000)
    assert tree.copy(store, "a", "a").size == 700_000
    assert content(tree, "a") == b"content" * 100_000
    assert not (tmp_path / "store/a").samefile(tmp_path / "tree/a")


@pytest.mark.usefixtures("poor_file_system")
def test_a_file_system_without_links_still_has_one_winner(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)

    def task(number: int) -> bool:
        try:
            storage.write("lease", str(number).encode(), if_absent=True)
        except PreconditionError:
            return False
        return True

    assert at_once(task) == 1


# ------------------------------------------------------------------------------------------------- hostile surroundings


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_bytes(b"secret")
    return folder


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    made = LocalStorage(tmp_path / "root")
    made.write("dists/a", b"a")
    return made


@pytest.mark.parametrize("above", ["", "dists/"])
def test_nothing_is_done_through_a_linked_folder(storage: LocalStorage, outside: Path, above: str) -> None:
    (storage.root / above / "pool").symlink_to(outside)
    key = f"{above}pool/secret"
    for attempt in (
        lambda: storage.write(key, b"x"),
        lambda: storage.write(f"{above}pool/new/x", b"x"),
        lambda: storage.write(f"{above}pool/x", b"x", if_absent=True),
        lambda: storage.copy(storage, "dists/a", key),
        lambda: storage.copy(storage, key, "dists/b"),
        lambda: storage.read(key),
        lambda: storage.stat(key),
        lambda: storage.delete(key),
    ):
        with pytest.raises(StorageError, match="symbolic link"):
            attempt()
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"
    assert keys(storage) == ["dists/a"]


def test_a_linked_file_is_no_object_and_is_replaced_not_followed(storage: LocalStorage, outside: Path) -> None:
    (storage.root / "pool").symlink_to(outside / "secret")
    assert storage.stat("pool") is None
    with pytest.raises(NotFoundError):
        storage.read("pool")
    with pytest.raises(NotFoundError):
        storage.copy(storage, "pool", "b")
    with pytest.raises(PreconditionError):
        storage.write("pool", b"x", if_absent=True)
    storage.delete("pool")
    assert keys(storage) == ["dists/a"]
    storage.write("pool", b"mine")
    assert content(storage, "pool") == b"mine"
    assert (outside / "secret").read_bytes() == b"secret"


def test_the_reserved_folder_is_not_followed_either(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / ".tmp").symlink_to(outside)
    with pytest.raises(StorageError, match="a"):
        LocalStorage(tmp_path / "root").write("a", b"a")
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_the_root_itself_may_be_a_link(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "root").symlink_to(outside)
    storage = LocalStorage(tmp_path / "root")
    storage.write("a", b"a")
    assert (outside / "a").read_bytes() == b"a"
    assert keys(storage) == ["a", "secret"]


def test_a_pipe_is_no_object_and_is_not_waited_for(storage: LocalStorage) -> None:
    os.mkfifo(storage.root / "pipe")
    assert storage.stat("pipe") is None
    with pytest.raises(NotFoundError):
        storage.read("pipe")
    assert keys(storage) == ["dists/a"]


def test_files_whose_names_are_no_keys_are_not_listed(storage: LocalStorage) -> None:
    for name in (b"back\\slash", b"new\nline", b"latin-\xe9"):
        with open(os.path.join(os.fsencode(storage.root), name), "wb"):
            pass
    assert keys(storage) == ["dists/a"]


@pytest.mark.parametrize("key", ["dists/a/b", "dists/a/b/c"])
def test_writing_below_an_object_says_so(storage: LocalStorage, key: str) -> None:
    with pytest.raises(StorageError, match=f"{key}: .*already an object"):
        storage.write(key, b"x")
    with pytest.raises(StorageError, match=f"{key}: .*already an object"):
        storage.copy(storage, "dists/a", key)
    assert content(storage, "dists/a") == b"a"


def test_writing_an_object_where_a_folder_is_says_so(storage: LocalStorage) -> None:
    with pytest.raises(StorageError, match=r"dists: .*already a folder"):
        storage.write("dists", b"x")
    with pytest.raises(PreconditionError):
        storage.write("dists", b"x", if_match="x")
    assert keys(storage) == ["dists/a"]


def test_a_root_that_is_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "root").write_bytes(b"")
    with pytest.raises(StorageError, match=f"{tmp_path}/root is not a folder"):
        LocalStorageFactory().open(str(tmp_path / "root"), {})
    with pytest.raises(StorageError, match="pool/a"):
        LocalStorage(tmp_path / "root").write("pool/a", b"a")


def test_copying_from_memory_goes_through_this_process(tmp_path: Path) -> None:
    memory, local = MemoryStorage(), LocalStorage(tmp_path)
    memory.write("a", b"content" * 100_000)
    assert local.copy(memory, "a", "b").size == 700_000
    assert memory.copy(local, "b", "c").size == 700_000
    assert content(memory, "c") == content(memory, "a")


# ----------------------------------------------------------------------------------------------------------- opening


@pytest.mark.parametrize("form", ["file://{}", "file://localhost{}", "file:{}", "{}", "{}/", "file://{}/"])
def test_a_folder_is_opened_by_url_or_by_path(tmp_path: Path, form: str) -> None:
    storage = LocalStorageFactory().open(form.format(tmp_path / "tree"), {})
    assert storage.properties.local_root == tmp_path / "tree"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///srv/a%20b%3Fc%23d", "/srv/a b?c#d"),
        ("/srv/a%20b?c#d", "/srv/a%20b?c#d"),
        ("file:///srv/%C3%A9+", "/srv/é+"),
        ("file:///srv/a/../b", "/srv/b"),
    ],
)
def test_escapes_are_decoded_in_urls_only(url: str, path: str) -> None:
    assert LocalStorageFactory().open(url, {}).properties.local_root == Path(path)


def test_a_relative_path_is_taken_from_the_working_folder_of_that_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    storage = LocalStorageFactory().open("tree", {})
    monkeypatch.chdir("/")
    storage.write("a", b"a")
    assert (tmp_path / "tree" / "a").read_bytes() == b"a"


@pytest.mark.parametrize(
    "url",
    [
        *("", "file:", "file://", "file://host/srv", "file:srv", "file:///srv?x=1", "file:///srv#x", "s3://bucket"),
        *("/", "file:///", "/srv/..", "/srv/a\nb", "file:///srv/%00", "file:///srv/a%0Ab", "file:///srv/\ta"),
    ],
)
def test_a_url_that_is_no_folder_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        LocalStorageFactory().open(url, {})


@pytest.mark.parametrize("settings", [{"fsynk": True}, {"fsync": "yes"}, {"hardlinks": 1}])
def test_an_unknown_or_wrong_setting_is_named(tmp_path: Path, settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=next(iter(settings))):
        LocalStorageFactory().open(str(tmp_path), settings)


def test_settings_reach_the_storage(tmp_path: Path) -> None:
    tree = LocalStorageFactory().open(str(tmp_path / "tree"), {"fsync": True, "hardlinks": False})
    tree.write("a", b"a")
    tree.copy(tree, "a", "b")
    assert not (tmp_path / "tree/a").samefile(tmp_path / "tree/b")
