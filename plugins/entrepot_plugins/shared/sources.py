"""What is the same for sources of every format: their drafts, and how what they list is fetched and doubted."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace

from entrepot.contracts import ReadContext
from entrepot.errors import IndexFormatError, UsageError
from entrepot.models import Available, SourceDraft
from entrepot.progress import ProgressEvent
from entrepot_plugins.shared.openpgp import dearmor

LONGEST_NAME = 90


def checked_keyring(draft: SourceDraft) -> bytes | None:
    """The keys of a draft, which are keys; ``UsageError`` where they are not."""
    if draft.keyring is None:
        return None
    try:
        dearmor(draft.keyring)
    except ValueError as error:
        raise UsageError(
            f"the keyring of source {draft.name!r} cannot be used: {error}",
            hint="give a file with OpenPGP public keys, binary or ASCII-armored",
        ) from error
    return draft.keyring


def named(drafts: Iterable[tuple[SourceDraft, str]], otherwise: str) -> Sequence[SourceDraft]:
    """Drafts under names that sources may have and no two share: those that are wanted, as far as possible."""
    taken: set[str] = set()
    found = []
    for draft, wanted in drafts:
        plain = re.sub(r"[^A-Za-z0-9._]+", "-", wanted).strip("-._")[:LONGEST_NAME] or otherwise
        name, count = plain, 1
        while name in taken:
            count += 1
            name = f"{plain}-{count}"
        taken.add(name)
        found.append(replace(draft, name=name))
    return found


def unusable(package: Available, error: ValueError) -> IndexFormatError:
    """The error that says which entry of which source cannot be used."""
    return IndexFormatError(
        f"{package.source} has an entry that cannot be used, {package.name} {package.version}: {error}",
        source=package.source,
        name=package.name,
        version=package.version,
    )


class Meter:
    """Adds up the bytes of all downloads and reports them."""

    def __init__(self, context: ReadContext, total: int, files: int) -> None:
        self._progress = context.progress
        self._total = total
        self._message = f"Downloading {files} indexes..." if files != 1 else "Downloading 1 index..."
        self._done = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """So many bytes more, from any thread."""
        with self._lock:
            self._done = min(self._done + count, self._total)
            done = self._done
        self._progress(ProgressEvent("sync.fetch", self._message, "running", done, self._total, "bytes"))

    def end(self, state: str) -> None:
        """How it ended: ``completed`` or ``failed``."""
        self._progress(ProgressEvent("sync.fetch", self._message, state, self._done, self._total, "bytes"))
