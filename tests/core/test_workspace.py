"""The workspace: a folder that is made once, private where it has to be, and opened piece by piece."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.errors import NotFoundError, SettingsError, UsageError
from entrepot.services import repositories, sources, workspaces
from entrepot.services.sources import Change
from entrepot.workspace import Workspace, utc_now, write_private
from support.toybox import ToyBox


@pytest.fixture
def box(tmp_path: Path) -> Iterator[ToyBox]:
    box = ToyBox(tmp_path)
    yield box
    box.workspace.close()


def mode(path: Path) -> int:
    """The permissions of a file or folder."""
    return path.stat().st_mode & 0o777


def test_a_workspace_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "deep" / "home")
    assert workspaces.initialise(workspace) == {"home": str(workspace.home), "created": True, "key": None}
    assert workspaces.initialise(workspace)["created"] is False
    assert mode(workspace.home) == 0o700
    assert [entry["action"] for entry in workspace.catalog.audit.list()] == ["workspace.create"]
    workspace.close()


def test_without_a_workspace_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "none")
    with pytest.raises(NotFoundError, match="there is no workspace in") as caught:
        sources.list_sources(workspace)
    assert caught.value.hint == "make one with `entrepot init`, or name another with --home or ENTREPOT_HOME"
    assert list(tmp_path.iterdir()) == []


def test_the_clock_is_utc_to_the_second() -> None:
    now = utc_now()
    assert (now.tzname(), now.microsecond) == ("UTC", 0)


def test_a_private_file_is_replaced_whole_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "secret"
    write_private(path, b"one")
    path.chmod(0o644)
    write_private(path, b"two")
    assert (path.read_bytes(), mode(path), mode(path.parent)) == (b"two", 0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_a_scratch_folder_is_empty_private_and_gone_at_the_end(box: ToyBox) -> None:
    with box.workspace.scratch() as folder:
        assert (list(folder.iterdir()), mode(folder)) == ([], 0o700)
        (folder / "file").touch()
    assert not folder.exists()


def test_a_storage_is_chosen_by_the_scheme_of_its_url(box: ToyBox) -> None:
    assert box.workspace.storage(str(box.folder / "plain")).properties.scheme == "file"
    assert box.workspace.storage("memory://x").properties.scheme == "memory"
    with pytest.raises(UsageError, match="no storage is known for gopher: URLs") as caught:
        box.workspace.storage("gopher://x")
    assert caught.value.hint.startswith("known: ")
    with pytest.raises(UsageError, match="no storage is known for gopher: URLs"):
        repositories.create_repository(box.workspace, "x", format_name="toy", publish_to="gopher://x", sign=False)


def test_a_format_that_is_not_there_is_named_with_those_that_are(box: ToyBox) -> None:
    with pytest.raises(NotFoundError, match="there is no format called 'opkg'"):
        repositories.create_repository(box.workspace, "x", format_name="opkg", publish_to="memory://x", sign=False)


def test_settings_may_keep_sources_off_this_machines_files(tmp_path: Path) -> None:
    box = ToyBox(tmp_path, settings="allow_file_sources = false\n")
    box.upstream.add("robot")
    box.follow()
    with pytest.raises(SettingsError, match="source 'box' is a file: URL, and the settings do not allow those"):
        box.sync()
    box.workspace.close()


@pytest.mark.parametrize("url", ["toys", "ftp://toys.example.org/", "//toys.example.org", "javascript:alert(1)", ""])
def test_only_http_https_and_file_are_sources(box: ToyBox, url: str) -> None:
    box.upstream.add("robot")
    with pytest.raises(UsageError, match="is no URL of a source") as caught:
        box.follow(url=url)
    assert caught.value.hint == "http:, https: and file: are read"


def test_a_source_is_verified_unless_it_is_told_not_to_be(box: ToyBox) -> None:
    with pytest.raises(UsageError, match="source 'box' has no keys to verify it with"):
        box.follow(verify=True)


def test_an_option_that_the_format_does_not_have_is_refused(box: ToyBox) -> None:
    with pytest.raises(UsageError, match="toy sources have no option udebs"):
        box.follow(options={"udebs": True, "wooden": True})
    box.upstream.add("robot")
    box.follow(options={"wooden": True})
    assert box.workspace.catalog.sources.get("box").flag("wooden")
    sources.set_source(box.workspace, "box", Change(options={"wooden": False}))
    assert not box.workspace.catalog.sources.get("box").flag("wooden")


def test_keys_are_copied_into_the_workspace_and_go_with_their_source(box: ToyBox) -> None:
    box.upstream.add("robot")
    box.follow(keyring=b"some key")
    source = box.workspace.catalog.sources.get("box")
    path = box.workspace.keyring(source)
    assert path
    assert (path.read_bytes(), mode(path)) == (b"some key", 0o600)
    sources.set_source(box.workspace, "box", Change(keyring=b"another key"))
    changed = box.workspace.keyring(box.workspace.catalog.sources.get("box"))
    assert changed
    assert changed.read_bytes() == b"another key"
    sources.remove_source(box.workspace, "box")
    assert not changed.exists()


def test_a_clients_files_are_added_all_or_none(box: ToyBox) -> None:
    path = box.folder / "toys.list"
    path.write_text("one https://toys.example.org/1 a\ntwo https://toys.example.org/2 b\n")
    views = sources.add_from_client_file(box.workspace, "toy", [path], Change())
    assert [(view.source.name, view.source.distributions) for view in views] == [("one", ("a",)), ("two", ("b",))]
    path.write_text("three https://toys.example.org/3 c\none https://toys.example.org/1 a\n")
    with pytest.raises(Exception, match="there is a source called 'one' already"):
        sources.add_from_client_file(box.workspace, "toy", [path], Change())
    assert [source.name for source in box.workspace.catalog.sources.list()] == ["one", "two"]
    path.write_text("")
    with pytest.raises(UsageError, match="no source that is enabled"):
        sources.add_from_client_file(box.workspace, "toy", [path], Change())
    path.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="cannot be read"):
        sources.add_from_client_file(box.workspace, "toy", [path], Change())


def test_the_core_names_upper_layers_in_one_place_only() -> None:
    core = Path(workspaces.__file__).parents[1]
    naming = [
        path.relative_to(core).as_posix() for path in core.rglob("*.py") if "entrepot_plugins" in path.read_text()
    ]
    assert naming == ["plugins.py"]


def test_a_workspace_imports_nothing_heavy_before_it_is_used() -> None:
    code = (
        "import sys; from pathlib import Path; from entrepot.workspace import Workspace; Workspace(Path('x'))\n"
        "print(sorted({'httpx', 'sqlite_utils', 'pluggy', 'solv', 'debian', 'gnupg'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
