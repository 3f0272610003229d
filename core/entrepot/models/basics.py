"""What all records are made of."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import NewType

Sha256 = NewType("Sha256", str)
"""64 lower-case hexadecimal digits."""

Scalar = str | int | bool | None

SOURCE_ARCHITECTURE = "source"
"""The architecture under which every format lists its source packages (``hello:source``)."""


@lru_cache(maxsize=256)
def to_text(moment: dt.datetime) -> str:
    """ISO 8601 in UTC to the second, so that text order is time order: how times are kept and told."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
