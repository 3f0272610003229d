"""Pages of the documentation whose commands are run as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def blocks(path: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page, each with its language."""
    text = (REPOSITORY / path).read_text(encoding="utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def calls(block: str, places: Mapping[str, str]) -> Iterator[tuple[list[str], int]]:
    """Every call of a block, with the exit code that a comment says it ends with; ``places`` are put for others."""
    for line in filter(None, block.splitlines()):
        for place, other in places.items():
            line = line.replace(place, other)
        code = re.search(r"# exit code (\d)$", line)
        yield shlex.split(line, comments=True), int(code[1]) if code else 0
