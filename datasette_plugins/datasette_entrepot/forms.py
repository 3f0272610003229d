"""What a call takes, declared once: the declaration checks bodies and queries and is their schema in OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entrepot.errors import UsageError

MOST_ITEMS = 10_000
INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Field:
    """One value. ``kind``: ``text``, ``integer``, ``number``, ``flag``, ``object``, ``name`` (a name or an id),
    ``texts`` (a list, or one text) or ``list`` (of texts)."""

    name: str
    kind: str = "text"
    about: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None
    length: int = 4096
    nullable: bool = False

    def schema(self) -> dict[str, Any]:
        """Its JSON schema."""
        text: dict[str, Any] = {"type": "string", "maxLength": self.length}
        if self.choices:
            text = {"type": "string", "enum": list(self.choices)}
        elif self.required:
            text["minLength"] = 1
        bounds = {} if self.least is None else {"minimum": self.least}
        bounds |= {} if self.most is None else {"maximum": self.most}
        several = {"type": "array", "items": text, "maxItems": MOST_ITEMS}
        schemas: Mapping[str, dict[str, Any]] = {
            "text": text,
            "integer": {"type": "integer", **bounds},
            "number": {"type": "number", **bounds},
            "flag": {"type": "boolean"},
            "object": {"type": "object"},
            "name": {"oneOf": [text, {"type": "integer", "minimum": 1, "maximum": 2**53}]},
            "texts": {"oneOf": [text, several | ({"minItems": 1} if self.required else {})]},
            "list": several,
        }
        schema = schemas[self.kind]
        if self.nullable:
            schema = {"oneOf": [schema, {"type": "null"}]}
        return schema | ({"description": self.about} if self.about else {})

    def parse(self, value: Any) -> Any:
        """The value, or ``UsageError`` that names the field."""
        if value is None and self.nullable:
            return None
        if self.kind in ("texts", "list"):
            return self._several(value)
        if self.kind == "name" and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if self.kind in ("text", "name"):
            return self._text(value)
        if self.kind in ("integer", "number"):
            return self._number(value)
        wanted = bool if self.kind == "flag" else dict
        if not isinstance(value, wanted):
            raise self.error("must be true or false" if self.kind == "flag" else "must be an object")
        return value

    def parse_text(self, text: str) -> Any:
        """The same for a value of a query or a form, where everything is text."""
        if self.kind == "integer":
            if not INTEGER.fullmatch(text):
                raise self.error("must be an integer")
            return self._number(int(text))
        if self.kind == "flag":
            if text not in ("1", "0", "true", "false", "on", "off"):
                raise self.error("must be true or false")
            return text in ("1", "true", "on")
        return self.parse(text)

    def _several(self, value: Any) -> Any:
        if isinstance(value, str) and self.kind == "texts":
            return self._text(value)
        if not isinstance(value, list) or len(value) > MOST_ITEMS or (self.required and not value):
            raise self.error(f"must be a list of at most {MOST_ITEMS} texts")
        return [self._text(item) for item in value]

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.error("must be text")
        if len(value) > self.length or (self.required and not value.strip()):
            raise self.error(f"must have 1 to {self.length} characters")
        if self.choices and value not in self.choices:
            raise self.error(f"must be one of {', '.join(self.choices)}")
        if "\0" in value:
            raise self.error("must have no NUL")
        return value

    def _number(self, value: Any) -> Any:
        kinds = (int,) if self.kind == "integer" else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise self.error(f"must be a {self.kind}" if self.kind == "number" else "must be an integer")
        if not (self.least is None or value >= self.least) or not (self.most is None or value <= self.most):
            raise self.error(f"must be between {self.least} and {self.most}")
        return value

    def error(self, message: str) -> UsageError:
        """A ``UsageError`` that names the field."""
        return UsageError(f"{self.name} {message}", field=self.name)


Fields = Sequence[Field]


def parse_object(fields: Fields, document: Any) -> dict[str, Any]:
    """The values of a JSON object; what is not there is not in the answer. ``UsageError`` names what does not fit."""
    if not isinstance(document, dict):
        raise UsageError("the body must be a JSON object")
    known = {field.name: field for field in fields}
    _refuse_unknown(known, document)
    values = {name: known[name].parse(value) for name, value in document.items()}
    _require(fields, values)
    return values


def parse_texts(fields: Fields, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The same for a query or a form: the last of several values counts."""
    known = {field.name: field for field in fields}
    _refuse_unknown(known, dict(pairs))
    values = {name: known[name].parse_text(text) for name, text in pairs}
    _require(fields, values)
    return values


def object_schema(fields: Fields) -> dict[str, Any]:
    """The JSON schema of such an object."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {field.name: field.schema() for field in fields},
        "additionalProperties": False,
    }
    if required := [field.name for field in fields if field.required]:
        schema["required"] = required
    return schema


def _refuse_unknown(known: Mapping[str, Field], given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(f"{name[:100]!r} is not known here", hint=f"known: {', '.join(known)}" if known else "")


def _require(fields: Fields, values: Mapping[str, Any]) -> None:
    for field in fields:
        if field.required and field.name not in values:
            raise field.error("is missing")
