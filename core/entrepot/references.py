"""Secrets by reference: files say in which environment variable or file a secret is, and never have it itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entrepot.errors import SettingsError

WAYS = ("env", "file")
LARGEST = 64 << 10
"""Bytes of a file that holds one secret."""


def secret_at(way: str, name: str, home: Path) -> str:
    """What an environment variable (``env``) holds, or the first line of a file (``file``); paths are below ``home``.

    ``ValueError`` says why there is none, and has nothing of what was found.
    """
    found = os.environ.get(name, "") if way == "env" else _first_line(home / Path(name).expanduser())
    if not found.strip():
        raise ValueError(f"the {'variable' if way == 'env' else 'file'} {name} is empty or not there")
    return found


def read_reference(value: Any, where: str, home: Path) -> str:
    """What ``{env = "NAME"}`` or ``{file = "PATH"}`` leads to, without blanks at its ends.

    ``SettingsError`` names ``where`` and the reference, and has nothing of what was found there.
    """
    if not isinstance(value, Mapping) or len(value) != 1 or not {*value} <= {*WAYS}:
        raise SettingsError(
            f'{where} must be {{env = "NAME"}} or {{file = "PATH"}}',
            hint="a secret itself is never written into the settings",
            key=where,
        )
    ((way, name),) = value.items()
    if not isinstance(name, str) or not name:
        raise SettingsError(f"{where}: {way} must be a text", key=where)
    try:
        return secret_at(way, name, home).strip()
    except ValueError as error:
        raise SettingsError(f"{where}: {error}", key=where) from None


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(LARGEST).decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        # Without that one, which quotes what it stumbled over.
        raise ValueError(f"{path} is not text") from None
