"""How far each import of a batch is, as events, where a person can watch that."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from entrepot.catalog.imports import StoredVerdict
from entrepot.pipeline.settle import Attempt
from entrepot.progress import Progress, ProgressEvent, silent

FETCH, SCAN, SETTLE = "import.stage.fetch", "import.stage.scan.", "import.stage.settle"
"""Codes of events about one import; that of a scan goes on with the name of the scanner."""
MOST_WATCHED = 50
"""Packages of a batch that is told of one by one: each is some thirty events, and nobody watches more."""


class Teller:
    """Tells of the imports of a batch or, where there are too many, of none. Used by all its threads."""

    def __init__(self, progress: Progress, attempts: Sequence[Attempt]) -> None:
        self._closely = progress if len(attempts) <= MOST_WATCHED else silent
        self._sizes = {o.import_id: o.job.fetching.size for o in attempts if o.job.fetching}
        self._fetched: dict[int, int] = dict.fromkeys(self._sizes, 0)
        self._lock = threading.Lock()

    def bytes(self, import_id: int, count: int) -> None:
        """So many more bytes of an import are here."""
        with self._lock:
            self._fetched[import_id] += count
            done = self._fetched[import_id]
        size = self._sizes[import_id]
        self._closely(ProgressEvent(FETCH, "Downloading", "running", done, size, "bytes", import_id))

    def fetched(self, import_id: int) -> None:
        """All of it is."""
        done = self._fetched[import_id]
        self._closely(ProgressEvent(FETCH, "Downloaded", "completed", done, done, "bytes", import_id))

    def heard(self, import_id: int, scanner: str, stored: StoredVerdict | None) -> None:
        """A scanner begins with an import, or has said something of it."""
        if stored is None:
            event = ProgressEvent(SCAN + scanner, scanner, import_id=import_id)
        else:
            verdict = stored.verdict
            event = ProgressEvent(
                SCAN + scanner, verdict.reason, "completed", import_id=import_id, outcome=verdict.status.value
            )
        self._closely(event)

    def settled(self, attempts: Sequence[Attempt]) -> None:
        """What the policy decided is in the catalog."""
        for attempt in attempts:
            if attempt.result:
                message, state = attempt.result.message, attempt.result.status
                self._closely(ProgressEvent(SETTLE, message, "completed", import_id=attempt.import_id, outcome=state))
