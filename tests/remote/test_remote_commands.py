"""The command line with a workspace on a storage; a workspace on a real S3 protocol."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from entrepot.cli import main
from entrepot.services.workspaces import initialise, open_workspace
from support.debs import make_deb
from support.remote import make_repository, names_in
from support.s3_buckets import new_bucket, use_credentials
from support.s3_moto import MotoService


def call(home: str, *arguments: object, code: int = 0) -> Result:
    """One call of the program in this process."""
    result = CliRunner().invoke(main, ["--quiet", "--home", home, *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == code, (result.stdout, result.stderr)
    return result


def call_json(home: str, *arguments: object) -> Any:
    """What it prints with ``--json``."""
    return json.loads(call(home, *arguments, "--json").stdout)


def test_the_commands_of_a_home_tell_what_is_there_and_carry_and_bring_back_what_was(tmp_path: Path) -> None:
    home = (tmp_path / "remote").as_uri()
    assert call_json(home, "init")["home"] == home
    assert (tmp_path / "remote").stat().st_mode & 0o777 == 0o700
    call(home, "repo", "create", "shop", "--format", "apt", "--publish-to", tmp_path / "tree", "--no-sign")
    call(home, "dist", "create", "shop/stable")
    call(home, "upload", make_deb(tmp_path), "--to", "shop/stable")
    assert (tmp_path / "tree/dists/stable/Release").exists()
    shown = call_json(home, "home", "show")
    assert (shown["url"], shown["lease"]) == (home, None)
    newest = shown["generation"]["number"]
    assert [made["number"] for made in call_json(home, "home", "list")] == [newest, 3, 2, 1]
    assert "secrets/audit.key" in shown["files"]
    call(home, "bundle", "create", tmp_path / "bundle", "--from", "shop/stable", "--no-sign")
    inside = (tmp_path / "inside").as_uri()
    call(inside, "init")
    call(inside, "repo", "create", "shop", "--format", "apt", "--publish-to", tmp_path / "inside-tree", "--no-sign")
    call(inside, "dist", "create", "shop/prod")
    before = call_json(inside, "home", "list")
    apply = ("bundle", "apply", tmp_path / "bundle", "--to", "shop/prod", "--no-verify")
    assert call_json(inside, *apply, "--dry-run")["counts"]["added"] == 1
    assert call_json(inside, "home", "list") == before
    call(inside, *apply)
    assert (tmp_path / "inside-tree/dists/prod/Release").exists()
    assert call_json(home, "home", "restore", 2, "--dry-run")["status"] == "dry_run"
    assert call_json(home, "home", "restore", 2)["generation"]["restored_from"] == 2
    assert call_json(home, "dist", "list") == []
    assert "nobody has the lease" in call(home, "home", "break-lease", code=1).stderr


def test_settings_are_checked_before_they_are_taken(tmp_path: Path) -> None:
    home = (tmp_path / "remote").as_uri()
    call(home, "init")
    file = tmp_path / "new.toml"
    file.write_text("[home]\nkeep_generations = 3\n")
    call(home, "home", "settings", file)
    assert call(home, "home", "settings").stdout == file.read_text()
    file.write_text("[home]\nkeep_generations = 0\n")
    assert "home.keep_generations" in call(home, "home", "settings", file, code=2).stderr
    assert call_json(home, "home", "settings")["settings"] == "[home]\nkeep_generations = 3\n"


def test_a_command_says_what_it_did_only_when_that_is_kept(tmp_path: Path) -> None:
    home = (tmp_path / "remote").as_uri()
    call(home, "init")
    generations = tmp_path / "remote/catalog/generations"
    aside = generations.rename(tmp_path / "aside")
    generations.write_text("no folder")
    create = ("repo", "create", "shop", "--format", "apt", "--publish-to", tmp_path / "tree", "--no-sign")
    failed = call(home, *create, code=1)
    assert (failed.stdout, failed.stderr[:6]) == ("", "Error:")
    generations.unlink()
    aside.rename(generations)
    assert call_json(home, "repo", "list") == []
    assert "shop" in call(home, *create).stdout


def test_a_workspace_in_a_folder_moves_with_all_it_has(tmp_path: Path) -> None:
    folder, home = tmp_path / "folder", (tmp_path / "remote").as_uri()
    call(str(folder), "init")
    (folder / "entrepot.toml").write_text("[home]\nwait = 1\n")
    call(str(folder), "repo", "create", "shop", "--format", "apt", "--publish-to", tmp_path / "tree", "--no-sign")
    call(str(folder), "dist", "create", "shop/stable")
    call(str(folder), "upload", make_deb(tmp_path), "--to", "shop/stable")
    assert call_json(home, "home", "adopt", folder)["artifacts"] == 1
    assert call_json(home, "publish")[0]["status"] == "unchanged"
    assert call(home, "check", "--content").exit_code == 0
    call(home, "publish", "--full")
    assert "already" in call(home, "home", "adopt", folder, code=1).stderr
    with open_workspace(home) as workspace:
        workspace.catalog.audit.verify()
        assert workspace.settings.home.wait == 1
    back = tmp_path / "back"
    assert call_json(home, "home", "fetch", back)["artifacts"] == 1
    assert call_json(str(back), "publish")[0]["status"] == "unchanged"
    call(str(back), "check", "--content")
    call(str(back), "audit", "verify")
    assert "not an empty folder" in call(home, "home", "fetch", back, code=1).stderr


def test_trees_that_went_on_after_a_backup_are_written_anew_when_that_is_told(tmp_path: Path) -> None:
    home, tree = tmp_path / "home", tmp_path / "tree"
    call(str(home), "init")
    call(str(home), "repo", "create", "shop", "--format", "apt", "--publish-to", tree, "--no-sign")
    call(str(home), "dist", "create", "shop/stable")
    call(str(home), "upload", make_deb(tmp_path), "--to", "shop/stable")
    backup = (home / "catalog.db").read_bytes()
    call(str(home), "upload", make_deb(tmp_path, "later"), "--to", "shop/stable")
    (home / "catalog.db").write_bytes(backup)
    packages = tree / "dists/stable/main/binary-amd64/Packages.gz"
    assert call_json(str(home), "publish")[0]["status"] == "unchanged"
    assert b"later" in gzip.decompress(packages.read_bytes())
    assert call_json(str(home), "home", "doubt")["trees"] == [tree.as_uri()]
    assert call_json(str(home), "publish")[0]["status"] == "published"
    assert b"later" not in gzip.decompress(packages.read_bytes())
    call(str(home), "check", "--content")


def test_a_folder_has_no_generations_to_list(tmp_path: Path) -> None:
    assert "is a folder" in call(str(tmp_path), "home", "list", code=2).stderr


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of the only service that there is."""
    use_credentials(monkeypatch)
    with MotoService() as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", service.url)
        yield new_bucket(service.url)


def test_a_workspace_in_a_bucket(bucket: str, elsewhere: Callable[[], None]) -> None:
    home = f"s3://{bucket}/some/place/"
    with open_workspace(home) as workspace:
        initialise(workspace)
        make_repository(workspace, "first")
    with open_workspace(home) as slow:
        assert names_in(slow) == ["first"]
        elsewhere()
        with open_workspace(home) as quick:
            make_repository(quick, "second")
        make_repository(slow, "third")
        slow.store.storage.write("artifacts/aa/x", b"x")
    elsewhere()
    with open_workspace(home) as workspace:
        assert names_in(workspace) == ["first", "second", "third"]
        assert workspace.session.generations.storage.stat("store/artifacts/aa/x")
