"""What all forms need: JSON in pieces, persons and licences in the words of the standards."""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from entrepot.contracts import ReportSubject
from entrepot.errors import MissingExtraError
from entrepot.models import ListedPackage, StandingFinding

BATCH = 64
"""Items of a list that are written at once."""
LICENCE_LIMIT = 1000
"""Characters of a licence that are kept; the longest real one of a distribution has some hundred."""

_MAINTAINER = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<address>[^<>\s]+@[^<>\s]+)>\s*")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_REMARKS = re.compile(r"[^A-Za-z0-9.-]+")


def to_json(value: Any) -> str:
    """One value; what is no Unicode becomes an escape."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def document(head: dict[str, Any], lists: Iterable[tuple[str, Iterable[Any]]]) -> Iterator[str]:
    """An object: the members of ``head``, then lists whose items are taken one after the other.

    A list without items is left out.
    """
    yield to_json(head)[:-1]
    for name, items in lists:
        open_ = f",\n{to_json(name)}:[\n"
        batch: list[str] = []
        for item in items:
            batch.append(to_json(item))
            if len(batch) == BATCH:
                yield open_ + ",\n".join(batch)
                open_, batch = ",\n", []
        if batch:
            yield open_ + ",\n".join(batch)
            open_ = ",\n"
        if open_ == ",\n":
            yield "\n]"
    yield "}\n"


def timestamp(moment: dt.datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def file_url(subject: ReportSubject, package: ListedPackage) -> str:
    """Where clients fetch a package's main file; empty if nobody knows where the tree is."""
    return subject.base_url + quote(package.path, safe="/~") if subject.base_url else ""


def person(text: str) -> tuple[str, str]:
    """Name and address of a maintainer; the address is empty if there is none that could be one."""
    match = _MAINTAINER.fullmatch(text)
    name, address = (match["name"] or match["address"], match["address"]) if match else (text, "")
    name = " ".join(name.split())[:200]
    return name, address if _ADDRESS.fullmatch(address) else ""


@lru_cache(maxsize=4096)
def spdx_expression(text: str) -> str | None:
    """A licence as a normal SPDX expression; None for words that are none. A distribution has some thousand."""
    text = " ".join(text.split())
    if not text or len(text) > LICENCE_LIMIT:
        return None
    licensing, errors = _licensing()
    try:
        parsed = licensing.parse(text, validate=True, strict=True)
    except (errors, ValueError, TypeError, RecursionError):
        return None
    return str(parsed.render("{symbol.key}")) if parsed is not None else None


@lru_cache(maxsize=1)
def _licensing() -> tuple[Any, type[Exception]]:
    try:
        library: Any = importlib.import_module("license_expression")  # it has no types
    except ImportError as error:
        raise MissingExtraError(
            "bills of materials need a list of licences that is not installed", hint="pip install 'entrepot[reports]'"
        ) from error
    return library.get_spdx_licensing(), library.ExpressionError


def is_single(expression: str) -> bool:
    """Whether an SPDX expression is one licence, without operators and exceptions."""
    return " " not in expression and "(" not in expression


def licence_ref(text: str) -> str:
    """The ``LicenseRef`` for a licence in a package's own words; another one for other words."""
    digest = hashlib.blake2b(text.encode("utf-8", "backslashreplace"), digest_size=4).hexdigest()
    return f"LicenseRef-{_REMARKS.sub('-', text)[:40].strip('-')}-{digest}"


def recommendation(finding: StandingFinding) -> str:
    """What to do about a vulnerability, in words; empty if no version fixes it."""
    fixed = finding.finding.data.get("fixed")
    return f"Update to {fixed} or newer." if fixed else ""
