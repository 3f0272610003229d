"""What may be a source, before anything is fetched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from entrepot.errors import UsageError
from entrepot.models import SourceDraft
from entrepot_plugins.apt.index import AptIndexReader

DRAFT = SourceDraft("debian", "apt", "https://example.org/debian", ("stable",), verify=False)


def check(draft: SourceDraft) -> SourceDraft:
    return AptIndexReader().check(draft)


def test_a_draft_comes_back_in_its_usual_form() -> None:
    found = check(
        replace(
            DRAFT,
            url="https://example.org/debian//",
            distributions=("stable", "stable", "a/updates"),
            components=("main", "main"),
            architectures=("amd64", "source"),
        )
    )
    assert found.url == "https://example.org/debian"
    assert found.distributions == ("stable", "a/updates")
    assert (found.components, found.architectures, found.options) == (("main",), ("amd64",), {"sources": True})


@pytest.mark.parametrize(("name", "usual"), [("/", "./"), ("./", "./"), ("./nest//x/", "nest/x/"), ("nest/", "nest/")])
def test_flat_distributions_have_one_spelling(name: str, usual: str) -> None:
    assert check(replace(DRAFT, distributions=(name,))).distributions == (usual,)


def test_source_alone_stays_an_architecture() -> None:
    found = check(replace(DRAFT, architectures=("source",)))
    assert (found.architectures, found.options) == (("source",), {"sources": True})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distributions": ()}, "names no distribution"),
        ({"distributions": ("../x",)}, "no name of a distribution"),
        ({"distributions": ("a//b",)}, "no name of a distribution"),
        ({"distributions": ("/a",)}, "no name of a distribution"),
        ({"distributions": ("a b",)}, "no name of a distribution"),
        ({"distributions": ("a\x1b",)}, "no name of a distribution"),
        ({"distributions": ("a/../",)}, "no name of a distribution"),
        ({"components": ("../main",)}, "no name of a component"),
        ({"architectures": ("AMD64",)}, "no name of an architecture"),
        ({"distributions": ("./",), "components": ("main",)}, r"'./' is flat and has none"),
        ({"url": "https://example.org/debian/dists/stable"}, "has the folder dists in it"),
        ({"url": ""}, "no URL"),
        ({"keyring": b"not a key"}, "keyring of source 'debian' cannot be used"),
    ],
)
def test_what_makes_no_sense_is_an_error(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(replace(DRAFT, **change))
