"""Which ClamAV there is: the one that the settings name, or else what this machine has been set up with."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from entrepot_plugins.scanners.clamav.clamd import Clamd
from entrepot_plugins.scanners.clamav.clamscan import Clamscan
from entrepot_plugins.scanners.clamav.engine import ClamavError, Engine
from entrepot_plugins.scanners.clamav.settings import ClamavSettings

_LONGEST_CONFIG = 1 << 20
_SIGNATURES = (".cvd", ".cld", ".cud", ".ndb", ".hdb", ".hsb", ".ldb", ".yara")
_DATABASE = "/var/lib/clamav"


class NotSetUpError(Exception):
    """There is no ClamAV to ask. The text says how to get one."""


def find_engine(settings: ClamavSettings, folder: Path) -> Engine:
    """The engine to ask; ``NotSetUpError``, or ``ClamavError`` where the settings ask for one that is not here."""
    said = _read_config(settings.config)
    if settings.engine != "clamscan":
        if place := settings.socket or settings.tcp:
            return Clamd(place, settings.timeout)
        local = Path(said.get("LocalSocket", ""))
        # A stale socket is one of a clamd that should be running: whoever asks it will be told.
        if local.is_absolute() and (local.is_socket() or settings.engine == "clamd"):
            return Clamd(local, settings.timeout)
        if settings.engine == "clamd":
            raise ClamavError(f"no socket is given, and {settings.config} names none")
    program = shutil.which(settings.clamscan)
    if program is None:
        if settings.chosen:
            raise ClamavError(f"there is no program {settings.clamscan}")
        raise NotSetUpError(
            "ClamAV is not installed: install clamav-daemon and its signatures, or set scanners.clamav.tcp"
        )
    database = settings.database or Path(said.get("DatabaseDirectory", _DATABASE))
    if not settings.chosen and not _has_signatures(database):
        raise NotSetUpError("ClamAV is not set up: it has no signatures (run freshclam) and no clamd is running")
    return Clamscan(program, database, settings.timeout, folder, settings.max_file_size)


def signature_files(settings: ClamavSettings) -> Sequence[Path]:
    """The files that hold the signatures, by name; none where they cannot be seen."""
    database = settings.database or Path(_read_config(settings.config).get("DatabaseDirectory", _DATABASE))
    try:
        found = [database] if database.is_file() else [path for path in database.iterdir() if path.is_file()]
    except OSError:
        return ()
    return sorted(path for path in found if path.suffix in _SIGNATURES)


def _has_signatures(folder: Path) -> bool:
    try:
        return any(path.suffix in _SIGNATURES for path in folder.iterdir())
    except OSError:
        return False


def _read_config(path: Path) -> dict[str, str]:
    """What clamd.conf says: a word and its value on each line."""
    try:
        with path.open("rb") as file:
            text = file.read(_LONGEST_CONFIG).decode("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.split(None, 1) for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {pair[0]: pair[1].strip().strip('"') for pair in pairs if len(pair) > 1}
