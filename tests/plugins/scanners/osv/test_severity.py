"""How bad something is."""

from __future__ import annotations

import pytest

from entrepot_plugins.scanners.osv.severity import base_score, best_vector, score_word, vendor_word

V2 = "AV:N/AC:L/Au:N/C:P/I:P/A:P"
V3 = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:H"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        (V2, 7.5),
        (V3, 6.6),
        (V3.replace("3.1", "3.0"), 6.6),
        (V4, 9.3),
        ("", None),
        ("CVSS:3.1/", None),
        ("CVSS:9.9/AV:N", None),
        ("medium", None),
        ("x" * 500, None),
        (f"{V3}/ü:Ü", None),
    ],
)
def test_a_vector_of_any_version_has_its_base_score(vector: str, score: float | None) -> None:
    assert base_score(vector) == score


PUBLISHED = [
    # A complete guide to CVSS version 2.0, chapter 3.3: its three worked examples.
    ("CVE-2002-0392", "AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8),
    ("CVE-2003-0818", "AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0),
    ("CVE-2003-0062", "AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2),
    # CVSS v3.1 examples.
    ("CVE-2013-1937", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
    ("CVE-2013-0375", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
    ("CVE-2014-3566", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
    ("CVE-2012-1516", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
    ("CVE-2016-0128", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:N", 6.8),
    ("CVE-2014-2019", "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6),
    ("CVE-2009-0783", "CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2),
    ("CVE-2013-6014", "CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 9.3),
    # CVSS v4.0 examples.
    ("CVE-2022-41741", "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3),
    ("CVE-2020-3549", "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7),
    ("CVE-2023-3089", "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N", 8.3),
    ("CVE-2021-44714", "CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", 4.6),
    ("CVE-2022-21830", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", 5.1),
    ("CVE-2014-0160", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N", 8.7),
    ("CVE-2021-44228", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),
    ("CVE-2013-6014", "CVSS:4.0/AV:A/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:H/SI:N/SA:H", 6.4),
    ("CVE-2016-5729", "CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 9.3),
]


@pytest.mark.parametrize(("name", "vector", "score"), PUBLISHED)
def test_the_score_is_the_one_that_first_publishes_in_its_examples(name: str, vector: str, score: float) -> None:
    assert base_score(vector) == score, name


def test_the_newest_version_of_cvss_counts_and_of_several_vectors_the_worst() -> None:
    lower = V3.replace("A:H", "A:L")
    assert best_vector([V2, V3, lower]) == (V3, 6.6)
    assert best_vector([V3, V4, V2]) == (V4, 9.3)
    assert best_vector(["nonsense"]) == ("", None)


@pytest.mark.parametrize(
    ("score", "word"),
    [(10.0, "critical"), (9.0, "critical"), (8.9, "high"), (7.0, "high"), (3.9, "low"), (0, "negligible")],
)
def test_scores_have_the_words_of_the_scale(score: float, word: str) -> None:
    assert score_word(score) == word


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Important", "high"),
        ("MODERATE", "medium"),
        ("high**", "high"),
        ("unimportant", "negligible"),
        ("not yet assigned", ""),
        ("end-of-life", ""),
        ("untriaged", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_words_of_vendors_are_five_of_ours(text: object, word: str) -> None:
    assert vendor_word(text) == word
