"""Runs of affected versions, by tables that were computed by hand, and by what has to hold for all versions."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrepot.advisories import Affected
from entrepot_plugins.scanners.osv.intervals import Event, intervals
from support.advisories import keys

BASE = Affected("Debian:12", "hello")


def runs(events: list[Event], format_name: str = "apt") -> list[Affected]:
    return list(intervals(events, partial(keys, format_name), BASE))


def affects(found: list[Affected], version: str, format_name: str = "apt") -> bool:
    """As the catalog compares."""
    key = keys(format_name, version)
    return any(
        run.introduced_key <= key
        and (run.end_key is None or key < run.end_key or (bool(run.last_affected) and key == run.end_key))
        for run in found
    )


INTRODUCED_0 = ("introduced", "0")
TABLE: list[tuple[str, list[Event], str, str, str]] = [
    # what, events, format, affected versions, versions that are not
    ("fixed equal", [INTRODUCED_0, ("fixed", "1.2-3")], "apt", "1.2-2 1.2-2+deb12u9 0.1 1.2", "1.2-3 1.2-3+b1 1.2-10"),
    ("epoch", [INTRODUCED_0, ("fixed", "1:1.0-1")], "apt", "9.9-9 0:9.9-9 1:0.9-1", "1:1.0-1 2:0.1-1"),
    ("no epoch", [INTRODUCED_0, ("fixed", "2.0-1")], "apt", "1.9-1", "1:0.1-1 2.0-1"),
    ("tilde", [INTRODUCED_0, ("fixed", "1.0~rc1-1")], "apt", "1.0~beta-1 1.0~~-1", "1.0~rc1-1 1.0-1 1.0~rc1-1+b2"),
    ("backport", [INTRODUCED_0, ("fixed", "1.0-1")], "apt", "1.0-1~bpo12+1 1.0-1~deb12u1", "1.0-1 1.0-1+deb12u1"),
    ("first version", [INTRODUCED_0], "apt", "0 0~~ 99:9-9", ""),
    ("introduced", [("introduced", "1.5-1")], "apt", "1.5-1 1.5-1+b1 2.0-1", "1.4-1 1.5-1~bpo12+1"),
    ("last affected", [INTRODUCED_0, ("last_affected", "1.5-1")], "apt", "1.5-1 1.0-1", "1.5-1+b1 1.6-1"),
    ("two ranges in one", [INTRODUCED_0, ("fixed", "1.2-1"), ("introduced", "2.0-1"), ("fixed", "2.0-4")], "apt",
     "1.1-1 2.0-1 2.0-3", "1.2-1 1.9-9 2.0-4"),
    ("any order", [("fixed", "2.0-4"), ("introduced", "2.0-1"), ("fixed", "1.2-1"), INTRODUCED_0], "apt",
     "1.1-1 2.0-1 2.0-3", "1.2-1 1.9-9 2.0-4"),
    ("goes on", [INTRODUCED_0, ("fixed", "1.2-1"), ("introduced", "1.2-1"), ("fixed", "1.3-1")], "apt",
     "1.1-1 1.2-1 1.2-9", "1.3-1"),
    ("never", [INTRODUCED_0, ("fixed", "0")], "apt", "", "0 0.1-1 1.0-1"),
    ("fixed where introduced", [("introduced", "1.0-1"), ("fixed", "1.0-1")], "apt", "", "0.9-1 1.0-1 1.1-1"),
    ("only one", [("introduced", "1.0-1"), ("last_affected", "1.0-1")], "apt", "1.0-1", "0.9-1 1.0-1+b1"),
    ("limit", [INTRODUCED_0, ("limit", "2.0-1")], "apt", "1.0-1 1.9-9", "2.0-1 3.0-1"),
    ("limit before the fix", [INTRODUCED_0, ("fixed", "3.0-1"), ("limit", "2.0-1")], "apt", "1.9-9", "2.0-1 2.5-1"),
    ("limit after the fix", [INTRODUCED_0, ("fixed", "1.0-1"), ("limit", "2.0-1")], "apt", "0.9-1", "1.0-1 1.5-1"),
    ("rpm equal", [INTRODUCED_0, ("fixed", "0:7.76.1-19.el9_1.1")], "rpm", "7.76.1-19.el9 7.76.1-19.el9_1",
     "7.76.1-19.el9_1.1 7.76.1-19.el9_1.2 7.76.1-23.el9"),
    ("rpm epoch", [INTRODUCED_0, ("fixed", "1:16.17.1-1.el9_0")], "rpm", "18.0-1.el9 1:16.16.0-1.el9_0",
     "1:16.17.1-1.el9_0"),
    ("rpm tilde, caret", [INTRODUCED_0, ("fixed", "1.0-1")], "rpm", "1.0~rc1-1", "1.0-1 1.0^git1-1"),
    ("rpm, no release", [INTRODUCED_0, ("fixed", "1.2")], "rpm", "1.1-99", "1.2-1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "format_name", "affected", "others"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_the_events_of_a_range_affect_these_versions_and_no_others(
    events: list[Event], format_name: str, affected: str, others: str
) -> None:
    found = runs(events, format_name)
    assert [version for version in affected.split() if not affects(found, version, format_name)] == []
    assert [version for version in others.split() if affects(found, version, format_name)] == []


def test_a_run_says_what_began_and_what_ended_it() -> None:
    (run,) = runs([("introduced", "1.0-1"), ("fixed", "1.2-3")])
    assert (run.introduced, run.fixed, run.last_affected, run.state) == ("1.0-1", "1.2-3", "", "")


def test_a_version_that_is_none_counts_as_affected_and_says_so() -> None:
    (run,) = runs([INTRODUCED_0, ("fixed", "not a version")])
    assert (run.fixed, run.end_key, run.state) == ("not a version", None, "uncomparable")
    assert affects([run], "99-1")


VERSIONS = st.from_regex(r"([0-3]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9][0-9a-c.+~]{0,3})?", fullmatch=True)


@given(VERSIONS, VERSIONS)
def test_a_fixed_version_never_matches_and_an_older_one_always_does(fixed: str, other: str) -> None:
    found = runs([INTRODUCED_0, ("fixed", fixed)])
    assert not affects(found, fixed)
    assert affects(found, other) == (keys("apt", other) < keys("apt", fixed))


@given(st.lists(VERSIONS, min_size=1, max_size=8), VERSIONS, st.randoms())
@example(["0"], "0~", Random(0))
def test_runs_affect_what_the_evaluation_of_the_schema_affects(chosen: list[str], version: str, random: Random) -> None:
    distinct = sorted({keys("apt", text): text for text in chosen}.items())
    events = [(("introduced", "fixed")[index % 2], text) for index, (_, text) in enumerate(distinct)]
    vulnerable = False
    points = [(b"" if (kind, text) == INTRODUCED_0 else keys("apt", text), kind) for kind, text in events]
    for point, kind in sorted(points):  # the pseudocode of the schema, where 0 is before every version
        if keys("apt", version) >= point:
            vulnerable = kind == "introduced"
    shuffled = list(events)
    random.shuffle(shuffled)
    assert affects(runs(shuffled), version) == vulnerable
