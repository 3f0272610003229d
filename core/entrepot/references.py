"""Secrets by reference: settings name an environment variable or a file, and never have the secret itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entrepot.errors import SettingsError

LARGEST = 64 << 10
"""Bytes of a file that holds one secret."""


def read_reference(value: Any, where: str, home: Path) -> str:
    """What ``{env = "NAME"}`` or ``{file = "PATH"}`` leads to, without blanks at its ends; paths are below ``home``.

    ``SettingsError`` names ``where`` and the reference, and has nothing of what was found there.
    """
    if not isinstance(value, Mapping) or set(value) not in ({"env"}, {"file"}):
        raise SettingsError(
            f'{where} must be {{env = "NAME"}} or {{file = "PATH"}}',
            hint="a secret itself is never written into the settings",
            key=where,
        )
    ((kind, name),) = value.items()
    if not isinstance(name, str) or not name:
        raise SettingsError(f"{where}: {kind} must be a text", key=where)
    found = os.environ.get(name, "") if kind == "env" else _content(home / Path(name).expanduser(), where)
    if not found.strip():
        what = "variable" if kind == "env" else "file"
        raise SettingsError(f"{where}: the {what} {name} is empty or not there", key=where)
    return found.strip()


def _content(path: Path, where: str) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST).decode()
    except OSError as error:
        raise SettingsError(f"{where}: {path} cannot be read: {error.strerror}", key=where) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{where}: {path} is not text", key=where) from error
