"""From the events of an OSV range to runs of affected versions that a database can compare with.

An event says that a version, and all after it, is affected (``introduced``) or no longer (``fixed``), or that all after
it are not (``last_affected``); ``limit`` ends all of it (OSV schema 1.7, "Evaluation"). Events are taken in the order
of their versions, those of one version in the order they stand: a range that is fixed where it is introduced is empty,
one that is introduced again where it was fixed goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from entrepot.advisories import Affected

Event = tuple[str, str]
"""Kind and version: ``("fixed", "1.2-3")``."""

UNCOMPARABLE = "uncomparable"
"""The state of a run with a version that is none: it counts as affected, and a person has to look."""

_FIRST = "0"


def intervals(events: Sequence[Event], key: Callable[[str], bytes], base: Affected) -> Iterator[Affected]:
    """The runs of affected versions, each as ``base`` with its versions and keys."""
    if (run := _plain(events, key, base)) is not None:
        yield run
        return
    try:
        keyed = sorted(((_key(version, key), kind, version) for kind, version in events), key=lambda event: event[0])
    except ValueError:
        fixed = next((version for kind, version in events if kind == "fixed"), "")
        yield base._replace(fixed=fixed, state=base.state or UNCOMPARABLE)
        return
    limit = max((at for at, kind, _ in keyed if kind == "limit"), default=None)
    begun: tuple[bytes, str] | None = None
    for at, kind, version in keyed:
        if kind == "introduced":
            begun = begun or (at, "" if version == _FIRST else version)
        elif kind != "limit" and begun is not None:
            yield from _run(base, begun, (at, kind, version), limit)
            begun = None
    if begun is not None:
        yield from _run(base, begun, None, limit)


def _plain(events: Sequence[Event], key: Callable[[str], bytes], base: Affected) -> Affected | None:
    """The one run of what nearly all ranges are: from one version on, up to its fix if there is one. Else None."""
    if len(events) not in (1, 2) or events[0][0] != "introduced":
        return None
    introduced, fixed, end = events[0][1], "", None
    try:
        start = _key(introduced, key)
        if len(events) == 2:
            kind, fixed = events[1]
            if kind != "fixed" or (end := _key(fixed, key)) <= start:
                return None
    except ValueError:
        return None
    ecosystem, package, module, *_, state, severity = base
    return Affected(
        ecosystem, package, module, "" if introduced == _FIRST else introduced, start, fixed, "", end, state, severity
    )


def _run(
    base: Affected, begun: tuple[bytes, str], ended: tuple[bytes, str, str] | None, limit: bytes | None
) -> Iterator[Affected]:
    """The run between two events, unless no version is in it."""
    start, introduced = begun
    end, kind, version = ended or (None, "", "")
    if limit is not None and (end is None or end >= limit):
        end = limit
        kind = kind if kind == "fixed" else ""
    if end is None or end > start or (kind == "last_affected" and end == start):
        yield base._replace(
            introduced=introduced,
            introduced_key=start,
            fixed=version if kind == "fixed" else "",
            last_affected=version if kind == "last_affected" else "",
            end_key=end,
        )


def _key(version: str, key: Callable[[str], bytes]) -> bytes:
    return b"" if version == _FIRST else key(version)
