"""Which ecosystem a suite belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from entrepot_plugins.scanners.osv.ecosystems import debian_release, format_of, guess


@pytest.mark.parametrize(
    ("names", "known", "expected"),
    [
        (["bookworm"], [], ["Debian:12"]),
        (["bookworm-security/updates"], [], ["Debian:12"]),
        (["bookworm-updates"], [], ["Debian:12"]),
        (["jammy-backports"], [], ["Ubuntu:22.04:LTS"]),
        (["jammy"], ["Ubuntu:Pro:22.04:LTS"], ["Ubuntu:22.04:LTS"]),
        (["internal", "trixie"], [], ["Debian:13"]),
        (["bookwormish", "stable"], [], []),
        (["el9"], ["AlmaLinux:9"], ["AlmaLinux:9"]),
        (["el9/x86_64"], ["Rocky Linux:9", "AlmaLinux:8"], ["Rocky Linux:9"]),
        (["el9"], ["AlmaLinux:9", "Rocky Linux:9"], ["AlmaLinux:9", "Rocky Linux:9"]),
        (["2.el9_4.1"], ["AlmaLinux:9"], ["AlmaLinux:9"]),
        (["1.module_el9.2.0+16+91bc168f"], ["AlmaLinux:9"], ["AlmaLinux:9"]),
        (["model9", "el910", "1.fc40"], ["AlmaLinux:9"], []),
        (
            ["el9"],
            ["Red Hat:enterprise_linux:9::crb", "Red Hat:enterprise_linux:9::baseos", "Red Hat:rhel_eus:9.2::baseos"],
            ["Red Hat:enterprise_linux:9::baseos", "Red Hat:enterprise_linux:9::crb"],
        ),
        (
            ["el10"],
            ["Red Hat:enterprise_linux:10.0", "Red Hat:enterprise_linux:1::es", "Red Hat:enterprise_linux_eus:10.0"],
            ["Red Hat:enterprise_linux:10.0"],
        ),
        (["sles16.0"], ["SUSE:Linux Enterprise Server 16.0"], ["SUSE:Linux Enterprise Server 16.0"]),
        (["leap-15.6"], [], ["openSUSE:Leap 15.6"]),
        (["opensuse/leap/15.6/oss"], [], ["openSUSE:Leap 15.6"]),
        (["tumbleweed"], [], ["openSUSE:Tumbleweed"]),
        (
            ["sles15-sp5"],
            [
                "SUSE:Linux Enterprise Server 15 SP5",
                "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
                "SUSE:Linux Enterprise Server 15 SP4",
            ],
            ["SUSE:Linux Enterprise Module for Basesystem 15 SP5", "SUSE:Linux Enterprise Server 15 SP5"],
        ),
        (["sle15.5"], [], ["SUSE:Linux Enterprise Server 15 SP5"]),
        (["sle15"], [], ["SUSE:Linux Enterprise Server 15"]),
        (["isle15", "sleep", "leaping"], [], []),
        (["1.mga9"], [], ["Mageia:9"]),
        (["3.azl3"], [], ["Azure Linux:3"]),
        (["2.ph5"], [], ["Photon OS:5.0"]),
    ],
)
def test_well_known_words_say_which_ecosystem_a_suite_is(
    names: Sequence[str], known: Sequence[str], expected: Sequence[str]
) -> None:
    assert list(guess(names, known)) == expected


def test_the_tracker_names_releases_by_codename() -> None:
    assert [debian_release(name) for name in ("bookworm", "sid")] == ["Debian:12", "Debian:sid"]


def test_ecosystems_that_are_no_distributions_have_no_format() -> None:
    assert [format_of(name) for name in ("Ubuntu:Pro:16.04:LTS", "Rocky Linux:9", "npm", "")] == [
        "apt",
        "rpm",
        None,
        None,
    ]
