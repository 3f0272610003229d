"""The order of RPM's versions."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot_plugins.rpm.version import RpmVersions, evr, split
from support.corpus import corpus

VERSIONS = RpmVersions()
POSSIBLE = re.compile(r"[!-~]+")
"""rpm compares any bytes; no package has a version with a blank, or of other letters than those of ASCII."""
PART = st.text("0123456789abzAZ.+_~^", min_size=1, max_size=8)
EVR = st.builds(
    lambda epoch, version, release: f"{epoch}{version}-{release}", st.sampled_from(["", "0:", "1:", "10:"]), PART, PART
)


def compare(a: str, b: str) -> int:
    return (VERSIONS.key(a) > VERSIONS.key(b)) - (VERSIONS.key(a) < VERSIONS.key(b))


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.0~~", "1.0~rc1", "1.0", "1.0^git1", "1.0.1", "1.1"],
        ["1.a", "1.2", "1.10", "1.100"],
        ["1.0", "1.0-0", "1.0-1", "1.0-1.el9", "1.0-1.el9_1", "1.0-2", "1:0-1", "2:0", "4294967295:0"],
        ["9" * 253, "9" * 254, "1" + "0" * 254, "9" * 255],
    ],
)
def test_versions_are_in_rpms_order(ordered: list[str]) -> None:
    keys = [VERSIONS.key(version) for version in ordered]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    ("a", "b"), [("1.0-1", "0:1.0-1"), ("1.0-1", ":1.0-1"), ("1.01-1", "1.1-1"), ("1.0-1", "1_0-1"), ("1-1", "1.-1")]
)
def test_different_texts_can_be_the_same_version(a: str, b: str) -> None:
    assert VERSIONS.key(a) == VERSIONS.key(b)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 2",
        "1\n",
        "1\x00",
        "\N{SUPERSCRIPT TWO}",
        "4294967296:1",
        "9" * 5000 + ":1",
        "9" * 256,
        "1-" + "a" * 256,
    ],
)
def test_what_no_package_can_have_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an RPM version"):
        VERSIONS.key(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1.0", (0, "1.0", "")),
        ("3:1.0-2.el9", (3, "1.0", "2.el9")),
        ("1-2-3", (0, "1-2", "3")),
        ("0:1:2-3", (0, "1:2", "3")),
        ("v:1-2", (0, "v:1", "2")),
    ],
)
def test_a_version_is_split_at_the_first_colon_and_the_last_hyphen(text: str, parts: tuple[int, str, str]) -> None:
    assert split(text) == VERSIONS.split(text) == parts


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((None, "1.0", "2.el9"), "1.0-2.el9"),
        (("", "1.0", "2.el9"), "1.0-2.el9"),
        (("0", "1.0", "2.el9"), "1.0-2.el9"),
        ((0, "1.0", "2.el9"), "1.0-2.el9"),
        (("3", "1.0", ""), "3:1.0"),
    ],
)
def test_an_epoch_of_nothing_is_left_out(parts: tuple[int | str | None, str, str], text: str) -> None:
    assert evr(*parts) == text


@given(EVR)
def test_what_was_split_is_joined_to_the_same_version(text: str) -> None:
    assert VERSIONS.key(evr(*split(text))) == VERSIONS.key(text)


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["rpm-upstream", "rpm-univers-evr"])
def test_vectors_of_other_implementations_hold(name: str) -> None:
    lines = corpus("vercmp", f"{name}.tsv").read_text().splitlines()
    cases = [line.split("\t") for line in lines if line and not line.startswith("#")]
    assert cases
    for a, b, expected in cases:
        if POSSIBLE.fullmatch(a) and POSSIBLE.fullmatch(b):
            assert (a, b, compare(a, b)) == (a, b, int(expected))


@pytest.mark.client
@pytest.mark.skipif(not shutil.which("rpm"), reason="rpm is not installed")
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(st.tuples(EVR, EVR), min_size=100, max_size=100))
def test_any_two_versions_compare_as_rpm_compares_them(pairs: list[tuple[str, str]]) -> None:
    calls = " ".join(f'print(rpm.vercmp("{a}", "{b}"), "")' for a, b in pairs)
    answer = subprocess.run(["rpm", "--eval", f"%{{lua: {calls}}}"], check=True, capture_output=True, text=True)
    assert [compare(a, b) for a, b in pairs] == [int(word) for word in answer.stdout.split()]
