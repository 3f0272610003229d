"""Golden trees: whole folders that a test's result must equal, byte for byte.

``UPDATE_GOLDEN=1 pytest ...`` writes them anew; read what changed before you commit it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def check_golden(folder: Path, files: Mapping[str, bytes]) -> None:
    """Compares ``files``, by path, with what is in ``folder``."""
    if os.environ.get("UPDATE_GOLDEN"):
        shutil.rmtree(folder, ignore_errors=True)
        for name, data in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    golden = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert sorted(files) == sorted(golden)
    for name, data in files.items():
        assert data.decode("utf-8", "replace") == golden[name].decode("utf-8", "replace"), name
        assert data == golden[name], name
