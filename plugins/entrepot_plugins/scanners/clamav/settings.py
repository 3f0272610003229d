"""The table ``[scanners.clamav]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.errors import SettingsError

ENGINES = ("auto", "clamd", "clamscan")
OVERSIZE = ("review", "warn", "error")
_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class ClamavSettings:
    """What is asked for, with what holds where nothing is said."""

    engine: str = "auto"
    """``clamd``, ``clamscan``, or whichever is set up here."""
    socket: Path | None = None
    """The Unix socket of clamd."""
    tcp: tuple[str, int] | None = None
    """Host and port of clamd."""
    config: Path = Path("/etc/clamav/clamd.conf")
    """The configuration of clamd on this machine, for where its socket and its signatures are."""
    clamscan: str = "clamscan"
    """The program, by name or path."""
    database: Path | None = None
    """The signatures that clamscan is to use: a file or folder."""
    timeout: float = 120.0
    """Seconds that clamd may take for the next step of one answer, and clamscan for the files of one call."""
    max_file_size: int = 25 * _MEGABYTE
    """Bytes of the largest file that is sent: no more than StreamMaxLength and MaxFileSize of clamd."""
    oversize: str = "review"
    """What follows for something inside that was not looked at."""
    max_age_days: int = 7
    """Signatures that are older are told as a finding; 0: never."""

    @property
    def chosen(self) -> bool:
        """Whether somebody set ClamAV up here, so that it has to be there."""
        return self.engine != "auto" or self.socket is not None or self.tcp is not None or self.database is not None


def clamav_settings(table: Mapping[str, Any]) -> ClamavSettings:
    """The settings of a table; ``SettingsError`` names what cannot be used."""
    known = (*(name for name in ClamavSettings.__slots__ if name != "max_file_size"), "max_file_mb")
    if unknown := sorted(set(table) - set(known)):
        raise _error(unknown[0], f"is not known; known are {', '.join(sorted(known))}")
    defaults = ClamavSettings()
    settings = ClamavSettings(
        engine=_choice(table, "engine", ENGINES, defaults.engine),
        socket=_path(table, "socket"),
        tcp=_address(table),
        config=_path(table, "config") or defaults.config,
        clamscan=_text(table, "clamscan") or defaults.clamscan,
        database=_path(table, "database"),
        timeout=_number(table, "timeout", defaults.timeout, least=0.1, most=3600),
        max_file_size=int(_number(table, "max_file_mb", 25, least=0.001, most=4000) * _MEGABYTE),
        oversize=_choice(table, "oversize", OVERSIZE, defaults.oversize),
        max_age_days=_days(table, defaults.max_age_days),
    )
    if settings.socket and settings.tcp:
        raise _error("tcp", "and socket are two places of one clamd: give one of them")
    return settings


def _text(table: Mapping[str, Any], key: str) -> str:
    found = table.get(key, "")
    if not isinstance(found, str) or (key in table and not found) or "\0" in found:
        raise _error(key, "must be a text")
    return found


def _path(table: Mapping[str, Any], key: str) -> Path | None:
    text = _text(table, key)
    if text and not text.startswith("/"):
        raise _error(key, "must be a full path")
    return Path(text) if text else None


def _choice(table: Mapping[str, Any], key: str, allowed: Sequence[str], default: str) -> str:
    found = table.get(key, default)
    if found not in allowed:
        raise _error(key, f"must be one of {', '.join(allowed)}")
    return str(found)


def _number(table: Mapping[str, Any], key: str, default: float, *, least: float, most: float) -> float:
    found = table.get(key, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found <= most:
        raise _error(key, f"must be a number from {least} to {most}")
    return float(found)


def _days(table: Mapping[str, Any], default: int) -> int:
    found = table.get("max_age_days", default)
    if type(found) is not int or found < 0:
        raise _error("max_age_days", "must be a whole number of at least 0")
    return found


def _address(table: Mapping[str, Any]) -> tuple[str, int] | None:
    text = _text(table, "tcp")
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 1 << 16:
        raise _error("tcp", 'must be a host and a port, like "127.0.0.1:3310"')
    return host.removeprefix("[").removesuffix("]"), int(port)


def _error(key: str, message: str) -> SettingsError:
    return SettingsError(f"scanners.clamav.{key} {message}", key=f"scanners.clamav.{key}")
