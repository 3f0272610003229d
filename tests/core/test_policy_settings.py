"""Policies in ``entrepot.toml``: what is inherited, and mistakes with their lines."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

from entrepot.errors import SettingsError
from entrepot.models import Outcome, Status
from entrepot.policies import STRICT, OnChange, PolicySettings
from entrepot.settings import load_settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "entrepot.toml"


def load(path: Path, text: str, name: str = "mine") -> PolicySettings:
    """A policy of a file with this text."""
    path.write_text(text)
    return load_settings(path).policy(name)


def test_what_a_policy_does_not_say_is_its_parents(path: Path) -> None:
    text = """
[policies.base]
inherits = "strict"
deny = ["telnetd"]
allow = [{ source = "debian" }]
max_size = "1.5 kB"
on_change = "withdraw"
[policies.base.vulnerabilities]
review = "medium"
ignore = ["CVE-1"]
[policies.mine]
inherits = "base"
deny = [{ licence = "*AGPL*", outcome = "pending_review" }]
four_eyes = true
[policies.mine.vulnerabilities]
cvss_block = 8
ignore = [{ id = "CVE-2", until = 2026-03-01, package = "a*" }]
"""
    policy = load(path, text)
    assert policy.inherits == "base"
    assert [(entry.rule, entry.fields, entry.outcome) for entry in policy.deny] == [
        ("policies.base.deny[0]", {"package": "telnetd"}, Outcome.REJECT),
        ("policies.mine.deny[0]", {"licence": "*AGPL*"}, Outcome.REVIEW),
    ]
    assert [entry.fields for entry in policy.allow or ()] == [{"source": "debian"}]
    assert (policy.size.most, policy.on_change, policy.four_eyes) == (1500, OnChange.WITHDRAW, True)
    thresholds = policy.vulnerabilities
    assert (thresholds.block, thresholds.review, thresholds.cvss_block) == ("high", "medium", 8.0)
    assert [(ignored.id, ignored.package, ignored.until) for ignored in thresholds.ignore] == [
        ("CVE-1", "*", None),
        ("CVE-2", "a*", dt.datetime(2026, 3, 2, tzinfo=dt.UTC)),
    ]
    assert policy.rule("vulnerabilities.review") == "policies.base.vulnerabilities.review"
    assert policy.rule("vulnerabilities.cvss_block") == "policies.mine.vulnerabilities.cvss_block"
    assert policy.rule("vulnerabilities.block") == "policies.strict.vulnerabilities.block"


def test_an_own_allow_list_takes_the_place_of_an_inherited_one(path: Path) -> None:
    text = '[policies.base]\nallow = ["a"]\n[policies.mine]\ninherits = "base"\nallow = []\n'
    assert load(path, text).allow == ()


def test_a_built_in_policy_that_is_changed_stays_what_it_was_otherwise(path: Path) -> None:
    policy = load(path, '[policies.strict]\nskipped = "publish"\n', "strict")
    assert policy.default == {**STRICT.default, Status.SKIPPED: Outcome.PUBLISH}
    assert policy.vulnerabilities == STRICT.vulnerabilities


@pytest.mark.parametrize(
    ("written", "size"), [("10", 10), ('"500 MB"', 500_000_000), ('"2GiB"', 2 << 30), ('"7 B"', 7), ('"never"', None)]
)
def test_a_size_is_bytes_or_has_a_unit(path: Path, written: str, size: int | None) -> None:
    assert load(path, f"[policies.mine]\nmax_size = {written}\n").size.most == size


@pytest.mark.parametrize(
    ("written", "until"),
    [
        ("2026-03-01", dt.datetime(2026, 3, 2, tzinfo=dt.UTC)),
        ('"2026-03-01"', dt.datetime(2026, 3, 2, tzinfo=dt.UTC)),
        ("2026-03-01T12:00:00Z", dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)),
        ("2026-03-01T12:00:00", dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)),
    ],
)
def test_a_date_is_meant_with_all_of_its_day(path: Path, written: str, until: dt.datetime) -> None:
    text = f'[[policies.mine.vulnerabilities.ignore]]\nid = "CVE-1"\nuntil = {written}\n'
    assert load(path, text).vulnerabilities.ignore[0].until == until


HEAD = "# mine\n[policies.mine]\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('inherits = "later"', 3, "inherits names no policy that stands before it: 'later'; those are soft, strict"),
        ('absent = "publish"', 3, "absent must not be publish: who could not look"),
        ('osv.absent = "publish"', 3, "osv.absent must not be publish"),
        ('on_change = "panic"', 3, "on_change must be one of report, review, withdraw"),
        ('four_eyes = "yes"', 3, "four_eyes must be true or false, not a text"),
        ('max_size = "500 pages"', 3, 'max_size must be a number of bytes, a text like "500 MB"'),
        ("max_size = -1", 3, "max_size must be a number of bytes"),
        ("max_size = true", 3, "max_size must be a number of bytes"),
        ('too_large = "publish"', 3, "too_large must be one of pending_review, reject"),
        ('not_allowed = "publish"', 3, "not_allowed must be one of pending_review, reject"),
        ("deny = 3", 3, "deny must be an array, not a number"),
        ('deny = [\n  "a",\n  3,\n]', 5, "deny[1] must be a table like"),
        ('deny = [\n  "a",\n  { license = "x" },\n]', 5, "deny[1].license is not known; known are architecture"),
        ("deny = [{ package = 3 }]", 3, "deny[0].package must be a text, not a number"),
        ('deny = [{ reason = "x" }]', 3, "deny[0] must have at least one of package"),
        ('deny = [{ package = "x", outcome = "publish" }]', 3, "deny[0].outcome must be one of pending_review, reject"),
        ('allow = [{ package = "x", outcome = "reject" }]', 3, "allow[0].outcome is not known"),
        ("vulnerabilities = 3", 3, "vulnerabilities must be a table"),
        ('[policies.mine.vulnerabilities]\nblok = "high"', 4, "vulnerabilities.blok is not known; known are block"),
        ('vulnerabilities.block = "severe"', 3, "vulnerabilities.block must be one of negligible, low, medium, high"),
        ('vulnerabilities.unfixed = "never"', 3, "vulnerabilities.unfixed must be one of allow, warn, review, block"),
        ("vulnerabilities.cvss_block = 11", 3, "vulnerabilities.cvss_block must be a number from 0 to 10, or never"),
        ("vulnerabilities.cvss_block = nan", 3, "vulnerabilities.cvss_block must be a number from 0 to 10"),
        ("vulnerabilities.epss_review = true", 3, "vulnerabilities.epss_review must be a number from 0 to 1"),
        ("vulnerabilities.ignore = [1]", 3, "vulnerabilities.ignore[0] must be a text like"),
        ('vulnerabilities.ignore = [{ until = "2026-01-01" }]', 3, "vulnerabilities.ignore[0] must have an id"),
        (
            '[[policies.mine.vulnerabilities.ignore]]\nid = "A"\n[[policies.mine.vulnerabilities.ignore]]\nid = "B"\n'
            'until = "soon"',
            7,
            "vulnerabilities.ignore[1].until must be a date like 2026-12-31",
        ),
        ('[[policies.mine.vulnerabilities.ignore]]\nid = "A"\nwhy = "x"', 5, "vulnerabilities.ignore[0].why is not"),
    ],
)
def test_a_mistake_names_file_line_and_key_and_what_is_allowed(path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(path, f"{HEAD}{text}\n# the end\n")
    assert str(caught.value).startswith(f"{path}:{line}: policies.mine.{message}")
    assert caught.value.data["line"] == line


# ------------------------------------------------------------------------------------------------------ lists in files

LISTED = '[policies.mine]\ndeny = [\n  "@lists/denied.txt",\n]\n'


def write_list(path: Path, content: str | bytes) -> Path:
    file = path.parent / "lists/denied.txt"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_a_list_in_a_file_has_a_glob_in_each_line_and_comments(path: Path) -> None:
    write_list(path, "# what we do not want\n\n  telnetd  # ssh is there\r\nftp-*\n")
    (entry,) = load(path, LISTED).deny
    assert str(entry) == "the list lists/denied.txt (2 entries)"
    assert [(line.rule, line.reason) for name in ("telnetd", "ftp-ssl") if (line := entry.line_for(name))] == [
        ("policies.mine.deny[0] (lists/denied.txt:3)", "ssh is there"),
        ("policies.mine.deny[0] (lists/denied.txt:4)", ""),
    ]
    assert entry.line_for("telnetd-ssl") is None


def test_a_list_in_a_file_goes_with_other_fields_a_reason_and_an_outcome(path: Path) -> None:
    write_list(path, "telnetd\n")
    more = 'source = "debian", reason = "old", outcome = "pending_review"'
    policy = load(
        path, f'[policies.mine]\nallow = ["@lists/denied.txt"]\ndeny = [{{ file = "lists/denied.txt", {more} }}]'
    )
    assert [(entry.fields, entry.reason, entry.outcome) for entry in policy.deny] == [
        ({"source": "debian"}, "old", Outcome.REVIEW)
    ]
    assert policy.allow is not None
    assert policy.allow[0].line_for("telnetd")


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("telnetd\nftp ssl\n", 2, "a line has one glob"),
        ("telnetd\nftp\x1b[2J\n", 2, "a line has one glob"),
        ("a" * 301, 1, "a line has one glob"),
        ("# nothing\n", None, "names lists/denied.txt, which has no entry"),
        (b"\xff\xfe", None, "names lists/denied.txt, which is not UTF-8"),
        ("x\n" * (3 << 20), None, "it has more than 4194304 bytes"),
    ],
    ids=["space", "control", "long", "empty", "utf8", "large"],
)
def test_a_mistake_in_a_list_is_told_with_its_line(
    path: Path, content: str | bytes, line: int | None, message: str
) -> None:
    file = write_list(path, content)
    with pytest.raises(SettingsError) as caught:
        load(path, LISTED)
    place = f"{file}:{line}: " if line else f"{path}:3: policies.mine.deny[0].file "
    assert str(caught.value).startswith(place + ("" if "more than" in message else message))
    assert message in str(caught.value)


def test_a_list_is_a_file_in_the_workspace(path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "list.txt"
    outside.write_text("telnetd\n")
    folder = path.parent / "lists"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(outside)
    for name, message in {
        str(outside): "it is not in the workspace",
        f"../{outside.parent.name}/list.txt": "it is not in the workspace",
        "../..": "it is not in the workspace",
        "lists/link": "it is not in the workspace",
        "lists/pipe": "it is no file",
        "lists": "it is no file|Is a directory",
        "lists/none": "No such file or directory",
        "": "it is no file|Is a directory",
        "lists/\\u0000": "null byte",
    }.items():
        with pytest.raises(SettingsError, match=message):
            load(path, f'[policies.mine]\ndeny = ["@{name}"]')


def test_a_policy_has_another_digest_when_anything_that_it_says_is_another(path: Path) -> None:
    write_list(path, "telnetd\n")
    digests = {load(path, LISTED).digest(), load(path, LISTED).digest()}
    assert len(digests) == 1
    for text in (LISTED + "four_eyes = true\n", "[policies.mine.alpha]\nwarn = 'reject'\n"):
        digests.add(load(path, text).digest())
    write_list(path, "telnetd\nftp\n")
    digests.add(load(path, LISTED).digest())
    assert len(digests) == 4


def test_an_entry_has_a_file_or_a_package(path: Path) -> None:
    write_list(path, "telnetd\n")
    with pytest.raises(SettingsError, match="has the packages"):
        load(path, '[policies.mine]\ndeny = [{ file = "lists/denied.txt", package = "x" }]')
