"""From the events of an OSV range to runs of affected versions that a database can compare with.

An event says that a version, and all after it, is affected (``introduced``) or no longer (``fixed``), or that all after
it are not (``last_affected``); ``limit`` ends all of it (OSV schema 1.7, "Evaluation"). Events are taken in the order
of their versions, those of one version in the order they stand: a range that is fixed where it is introduced is empty,
one that is introduced again where it was fixed goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from entrepot.advisories import Affected

Event = tuple[str, str]
"""Kind and version: ``("fixed", "1.2-3")``."""

UNCOMPARABLE = "uncomparable"
"""The state of a run with a version that is none: it counts as affected, and a person has to look."""

_FIRST = "0"


def intervals(events: Sequence[Event], key: Callable[[str], bytes], base: Affected) -> Iterator[Affected]:
    """The runs of affected versions, each as ``base`` with its versions and keys."""
    try:
        keyed = sorted(((_key(version, key), kind, version) for kind, version in events), key=lambda event: event[0])
    except ValueError:
        fixed = next((version for kind, version in events if kind == "fixed"), "")
        yield replace(base, fixed=fixed, state=base.state or UNCOMPARABLE)
        return
    limit = max((at for at, kind, _ in keyed if kind == "limit"), default=None)
    begun: Affected | None = None
    for at, kind, version in keyed:
        if kind == "introduced" and begun is None:
            begun = replace(base, introduced="" if version == _FIRST else version, introduced_key=at)
        elif kind == "fixed" and begun is not None:
            yield from _ended(replace(begun, fixed=version, end_key=at), limit)
            begun = None
        elif kind == "last_affected" and begun is not None:
            yield from _ended(replace(begun, last_affected=version, end_key=at), limit)
            begun = None
    if begun is not None:
        yield from _ended(begun, limit)


def _ended(run: Affected, limit: bytes | None) -> Iterator[Affected]:
    if limit is not None and (run.end_key is None or run.end_key >= limit):
        run = replace(run, end_key=limit, last_affected="")
    if (
        run.end_key is None
        or run.end_key > run.introduced_key
        or (run.last_affected and run.end_key == run.introduced_key)
    ):
        yield run


def _key(version: str, key: Callable[[str], bytes]) -> bytes:
    return b"" if version == _FIRST else key(version)
