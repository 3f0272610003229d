"""Licences, persons and JSON in pieces."""

from __future__ import annotations

import json

import pytest

from entrepot_plugins.reports.cyclonedx import _licence
from entrepot_plugins.reports.writing import document, licence_ref, person, spdx_expression


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("MIT", "MIT"),
        ("mit", "MIT"),
        ("GPL-2.0-or-later AND MIT", "GPL-2.0-or-later AND MIT"),
        ("(MIT OR Apache-2.0) AND BSD-3-Clause", "(MIT OR Apache-2.0) AND BSD-3-Clause"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("GPLv2+ and MIT", None),
        ("Public Domain", None),
        ("MIT AND", None),
        ("(" * 500, None),
        ("", None),
    ],
)
def test_only_what_is_an_spdx_expression_is_taken_for_one(text: str, expression: str | None) -> None:
    assert spdx_expression(text) == expression


def test_a_licence_is_an_id_an_expression_or_words() -> None:
    assert _licence("MIT") == {"license": {"id": "MIT"}}
    assert _licence("MIT OR ISC") == {"expression": "MIT OR ISC"}
    assert _licence("GPLv2+ and MIT") == {"license": {"name": "GPLv2+ and MIT"}}


def test_other_words_are_another_reference() -> None:
    assert licence_ref("GPLv2+ and MIT").startswith("LicenseRef-GPLv2-and-MIT-")
    assert licence_ref("a b") != licence_ref("a-b")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A Person <a@example.org>", ("A Person", "a@example.org")),
        ("<a@example.org>", ("a@example.org", "a@example.org")),
        ("Example, Inc.", ("Example, Inc.", "")),
        ("A <no address>", ("A <no address>", "")),
        ("A <a@ex ample.org>", ("A <a@ex ample.org>", "")),
    ],
)
def test_maintainers_are_a_name_and_perhaps_an_address(text: str, found: tuple[str, str]) -> None:
    assert person(text) == found


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 128, 200])
def test_lists_of_any_length_are_written_in_pieces(count: int) -> None:
    pieces = list(document({"a": 1}, [("items", range(count)), ("more", ["x"])]))
    expected = {"a": 1, "more": ["x"]} | ({"items": list(range(count))} if count else {})
    assert json.loads("".join(pieces)) == expected
