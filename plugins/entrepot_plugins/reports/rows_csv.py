"""Findings as CSV (RFC 4180), with a line of headings."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from entrepot.contracts import ReportSubject
from entrepot_plugins.reports.rows import COLUMNS, finding_rows

FORMULA = ("=", "+", "-", "@")
"""What a cell must not start with: a spreadsheet would take what a package says for a formula."""


def write(subject: ReportSubject) -> Iterator[str]:
    """One line for each finding."""
    yield _line(COLUMNS)
    for row in finding_rows(subject):
        yield _line([_cell(row[name]) for name in COLUMNS])


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in str(value))
    return f"'{text}" if text.startswith(FORMULA) else text
