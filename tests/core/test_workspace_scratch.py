"""Folders for work in between."""

from __future__ import annotations

from pathlib import Path

from entrepot.workspace import Workspace
from support.children import killed_python

USER = """
import sys
from pathlib import Path
from entrepot.workspace import Workspace

with Workspace(Path(sys.argv[1])).scratch() as folder:
    (folder / "inner").mkdir()
    (folder / "inner/file").touch()
    print(folder, flush=True)
    sys.stdin.readline()
"""


def test_a_folder_is_removed_after_its_use(tmp_path: Path) -> None:
    with Workspace(tmp_path).scratch() as folder:
        (folder / "file").touch()
    assert not folder.exists()


def test_a_folder_goes_that_a_killed_process_left_and_one_in_use_stays(tmp_path: Path) -> None:
    with killed_python(USER, str(tmp_path)) as child:
        assert child.stdout
        theirs = Path(child.stdout.readline().strip())
        with Workspace(tmp_path).scratch() as ours, Workspace(tmp_path).scratch():
            assert (theirs / "inner/file").exists()
            assert ours.exists()
    assert theirs.exists()
    with Workspace(tmp_path).scratch() as ours:
        assert list(ours.parent.iterdir()) == [ours]
