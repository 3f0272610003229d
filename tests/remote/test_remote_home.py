"""A workspace on a storage: what one command does, another one finds, whatever happens between."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from entrepot.errors import UsageError
from entrepot.services import repositories
from entrepot.services.workspaces import initialise, open_workspace
from entrepot.workspace import Workspace

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own: a test is a machine that has seen nothing."""
    monkeypatch.setenv("ENTREPOT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def repository_names(home: str) -> list[str]:
    with open_workspace(home) as workspace:
        return [repository.name for repository in workspace.catalog.repositories.list()]


def make_repository(workspace: Workspace, name: str) -> None:
    repositories.create_repository(workspace, name, format_name="apt", publish_to=f"memory://{name}", sign=False)


def test_what_one_command_did_another_machine_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = (tmp_path / "remote").as_uri()
    with open_workspace(home) as workspace:
        initialise(workspace)
        make_repository(workspace, "shop")
    monkeypatch.setenv("ENTREPOT_CACHE", str(tmp_path / "other"))
    assert repository_names(home) == ["shop"]


@pytest.mark.parametrize("url", ["s3://key:secret@bucket/x", "s3://bucket/x?token=secret", "s3://bucket/x#secret"])
def test_the_url_of_a_workspace_has_no_secret_in_it(url: str) -> None:
    with pytest.raises(UsageError) as caught, open_workspace(url):
        pass
    assert "secret" not in str(caught.value)
