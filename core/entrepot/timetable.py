"""What is done by itself, and when: the jobs of ``[schedule]``.

::

    [schedule.upstream]
    run = "sync"
    of = ["debian", "el9"]
    every = "6h"

    [schedule.scan]
    run = "scan"
    at = ["02:30"]
    days = ["mon", "thu"]
    timezone = "Europe/Berlin"
    jitter = "10m"

    [schedule.tidy]
    run = "gc"
    cron = "15 5 * * sun"

When a job is due depends on its rule and on nothing else: whoever looks, and however often, finds the same moments.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from entrepot.errors import SettingsError
from entrepot.toml_places import SettingsFile

WORKS = ("sync", "advisories", "scan", "publish", "refresh", "catalog", "incoming", "gc")
"""What a job can do. ``refresh`` is to publish nothing new, and sign again what would expire soon; ``catalog`` is to
publish a copy of the catalog."""
WITHOUT_NAMES = ("catalog", "incoming", "gc")
"""What is done to the whole workspace."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
DURATION = re.compile(r"(\d{1,6})([smhdw])")
TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
LEAST = 60
"""Seconds between two runs of a job."""
KEYS = ("run", "of", "every", "at", "cron", "days", "timezone", "jitter")
RULES = ("every", "at", "cron")


@dataclass(frozen=True, slots=True)
class Job:
    """One job. One of ``every`` (seconds, counted from midnight UTC of 1 January 1970), ``at`` and ``cron`` is set.

    ``of`` names what it is about; empty: everything there is. ``days`` are 0 (Monday) to 6; empty: all. ``cron`` has
    five fields, and means what Debian's cron takes it for.
    """

    name: str
    run: str
    of: tuple[str, ...] = ()
    every: int = 0
    at: tuple[dt.time, ...] = ()
    days: tuple[int, ...] = ()
    timezone: str = "UTC"
    jitter: int = 0
    cron: str = ""

    @property
    def what(self) -> str:
        """What it does, in words."""
        return f"{self.run} {', '.join(self.of)}" if self.of else self.run

    @property
    def rule(self) -> str:
        """When it does that, in words: another text is another rule."""
        if self.every:
            words = f"every {duration(self.every)}"
        elif self.cron:
            words = f"cron {self.cron} {self.timezone}"
        else:
            words = "at " + ", ".join(f"{time:%H:%M}" for time in self.at)
            words += f" on {', '.join(DAYS[day] for day in self.days)}" if self.days else ""
            words += f" {self.timezone}"
        return f"{words}, up to {duration(self.jitter)} later" if self.jitter else words

    def after(self, moment: dt.datetime) -> dt.datetime:
        """The first moment after another one at which it is due, in UTC."""
        if self.every:
            return dt.datetime.fromtimestamp((int(moment.timestamp()) // self.every + 1) * self.every, dt.UTC)
        return next(due for due in self._times(moment) if due > moment)

    def _times(self, moment: dt.datetime) -> Iterator[dt.datetime]:
        """Every moment from about a day before another one on. One that clocks skip in spring is an hour later."""
        zone = ZoneInfo(self.timezone)
        if self.cron:
            from cronsim import CronSim

            yield from (due.astimezone(dt.UTC) for due in CronSim(self.cron, moment.astimezone(zone)))
            return
        day = moment.astimezone(zone).date() - dt.timedelta(days=1)
        while True:
            if not self.days or day.weekday() in self.days:
                yield from sorted(dt.datetime.combine(day, time, zone).astimezone(dt.UTC) for time in self.at)
            day += dt.timedelta(days=1)

    def last(self, first: dt.datetime, until: dt.datetime) -> tuple[dt.datetime, int]:
        """Of the moments from ``first``, which is one, to ``until`` the last; and how many come before that one."""
        if self.every:
            count = int((until - first).total_seconds()) // self.every
            return first + dt.timedelta(seconds=count * self.every), count
        last, count = first, 0
        for due in self._times(first):
            if due > until:
                break
            if due > last:
                last, count = due, count + 1
        return last, count

    def start(self, due: dt.datetime, place: str) -> dt.datetime:
        """When it begins: up to ``jitter`` seconds after it is due.

        How many depends on ``place`` and the moment: workspaces that are set up alike do not begin together, and
        everybody who looks at one workspace sees the same.
        """
        if not self.jitter:
            return due
        seed = hashlib.sha256(f"{place}\n{self.name}\n{due.isoformat()}".encode()).digest()
        return due + dt.timedelta(seconds=int.from_bytes(seed[:8]) % (self.jitter + 1))


def duration(seconds: int) -> str:
    """``5400`` as ``1h30m``."""
    text = ""
    for unit, size in sorted(UNITS.items(), key=lambda item: -item[1]):
        count, seconds = divmod(seconds, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def read_jobs(tables: Mapping[str, Mapping[str, Any]], file: SettingsFile) -> Mapping[str, Job]:
    """The jobs by name; ``SettingsError`` names file, line and key of the first mistake."""
    return {name: _Reader(name, table, file).job() for name, table in tables.items()}


@dataclass(frozen=True, slots=True)
class _Reader:
    name: str
    table: Mapping[str, Any]
    file: SettingsFile

    def job(self) -> Job:
        for key in self.table:
            if key not in KEYS:
                raise self._error(key, f"is not known; known are {', '.join(KEYS)}")
        run = self._text("run")
        if run not in WORKS:
            raise self._error("run", f"must be one of {', '.join(WORKS)}")
        of = self._texts("of")
        if of and run in WITHOUT_NAMES:
            raise self._error("of", f"does not go with {run}, which is about the whole workspace")
        if sum(rule in self.table for rule in RULES) != 1:
            message = 'must be set, or at or cron instead: every = "6h", at = "02:30" or cron = "30 2 * * *"'
            raise self._error("every", message)
        every = self._duration("every") if "every" in self.table else 0
        for key in ("days", "timezone"):
            if every and key in self.table:
                raise self._error(key, "goes with at, not with every")
        if "cron" in self.table and "days" in self.table:
            raise self._error("days", "goes with at; cron has a field for days of the week")
        if every and every < LEAST:
            raise self._error("every", "must be at least 1m")
        jitter = self._duration("jitter") if "jitter" in self.table else 0
        if every and jitter >= every:
            raise self._error("jitter", "must be shorter than every")
        zone = self._timezone()
        return Job(self.name, run, of, every, self._times(), self._days(), zone, jitter, self._cron(zone))

    def _times(self) -> tuple[dt.time, ...]:
        found = []
        for text in self._texts("at"):
            if not (matched := TIME.fullmatch(text)):
                raise self._error("at", f"must be a time like 02:30, not {text!r}")
            found.append(dt.time(int(matched[1]), int(matched[2])))
        if "at" in self.table and not found:
            raise self._error("at", "must name a time at least")
        return tuple(sorted(set(found)))

    def _days(self) -> tuple[int, ...]:
        found = self._texts("days")
        for text in found:
            if text not in DAYS:
                raise self._error("days", f"must be some of {', '.join(DAYS)}, not {text!r}")
        if "days" in self.table and not found:
            raise self._error("days", "must name a day at least")
        return tuple(sorted({DAYS.index(text) for text in found}))

    def _cron(self, zone: str) -> str:
        if "cron" not in self.table:
            return ""
        from cronsim import CronSim, CronSimError

        text = " ".join(self._text("cron").split())
        if text.count(" ") != 4:
            raise self._error("cron", f"must have five fields like 30 2 * * mon-fri, not {text!r}")
        try:
            next(CronSim(text, dt.datetime(2000, 1, 1, tzinfo=ZoneInfo(zone))))
        except CronSimError as error:
            raise self._error("cron", f"is no cron expression: {str(error).lower()} in {text!r}") from error
        except StopIteration as error:
            raise self._error("cron", f"names a day that never comes: {text!r}") from error
        return text

    def _timezone(self) -> str:
        zone = self._text("timezone") if "timezone" in self.table else "UTC"
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
            raise self._error("timezone", f"must be a time zone like Europe/Berlin, not {zone!r}") from error
        return zone

    def _duration(self, key: str) -> int:
        text = self._text(key)
        parts = DURATION.findall(text)
        if not parts or "".join(count + unit for count, unit in parts) != text:
            raise self._error(key, f"must be a time span like 30m, 6h or 1d12h, not {text!r}")
        return sum(int(count) * UNITS[unit] for count, unit in parts)

    def _text(self, key: str) -> str:
        found = self.table.get(key)
        if not isinstance(found, str):
            raise self._error(key, "must be a text")
        return found

    def _texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; one text is a list of one."""
        found: Any = self.table.get(key, [])
        texts: Sequence[Any] = [found] if isinstance(found, str) else found
        if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
            raise self._error(key, "must be a text or a list of texts")
        return tuple(dict.fromkeys(texts))

    def _error(self, key: str, message: str) -> SettingsError:
        return self.file.error(("schedule", self.name, key), message)
