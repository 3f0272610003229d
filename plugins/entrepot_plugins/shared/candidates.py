"""What the solvers of every format do with the packages that they are offered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from entrepot.contracts import Candidate


def unseen(candidates: Iterable[Candidate], seen: set[tuple[bool, int]]) -> Iterator[Candidate]:
    """Each candidate once. What is present and what is available may come out of different tables with the same ids."""
    for candidate in candidates:
        identity = (candidate.present, candidate.id)
        if identity not in seen:
            seen.add(identity)
            yield candidate
