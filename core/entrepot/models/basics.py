"""What all records are made of."""

from __future__ import annotations

from typing import NewType

Sha256 = NewType("Sha256", str)
"""64 lower-case hexadecimal digits."""

Scalar = str | int | bool | None

SOURCE_ARCHITECTURE = "source"
"""The architecture under which every format lists its source packages (``hello:source``)."""
