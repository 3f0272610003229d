"""``entrepot.toml``: every mistake is named with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.errors import SettingsError
from entrepot.models import Outcome, Status
from entrepot.settings import Limits, load_settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "entrepot.toml"


def test_without_a_file_everything_has_its_default(path: Path) -> None:
    settings = load_settings(path)
    assert sorted(settings.policies) == ["soft", "strict"]
    assert (settings.executor, settings.plugins_strict, settings.default_policy) == ("threads:", False, "soft")


def test_tables_of_plugins_are_handed_over_as_they_are(path: Path) -> None:
    path.write_text('[scanners.clamav]\nsocket = "/run/clamd"\nlimits = [1, 2]\n[storage.s3]\nendpoint_url = "x"\n')
    settings = load_settings(path)
    assert settings.scanners == {"clamav": {"socket": "/run/clamd", "limits": [1, 2]}}
    assert settings.storage == {"s3": {"endpoint_url": "x"}}


def test_values_of_the_file_take_the_place_of_the_defaults(path: Path) -> None:
    path.write_text(
        'executor = "processes:4"\nmax_package_size = 10\nallow_file_sources = false\n[plugins]\nstrict = true\n'
    )
    settings = load_settings(path)
    assert (settings.executor, settings.max_package_size) == ("processes:4", 10)
    assert (settings.allow_file_sources, settings.plugins_strict) == (False, True)


def test_a_scanner_has_the_limits_of_all_but_for_its_own(path: Path) -> None:
    path.write_text(
        "[inspection]\ntimeout = 60\nskip = ['osv']\nworkers = 3\n[inspection.scanners.clamav]\nmemory = 4096\n"
    )
    inspection = load_settings(path).inspection
    assert inspection.limits_of("contents") == Limits(60, 2048, 4096)
    assert inspection.limits_of("clamav") == Limits(60, 4096, 4096)
    assert (inspection.skip, inspection.workers, inspection.serve) == (("osv",), 3, 1000)


def test_what_a_package_may_unpack_to_depends_on_its_size_within_what_is_set(path: Path) -> None:
    path.write_text("[unpacking]\nunpacked = 1024\nratio = 100\nmembers = 50000\n")
    limits = load_settings(path).unpacking
    assert [limits.bytes_for(size) >> 20 for size in (1, 5 << 20, 1 << 30)] == [256, 500, 1024]
    assert [limits.members_for(size) for size in (1, 480_000, 1 << 30)] == [20_000, 30_000, 50_000]


def test_a_policy_inherits_from_one_that_stands_before_it(path: Path) -> None:
    path.write_text(
        '[policies.first]\ninherits = "strict"\nskipped = "publish"\n[policies.first.osv]\nreview = "reject"\n'
        '[policies.second]\ninherits = "first"\n[policies.second.osv]\nwarn = "reject"\n'
        '[policies.soft]\nwarn = "pending_review"\n'
    )
    settings = load_settings(path)
    second = settings.policy("second")
    assert second.default[Status.SKIPPED] is Outcome.PUBLISH
    assert second.default[Status.WARN] is Outcome.REVIEW
    assert second.scanners == {"osv": {Status.REVIEW: Outcome.REJECT, Status.WARN: Outcome.REJECT}}
    assert settings.policy("first").scanners == {"osv": {Status.REVIEW: Outcome.REJECT}}
    assert settings.policy("soft").default[Status.WARN] is Outcome.REVIEW


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# one\nexecutor = 3", "executor must be str, not int"),
        ("max_package_size = true", "max_package_size must be int, not bool"),
        ("max_package_size = 0", "max_package_size must be at least 1"),
        ('allow_file_sources = "no"', "allow_file_sources must be bool, not str"),
        ("plugins = 3", "plugins must be a table"),
        ('[plugins]\nstrict = "yes"', "plugins.strict must be bool, not str"),
        ("[plugins]\nstrickt = true", "plugins.strickt is not known"),
        ("scanners = []", "scanners must be a table"),
        ("[scanners]\nclamav = 1", "scanners.clamav must be a table"),
        ("executer = 'threads:'", "executer is not known"),
        ('default_policy = "lenient"', "default_policy must be one of soft, strict"),
        ("inspection = 1", "inspection must be a table"),
        ("[inspection]\ntimeout = 0", "inspection.timeout must be at least 1"),
        ("[inspection]\nworkers = -1", "inspection.workers must be at least 0"),
        ("[inspection]\nserve = 0", "inspection.serve must be at least 1"),
        ("[inspection]\nskip = 'osv'", "inspection.skip must be list, not str"),
        ("[inspection]\nskip = [1]", "inspection.skip must be a list of names of scanners"),
        ("[inspection]\nspeed = 1", "inspection.speed is not known"),
        ("[inspection]\nscanners = 1", "inspection.scanners must be dict, not int"),
        ("[inspection.scanners]\nclamav = 1", "inspection.scanners.clamav must be a table"),
        ("[inspection.scanners.clamav]\nmemory = '1G'", "inspection.scanners.clamav.memory must be a whole number"),
        ("[inspection.scanners.clamav]\nmemory = true", "inspection.scanners.clamav.memory must be a whole number"),
        ("[inspection.scanners.clamav]\nworkers = 1", "inspection.scanners.clamav.workers is not known"),
        ("[policies]\nmine = 1", "policies.mine must be a table"),
        (
            '[policies.mine]\ninherits = "later"',
            "policies.mine.inherits names no policy that stands before it: 'later'",
        ),
        ("[policies.mine]\ninherits = ['soft']", "policies.mine.inherits must be a text, not an array"),
        ('[policies.mine]\nfine = "publish"', "policies.mine.fine is not known; known are absent, allow, block"),
        ('[policies.mine]\nwarn = "maybe"', "policies.mine.warn must be one of publish, pending_review, reject"),
        ("[policies.mine]\nwarn = ['publish']", "policies.mine.warn must be one of"),
        ("[policies.mine]\nwarn = 3", "policies.mine.warn must be one of"),
        ('[policies.mine]\nerror = "publish"', "policies.mine.error must not be publish"),
        ('[policies.mine.osv]\nerror = "publish"', "policies.mine.osv.error must not be publish"),
        ('[policies.mine.osv]\nfine = "publish"', "policies.mine.osv.fine is no verdict"),
    ],
)
def test_a_mistake_names_file_and_key(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    line = text.count("\n") + 1
    assert str(caught.value).startswith(f"{path}:{line}: {message}")
    data = caught.value.data
    assert (data["path"], data["line"], caught.value.exit_code) == (str(path), line, 2)


@pytest.mark.parametrize(
    "content", [b"[policies", b"a = 1\na = 2", b"\xff\xfe", b"x = '\x00'"], ids=["open", "twice", "bytes", "nul"]
)
def test_a_file_that_is_no_toml_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_folder_in_the_place_of_the_file_is_named(path: Path) -> None:
    path.mkdir()
    with pytest.raises(SettingsError, match="Is a directory"):
        load_settings(path)
