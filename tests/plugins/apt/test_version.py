"""The order of Debian versions."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot_plugins.apt.version import DebianVersions
from support.corpus import corpus

VERSIONS = DebianVersions()
CHARACTERS = "0123456789abzAZ.+~"
PART = st.text(CHARACTERS, min_size=1, max_size=8)
DPKG_WARNS = {"0:abc3-0", "0:0-0:0"}
"""Invalid by deb-version(7); dpkg warns of them, compares them nevertheless, and real indexes have such."""


def compare(a: str, b: str) -> int:
    return (VERSIONS.key(a) > VERSIONS.key(b)) - (VERSIONS.key(a) < VERSIONS.key(b))


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.0~~", "1.0~~a", "1.0~", "1.0", "1.0a", "1.0+b1", "1.0."],
        ["1.2", "1.10", "1.100"],
        ["1-1", "1-2", "1.1-1", "1:0-1", "2:0"],
        ["1.0-0~", "1.0", "1.0-0+b1", "1.0-1"],
        ["0-1", "0a", "0b", "0+", "0."],
        ["9" * 254, "9" * 255, "1" + "0" * 255, "9" * 256, "1" + "0" * 600],
    ],
)
def test_versions_are_in_dpkgs_order(ordered: list[str]) -> None:
    keys = [VERSIONS.key(version) for version in ordered]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    ("a", "b"),
    [("1.0", "1.0-0"), ("1.0", "0:1.0"), ("1.01", "1.1"), ("1.", "1.0"), ("a", "a0"), ("00", "0"), (" 1 ", "1")],
)
def test_different_texts_can_be_the_same_version(a: str, b: str) -> None:
    assert VERSIONS.key(a) == VERSIONS.key(b)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 2",
        "1\n2",
        "1\x00",
        "\N{SUPERSCRIPT TWO}",
        ":1",
        "a:1",
        "-1:1",
        "2147483648:1",
        "1:",
        "1-",
        "-1",
        "1:-1",
    ],
)
def test_what_dpkg_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Debian version"):
        VERSIONS.key(text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1.0", (0, "1.0", "")),
        ("3:1.0-2-1~bpo12+1", (3, "1.0-2", "1~bpo12+1")),
        ("0:1:2-3", (0, "1:2", "3")),
        ("v1.0_beta", (0, "v1.0_beta", "")),
    ],
)
def test_a_version_is_split_at_the_first_colon_and_the_last_hyphen(text: str, parts: tuple[int, str, str]) -> None:
    assert VERSIONS.split(text) == parts


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["deb-apt", "deb-dpkg-compare", "deb-univers-debpkgtools"])
def test_vectors_of_other_implementations_hold(name: str) -> None:
    lines = corpus("vercmp", f"{name}.tsv").read_text().splitlines()
    cases = [line.split("\t") for line in lines if line and not line.startswith("#")]
    assert cases
    assert [case for case in cases if compare(case[0], case[1]) != int(case[2])] == []


@pytest.mark.corpus
def test_dpkgs_own_cases_are_accepted_and_refused_as_by_dpkg() -> None:
    cases = json.loads(corpus("vercmp", "deb-dpkg-parse.json").read_text())
    for text in cases["valid"]:
        VERSIONS.key(text)
    for text in set(cases["invalid"]) - DPKG_WARNS:
        with pytest.raises(ValueError, match="is not a Debian version"):
            VERSIONS.key(text)


@pytest.mark.client
@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg is not installed")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.tuples(PART, PART, st.sampled_from(["", "1:"])), st.tuples(PART, PART, st.sampled_from(["", "1:"])))
def test_any_two_versions_compare_as_dpkg_compares_them(a: tuple[str, str, str], b: tuple[str, str, str]) -> None:
    first, second = (f"{epoch}0{upstream}-{revision}" for upstream, revision, epoch in (a, b))
    relation = {-1: "lt", 0: "eq", 1: "gt"}[compare(first, second)]
    assert subprocess.run(["dpkg", "--compare-versions", first, relation, second], check=False).returncode == 0
