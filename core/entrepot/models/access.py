"""Who may do what: roles, and who somebody is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do. Every role may do what those before it may."""

    READER = "reader"
    UPLOADER = "uploader"
    REVIEWER = "reviewer"
    MAINTAINER = "maintainer"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Its place in the order, from 0."""
        return list(Role).index(self)

    def covers(self, other: Role) -> bool:
        """Whether it may do what ``other`` may."""
        return self.rank >= other.rank


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: a token, a user, or nobody in particular where reading is public.

    ``distributions`` are paths (``repository/distribution``) of the only ones that may be changed; empty: all.
    """

    name: str
    role: Role
    distributions: tuple[str, ...] = ()
    token_id: int | None = None
    user_id: int | None = None
