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
