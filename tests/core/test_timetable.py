"""When jobs of the schedule are due, and how they are written down."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from entrepot.errors import SettingsError
from entrepot.settings import load_settings
from entrepot.timetable import Job, duration


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def at(*times: str, days: tuple[int, ...] = (), timezone: str = "UTC") -> Job:
    return Job("a", "sync", at=tuple(dt.time.fromisoformat(time) for time in times), days=days, timezone=timezone)


def cron(text: str, timezone: str = "UTC") -> Job:
    return Job("a", "sync", cron=text, timezone=timezone)


@pytest.mark.parametrize(
    ("job", "moment", "due"),
    [
        (Job("a", "sync", every=6 * 3600), "2026-03-01T05:59:59", "2026-03-01T06:00:00"),
        (Job("a", "sync", every=6 * 3600), "2026-03-01T06:00:00", "2026-03-01T12:00:00"),
        (Job("a", "sync", every=300), "2026-03-01T23:58:00", "2026-03-02T00:00:00"),
        (at("02:30"), "2026-03-01T02:29:59", "2026-03-01T02:30:00"),
        (at("02:30"), "2026-03-01T02:30:00", "2026-03-02T02:30:00"),
        (at("02:30", "14:00"), "2026-03-01T02:30:00", "2026-03-01T14:00:00"),
        (at("02:30", days=(0, 3)), "2026-03-01T12:00:00", "2026-03-02T02:30:00"),
        (at("02:30", days=(0,)), "2026-03-02T02:30:00", "2026-03-09T02:30:00"),
        (at("00:30", timezone="Europe/Berlin"), "2026-01-15T12:00:00", "2026-01-15T23:30:00"),
        (cron("30 2 * * *"), "2026-03-01T02:30:00", "2026-03-02T02:30:00"),
        (cron("*/15 * * * *"), "2026-03-01T23:50:00", "2026-03-02T00:00:00"),
        (cron("0 4 * * mon-fri"), "2026-03-06T12:00:00", "2026-03-09T04:00:00"),
        (cron("0 0 1,15 * *"), "2026-03-02T00:00:00", "2026-03-15T00:00:00"),
        (cron("0 0 29 2 *"), "2026-03-01T00:00:00", "2028-02-29T00:00:00"),
        (cron("30 0 * * *", timezone="Europe/Berlin"), "2026-01-15T12:00:00", "2026-01-15T23:30:00"),
        (at("23:30", timezone="America/New_York"), "2026-01-15T12:00:00", "2026-01-16T04:30:00"),
    ],
)
def test_a_job_is_due_at_its_next_moment(job: Job, moment: str, due: str) -> None:
    assert job.after(utc(moment)) == utc(due)


def test_a_time_that_clocks_skip_or_repeat_comes_once_that_day() -> None:
    spring = at("02:30", timezone="Europe/Berlin")
    first = spring.after(utc("2026-03-28T12:00:00"))
    assert (first, spring.after(first)) == (utc("2026-03-29T01:30:00"), utc("2026-03-30T00:30:00"))
    autumn = spring.after(utc("2026-10-24T12:00:00"))
    assert (autumn, spring.after(autumn)) == (utc("2026-10-25T00:30:00"), utc("2026-10-26T01:30:00"))


def test_cron_makes_up_at_once_for_a_time_that_clocks_skip_and_repeats_none() -> None:
    job = cron("30 2 * * *", timezone="Europe/Berlin")
    first = job.after(utc("2026-03-28T12:00:00"))
    assert (first, job.after(first)) == (utc("2026-03-29T01:00:00"), utc("2026-03-30T00:30:00"))
    autumn = job.after(utc("2026-10-24T12:00:00"))
    assert (autumn, job.after(autumn)) == (utc("2026-10-25T00:30:00"), utc("2026-10-26T01:30:00"))
    assert job.after(utc("2026-10-25T01:10:00")) == utc("2026-10-26T01:30:00")


@pytest.mark.parametrize(
    "job", [Job("a", "sync", every=86400), at("00:00"), cron("0 0 * * *")], ids=["every", "at", "cron"]
)
def test_of_what_was_missed_the_last_moment_counts(job: Job) -> None:
    assert job.last(utc("2026-03-01"), utc("2026-03-01T23:59")) == (utc("2026-03-01"), 0)
    assert job.last(utc("2026-03-01"), utc("2026-03-05T08:00")) == (utc("2026-03-05"), 4)


def test_jitter_is_the_same_for_who_looks_twice_and_differs_between_places() -> None:
    job = Job("a", "sync", every=3600, jitter=600)
    due = utc("2026-03-01")
    begins = {job.start(due, f"place {number}") for number in range(50)}
    assert len(begins) > 25
    assert all(due <= begin <= due + dt.timedelta(seconds=600) for begin in begins)
    assert job.start(due, "place 1") == job.start(due, "place 1")


def test_a_rule_is_told_in_words() -> None:
    assert Job("a", "sync", every=5400, jitter=60).rule == "every 1h30m, up to 1m later"
    assert at("14:00", days=(0, 6), timezone="Europe/Berlin").rule == "at 14:00 on mon, sun Europe/Berlin"
    assert (Job("a", "sync", ("x", "y"), 60).what, Job("a", "gc", every=60).what) == ("sync x, y", "gc")
    assert cron("0 4 * * mon", "Europe/Berlin").rule == "cron 0 4 * * mon Europe/Berlin"
    assert duration(694861) == "1w1d1h1m1s"


def test_jobs_are_read_from_the_settings(tmp_path: Path) -> None:
    path = tmp_path / "entrepot.toml"
    path.write_text(
        '[schedule.often]\nrun = "sync"\nof = "debian"\nevery = "1h30m"\njitter = "5m"\n'
        '[schedule.nightly]\nrun = "scan"\nat = ["14:00", "02:30"]\ndays = ["sun", "mon"]\ntimezone = "Europe/Berlin"\n'
        '[schedule.weekly]\nrun = "gc"\ncron = "15  5 * * SUN"\ntimezone = "Europe/Berlin"\njitter = "5m"\n'
    )
    times = (dt.time(2, 30), dt.time(14))
    assert load_settings(path).schedule == {
        "often": Job("often", "sync", ("debian",), every=5400, jitter=300),
        "nightly": Job("nightly", "scan", at=times, days=(0, 6), timezone="Europe/Berlin"),
        "weekly": Job("weekly", "gc", cron="15 5 * * SUN", timezone="Europe/Berlin", jitter=300),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run = 'mow'", "schedule.a.run must be one of sync, advisories, scan, publish, refresh"),
        ("run = 3", "schedule.a.run must be a text"),
        ("run = 'sync'\nevery = '6h'\nat = '02:30'", "schedule.a.every must be set, or at or cron instead"),
        ("run = 'sync'\nevery = '6 hours'", "schedule.a.every must be a time span like 30m, 6h or 1d12h"),
        ("run = 'sync'\nevery = '30s'", "schedule.a.every must be at least 1m"),
        ("run = 'sync'\nat = '2:30'", "schedule.a.at must be a time like 02:30"),
        ("run = 'sync'\nat = '25:00'", "schedule.a.at must be a time like 02:30"),
        ("run = 'sync'\nat = []", "schedule.a.at must name a time at least"),
        ("run = 'sync'\nat = '02:30'\ndays = ['monday']", "schedule.a.days must be some of mon, tue"),
        ("run = 'sync'\nat = '02:30'\ntimezone = 'Mars/Base'", "schedule.a.timezone must be a time zone"),
        ("run = 'sync'\nat = '02:30'\ntimezone = '../etc'", "schedule.a.timezone must be a time zone"),
        ("run = 'sync'\nevery = '1h'\ntimezone = 'UTC'", "schedule.a.timezone goes with at"),
        ("run = 'sync'\nevery = '1h'\njitter = '1h'", "schedule.a.jitter must be shorter than every"),
        (
            "run = 'sync'\ncron = '30 2 * *'",
            "schedule.a.cron must have five fields like 30 2 * * mon-fri, not '30 2 * *'",
        ),
        ("run = 'sync'\ncron = '@daily'", "schedule.a.cron must have five fields"),
        ("run = 'sync'\ncron = '61 * * * *'", "schedule.a.cron is no cron expression: bad minute in '61 * * * *'"),
        ("run = 'sync'\ncron = '0 0 * * fri-mon'", "schedule.a.cron is no cron expression: bad day-of-week"),
        ("run = 'sync'\ncron = '0 0 30 2 *'", "schedule.a.cron is no cron expression: bad day-of-month"),
        ("run = 'sync'\ncron = 5", "schedule.a.cron must be a text"),
        ("run = 'sync'\ncron = '5 * * * *'\ndays = 'mon'", "schedule.a.days goes with at; cron has a field"),
        ("run = 'gc'\nof = 'apps'", "schedule.a.of does not go with gc"),
        ("run = 'sync'\nof = [1]", "schedule.a.of must be a text or a list of texts"),
        ("run = 'sync'\nwhen = 'now'", "schedule.a.when is not known; known are run, of, every, at, cron"),
    ],
)
def test_a_mistake_names_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "entrepot.toml"
    path.write_text(f"[schedule.a]\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    key = str(caught.value.data["key"]).rpartition(".")[2]
    line = next(number for number, line in enumerate(path.read_text().splitlines(), 1) if line.startswith(key))
    assert str(caught.value).startswith(f"{path}:{line}: {message}")


def test_a_job_without_a_rule_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "entrepot.toml"
    path.write_text("[schedule.a]\nrun = 'sync'\n")
    with pytest.raises(SettingsError, match=r"entrepot.toml:1: schedule.a.every must be set, or at or cron instead"):
        load_settings(path)
