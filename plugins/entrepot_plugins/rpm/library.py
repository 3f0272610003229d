"""The libraries that RPM needs and an installation without it lacks: imported where they are used, and only there."""

from __future__ import annotations

import os
import tempfile
import threading
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from entrepot.errors import MissingExtraError

_IMPORTING = threading.Lock()


def library(module: str) -> Any:
    """A module of the extra ``rpm``; ``MissingExtraError`` where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{module} is not installed", hint="pip install 'entrepot[rpm]'", module=module
        ) from error


@cache
def createrepo() -> Any:
    """``createrepo_c``, whose copy of librpm knows nothing of this machine's configuration of rpm.

    When it is imported, librpm reads ``rpmrc`` and macros from the folder that ``RPM_CONFIGDIR`` names, and complains
    on the terminal where there are none, as on every machine without rpm. With an empty folder nothing is read, nothing
    is complained about, and a package is read alike everywhere.
    """
    with _IMPORTING, tempfile.TemporaryDirectory(prefix="entrepot-rpm-") as folder:
        (Path(folder) / "rpmrc").touch()
        before = os.environ.get("RPM_CONFIGDIR")
        os.environ["RPM_CONFIGDIR"] = folder
        try:
            return library("createrepo_c")
        finally:
            if before is None:
                del os.environ["RPM_CONFIGDIR"]
            else:
                os.environ["RPM_CONFIGDIR"] = before
