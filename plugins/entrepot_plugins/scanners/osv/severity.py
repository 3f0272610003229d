"""How bad something is, in five words: from a CVSS vector (v2, v3.x, v4.0 by FIRST), or in a vendor's own words."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

WORDS = ("negligible", "low", "medium", "high", "critical")
"""From harmless to dangerous. ``unknown`` is none of them."""
UNKNOWN = "unknown"

_VENDORS = {
    "none": "negligible",
    "negligible": "negligible",
    "unimportant": "negligible",
    "low": "low",
    "minor": "low",
    "medium": "medium",
    "moderate": "medium",
    "high": "high",
    "important": "high",
    "critical": "critical",
}
_LONGEST_VECTOR = 400
_FLOORS = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))


def vendor_word(text: object) -> str:
    """A vendor's word as one of ours; empty for what says nothing (``not yet assigned``)."""
    return _VENDORS.get(text.strip().rstrip("*").lower(), "") if isinstance(text, str) else ""


def score_word(score: float) -> str:
    """The word for a base score: the qualitative scale of CVSS v3.1 and v4.0, which is used for v2, too."""
    return next((word for floor, word in _FLOORS if score >= floor), "negligible")


def best_vector(vectors: Iterable[str]) -> tuple[str, float | None]:
    """The vector of the newest version of CVSS, of several the one that scores highest, with its base score."""
    scored = [(_version(vector), score, vector) for vector in vectors if (score := base_score(vector)) is not None]
    if not scored:
        return "", None
    _, score, vector = max(scored)
    return vector, score


@lru_cache(maxsize=8192)
def base_score(vector: str) -> float | None:
    """The score of a vector, 0.0 to 10.0; None for text that is none. Real data repeats some thousand vectors."""
    if len(vector) > _LONGEST_VECTOR:
        return None
    library: Any = importlib.import_module("cvss")  # it has no types
    errors: Any = importlib.import_module("cvss.exceptions")
    classes = {"2": library.CVSS2, "3": library.CVSS3, "4": library.CVSS4}
    try:
        return float(classes[_version(vector)](vector).base_score)
    except errors.CVSSError:
        return None


def _version(vector: str) -> str:
    return vector[5] if vector.startswith(("CVSS:3", "CVSS:4")) else "2"
