"""What an RPM source may look like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from entrepot.errors import UsageError
from entrepot.models import Scalar, SourceDraft
from entrepot_plugins.rpm.draft import check_draft

DRAFT = SourceDraft("x", "rpm", "https://example.org/el9/x86_64")


def test_the_url_of_a_folder_ends_in_a_slash_and_that_of_a_list_stays() -> None:
    assert check_draft(DRAFT).url == "https://example.org/el9/x86_64/"
    for option in ("mirrorlist", "metalink"):
        draft = replace(DRAFT, url="https://example.org/list?a=b", options={option: True})
        assert check_draft(draft).url == "https://example.org/list?a=b"


def test_variables_of_the_url_are_filled_in() -> None:
    draft = replace(
        DRAFT,
        url="https://example.org/$releasever/${releasever_major}.x/$basearch/$arch",
        options={"releasever": "9.4", "basearch": "x86_64"},
    )
    assert check_draft(draft).url == "https://example.org/9.4/9.x/x86_64/x86_64/"


def test_source_packages_are_asked_for_by_one_name_and_nothing_twice() -> None:
    assert check_draft(replace(DRAFT, architectures=("x86_64", "src", "source", "x86_64"))).architectures == (
        "x86_64",
        "source",
    )


def test_mirrors_are_checked_too() -> None:
    draft = replace(DRAFT, options={"mirrors": "http://a.example.org  http://a.example.org http://b.example.org/x"})
    assert check_draft(draft).options["mirrors"] == "http://a.example.org/ http://b.example.org/x/"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distributions": ("el9",)}, "names distributions, which RPM repositories do not have"),
        ({"components": ("main",)}, "names components"),
        ({"architectures": ("x86 64",)}, "no name of an architecture"),
        ({"url": ""}, "no URL of a source"),
        ({"url": "https://example.org/a b"}, "no URL of a source"),
        ({"url": "https://example.org/el9/repodata/"}, "has repodata in it"),
        ({"url": "https://example.org/el9/repodata/repomd.xml"}, r"has repodata/repomd\.xml in it"),
        ({"url": "https://example.org/$releasever"}, r"\$releasever has no value"),
        ({"options": {"mirrorlist": True, "metalink": True}}, "at once"),
        ({"options": {"repo_gpgcheck": True}}, "no keys to verify it with"),
        ({"keyring": b"hello"}, "the keyring of source 'x' cannot be used"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_draft(replace(DRAFT, **changes))


def test_options_keep_their_values() -> None:
    options: dict[str, Scalar] = {"allow_weak": True, "releasever": "9"}
    assert check_draft(replace(DRAFT, options=options)).options == options
