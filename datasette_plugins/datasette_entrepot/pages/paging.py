"""Pages of a long list: where this one is, and the ones before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datasette_entrepot.forms import Field


def offset_field(most: int = 1_000_000) -> Field:
    """The field of a query that says where a page begins."""
    return Field("from", "integer", "Rows before this page", least=0, most=most)


@dataclass(frozen=True, slots=True)
class Paging:
    """``offset`` rows are before this page of at most ``limit``; ``shown`` are on it; ``query`` is what else was asked.

    ``total`` where it is known.
    """

    offset: int
    limit: int
    shown: int
    more: bool
    query: Mapping[str, Any]
    total: int | None = None

    @property
    def before(self) -> Mapping[str, Any] | None:
        """The query of the page before this one."""
        if not self.offset:
            return None
        start = max(0, self.offset - self.limit)
        return {**self.query, "from": start or None}

    @property
    def after(self) -> Mapping[str, Any] | None:
        """The query of the page after this one."""
        return {**self.query, "from": self.offset + self.limit} if self.more else None


def cut(rows: Sequence[Any], offset: int, limit: int, query: Mapping[str, Any]) -> tuple[Sequence[Any], Paging]:
    """The rows of a page, of which one more was asked for than it has, and its place."""
    shown = rows[:limit]
    return shown, Paging(offset, limit, len(shown), len(rows) > limit, query)
