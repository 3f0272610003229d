"""YAML as it is meant: the words of YAML 1.2's core schema, nothing said twice, no references, and lines known.

PyYAML by itself reads YAML 1.1, in which ``no`` is false, ``12:30`` is 750 and a key that is there twice is the later.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from entrepot.errors import MissingExtraError
from entrepot.toml_places import Key

_WORDS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
    ("null", re.compile(r"~|null|Null|NULL|"), "~nN"),
    ("int", re.compile(r"[-+]?(0|[1-9][0-9]*)"), "-+0123456789"),
    ("float", re.compile(r"[-+]?[0-9]+\.[0-9]+"), "-+0123456789"),
)
"""Kinds of plain text, and the letters that they begin with. All of it is read alike by PyYAML, which writes quotes
around a text that looks so; ``007`` and ``1e3`` stay text."""


def yaml_library() -> Any:
    """PyYAML; ``MissingExtraError`` where it is not installed."""
    try:
        return importlib.import_module("yaml")  # it has no types
    except ModuleNotFoundError as error:
        hint = "pip install 'entrepot[yaml]', or write the same as TOML"
        raise MissingExtraError("PyYAML is not installed, and YAML needs it", hint=hint, extra="yaml") from error


def load_yaml(text: str) -> Any:
    """The document; ``ValueError`` with the line of what cannot be read or is not meant to be."""
    yaml = yaml_library()
    try:
        node = _root(yaml, text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error
    return {} if node is None else _value(yaml, node, set())


def yaml_line_of(text: str, key: Key) -> int | None:
    """The line, from 1, of a key of a document that was loaded; of the nearest around it that is written down."""
    node, line = _root(yaml_library(), text), None
    for part in key:
        for name, place, inner in _inner(node):
            if name == part:
                node, line = inner, place
                break
        else:
            break
    return line


def _inner(node: Any) -> Iterator[tuple[str | int, int, Any]]:
    """What is directly in a node: its name or place, its line, and itself."""
    entries = node.value if node is not None and node.id in ("mapping", "sequence") else ()
    for index, entry in enumerate(entries):
        if node.id == "mapping":
            yield entry[0].value, entry[0].start_mark.line + 1, entry[1]
        else:
            yield index, entry.start_mark.line + 1, entry


def _root(yaml: Any, text: str) -> Any:
    loader = yaml.SafeLoader(text)
    resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for kind, pattern, first in _WORDS:
        for letter in first:
            resolvers.setdefault(letter, []).append(
                (f"tag:yaml.org,2002:{kind}", re.compile(f"(?:{pattern.pattern})$"))
            )
    resolvers[""] = [("tag:yaml.org,2002:null", re.compile(r"$"))]
    loader.yaml_implicit_resolvers = resolvers
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _value(yaml: Any, node: Any, seen: set[int]) -> Any:
    line = f"line {node.start_mark.line + 1}"
    if id(node) in seen:
        raise ValueError(f"{line}: anchors and references are not read; say it again where it is needed")
    seen.add(id(node))
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if node.id == "mapping" and kind == "map":
        found: dict[str, Any] = {}
        for name, value in node.value:
            place = f"line {name.start_mark.line + 1}"
            if name.tag != "tag:yaml.org,2002:str":
                raise ValueError(f"{place}: a key has to be text; put it between quotes")
            if name.value in found:
                raise ValueError(f"{place}: {name.value} is there twice")
            found[name.value] = _value(yaml, value, seen)
        return found
    if node.id == "sequence" and kind == "seq":
        return [_value(yaml, entry, seen) for entry in node.value]
    readers: dict[str, Callable[[str], Any]] = {
        "str": str,
        "int": int,
        "float": float,
        "bool": lambda text: text.lower() == "true",
    }
    if node.id == "scalar" and kind in readers:
        return readers[kind](node.value)
    if node.id == "scalar" and kind == "null":
        raise ValueError(f"{line}: nothing is said here; leave the key out, or write an empty text as ''")
    raise ValueError(f"{line}: the tag {node.tag} is not read")
