"""Forms: what a browser sends of one, and the same declarations of fields as the API's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from datasette_entrepot.forms import Fields, parse_object
from datasette_entrepot.problems import MalformedError
from datasette_entrepot.protocols import Request
from datasette_entrepot.routing import read_body

MOST_FIELDS = 500
MOST_FORM = 4 << 20
"""Bytes of a form with its files; package files have a form of their own."""
MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Form:
    """Fields of a form that was sent, in their order; empty before one was."""

    pairs: Sequence[tuple[str, str]] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field, without blanks around it."""
        for key, value in reversed(self.pairs):
            if key == name:
                return value.strip()
        return default

    def texts(self, name: str) -> list[str]:
        """What several fields of one name say, or one says in words apart by blanks, commas or lines."""
        return [word for key, value in self.pairs if key == name for word in re.split(r"[\s,]+", value) if word]

    def flag(self, name: str) -> bool:
        """Whether a box was ticked."""
        return self.text(name) not in ("", "0", "false")

    def has(self, name: str) -> bool:
        """Whether the field was sent, if only empty."""
        return any(key == name for key, _ in self.pairs)

    def parse(self, fields: Fields) -> dict[str, Any]:
        """The fields that say something, checked; other fields of the form are left out."""
        values: dict[str, Any] = {}
        for declared in fields:
            if declared.kind in ("list", "texts"):
                if words := self.texts(declared.name):
                    values[declared.name] = words
            elif declared.kind == "flag":
                values[declared.name] = self.flag(declared.name)
            elif text := self.text(declared.name):
                parsed = declared.parse_text(_number(text) if declared.kind == "number" else text)
                values[declared.name] = parsed
        return parse_object(fields, values)

    def __bool__(self) -> bool:
        return bool(self.pairs or self.files)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


async def read_form(request: Request) -> Form:
    """The form in the body of a request."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == MULTIPART:
        return await _multipart(request)
    raw = await read_body(request)
    if raw and content_type != "application/x-www-form-urlencoded":
        raise MalformedError("this takes a form")
    try:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise MalformedError(f"the form cannot be read: {error}") from error
    return Form(pairs)


async def _multipart(request: Request) -> Form:
    try:
        sent = await request.form(files=True, max_file_size=MOST_FORM, max_request_size=MOST_FORM, max_files=10)
    except Exception as error:
        # Datasette's own errors carry a status.
        if getattr(error, "status", None) not in (400, 413):
            raise
        raise MalformedError(f"the form cannot be read: {error}") from error
    pairs, files = [], {}
    try:
        for name, value in sent.items():
            if isinstance(value, str):
                pairs.append((name, value))
            elif value.filename:
                files[name] = await value.read()
    finally:
        sent.close()
    return Form(pairs, files)
