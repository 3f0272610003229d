"""Which libsolv there is, without loading it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def libsolv_version() -> str:
    """``libsolv 0.7.39``; ``libsolv`` alone where it is not installed."""
    try:
        return f"libsolv {version('solv')}"
    except PackageNotFoundError:
        return "libsolv"
