"""Which generations stay, and the removal of what only others had."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence

from entrepot.contracts import ObjectInfo
from entrepot.publish.parallel import each
from entrepot.remote.chunks import AT_ONCE, DIGEST, read_list
from entrepot.remote.generations import Generations
from entrepot.remote.layout import CHUNKS, FILES, GENERATIONS, LISTS, Generation, Made, chunk_key, generation_key
from entrepot.settings import HomeSettings

GRACE = dt.timedelta(hours=6)
"""How long what no generation has stays: a reader may be at it still."""
TOGETHER = 200
"""Objects that are removed between two looks whether the lease is still ours."""


def kept(history: Sequence[Made], newest: Made, settings: HomeSettings) -> Sequence[Made]:
    """Those of earlier generations, the newest first, that stay when one more is made.

    That is so many of the newest, itself counted, and the last one of each of so many days. Those that are steps of a
    command stay no longer than they are the newest.
    """
    chosen, days = [], {newest.at.date()}
    for position, made in enumerate((made for made in history if not made.step), 1):
        day = made.at.astimezone(dt.UTC).date()
        last_of_day = day not in days and (newest.at.date() - day).days <= settings.keep_days
        days.add(day)
        if position < settings.keep_generations or last_of_day:
            chosen.append(made)
    return tuple(chosen)


def sweep(generations: Generations, newest: Generation, now: dt.datetime, confirm: Callable[[], object]) -> int:
    """Removes what no generation that is kept has, and that is older than the grace; answers how many objects."""
    storage = generations.storage
    wanted = set(_named(generations, newest))
    before = now - GRACE
    useless = [info.key for info in _objects(generations) if info.key not in wanted and info.modified < before]
    for start in range(0, len(useless), TOGETHER):
        confirm()
        each(storage, AT_ONCE, storage.delete, useless[start : start + TOGETHER])
    return len(useless)


def _objects(generations: Generations) -> Iterator[ObjectInfo]:
    for prefix in (GENERATIONS, LISTS, FILES, CHUNKS):
        yield from generations.storage.list(prefix)


def _named(generations: Generations, newest: Generation) -> Iterator[str]:
    """The keys of all that generations which are kept have."""
    lists = set()
    for made in (newest.made, *newest.history):
        yield generation_key(made.name)
        generation = newest if made == newest.made else generations.get(made.name)
        yield from (f"{FILES}{stored.sha256}" for stored in generation.files.values())
        lists |= {*generation.databases.values()}
    for stored in lists:
        yield f"{LISTS}{stored.sha256}"
        chunks = read_list(generations.storage, stored)
        yield from (chunk_key(chunks[start : start + DIGEST].hex()) for start in range(0, len(chunks), DIGEST))
