"""How many examples properties are tried with that take long for each."""

from __future__ import annotations

import os

_TIMES = int(os.environ.get("ENTREPOT_EXAMPLES_TIMES", "1"))


def examples(number: int) -> int:
    """So many, or that times ENTREPOT_EXAMPLES_TIMES, for who looks for more."""
    return number * _TIMES
