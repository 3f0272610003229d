"""Processes that are killed (SIGKILL) while they write a workspace on a storage, and two functions at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.remote.layout import CHUNKS, HEAD_KEY
from entrepot.serverless import handler
from entrepot.services.workspaces import initialise, open_workspace
from support.children import killed_python, run_all
from support.remote import make_repository, names_in
from support.s3_buckets import new_bucket, use_credentials
from support.s3_moto import MotoService

WRITES = """
import sys
from entrepot.cli import main
from entrepot_storage.local import LocalStorage

home, prefix, moment = sys.argv[1:]
write = LocalStorage.write

def stopping(storage, key, body, **options):
    if moment == "before" and key.startswith(prefix):
        print("here", flush=True)
        sys.stdin.read()
    done = write(storage, key, body, **options)
    if moment == "after" and key.startswith(prefix):
        print("here", flush=True)
        sys.stdin.read()
    return done

LocalStorage.write = stopping
command = ["repo", "create", "second", "--format", "apt", "--no-sign", "--publish-to", "/nowhere"]
main(["--quiet", "--home", home, *command])
"""
CALLS = """
import json, sys
from entrepot.serverless import handler

print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(handler({"command": "gc", "id": sys.argv[1]})))
"""


@pytest.mark.parametrize(
    ("prefix", "moment", "kept"), [(CHUNKS, "before", False), (HEAD_KEY, "before", False), (HEAD_KEY, "after", True)]
)
def test_a_process_that_is_killed_leaves_one_generation_or_the_other_and_holds_nobody_up(
    tmp_path: Path, prefix: str, moment: str, *, kept: bool
) -> None:
    home = (tmp_path / "remote").as_uri()
    with open_workspace(home) as workspace:
        initialise(workspace)
        make_repository(workspace, "first")
    with killed_python(WRITES, home, prefix, moment) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
    with open_workspace(home) as workspace:
        expected = ["first", "second"] if kept else ["first"]
        assert names_in(workspace) == expected
        make_repository(workspace, "third")
    with open_workspace(home) as workspace:
        assert names_in(workspace) == [*expected, "third"]
        workspace.catalog.audit.verify()


def test_two_calls_of_a_function_at_once_are_both_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    use_credentials(monkeypatch)
    with MotoService() as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", service.url)
        home = f"s3://{new_bucket(service.url)}/home"
        monkeypatch.setenv("ENTREPOT_HOME", home)
        with open_workspace(home) as workspace:
            initialise(workspace)
        answers = run_all(CALLS, [("one",), ("two",)])
        assert all('"status": 200' in answer for answer in answers)
        with open_workspace(home) as workspace:
            assert [(task["kind"], task["state"]) for task in workspace.catalog.tasks.list(9)] == [
                ("gc", "completed")
            ] * 2
            workspace.catalog.audit.verify()


def test_a_function_works_with_a_folder_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTREPOT_HOME", str(tmp_path / "home"))
    with open_workspace(tmp_path / "home") as workspace:
        initialise(workspace)
    first = handler({"command": "gc", "id": "same"})
    assert first["status"] == 200, first
    assert handler({"command": "gc", "id": "same"}) == first
    with open_workspace(tmp_path / "home") as workspace:
        assert [task["state"] for task in workspace.catalog.tasks.list(9)] == ["completed"]
