"""Where the shared collection of real packages and indexes is, for tests that carry the mark ``corpus``."""

from __future__ import annotations

from pathlib import Path

import pytest

CORPUS = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def corpus(*parts: str) -> Path:
    """A file or folder of the collection; the test is skipped where it is absent."""
    path = CORPUS.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the collection of real packages is not here: {path}")
    return path


def corpus_files(folder: str, *suffixes: str) -> list[Path]:
    """Files of the collection with one of these suffixes, sorted; none where the collection is absent."""
    return sorted(path for path in (CORPUS / folder).rglob("*") if path.suffix in suffixes)
