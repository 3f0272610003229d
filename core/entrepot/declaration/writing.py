"""Writes declarations, and changes ``entrepot.toml`` without losing what somebody wrote around the values."""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Mapping
from typing import Any

from entrepot.declaration.reading import ARMOR
from entrepot.declaration.yaml_text import yaml_library


def write_declaration(document: Mapping[str, Any], form: str) -> str:
    """The document as ``toml`` or ``yaml``; texts of several lines as such."""
    if form == "yaml":
        return _as_yaml(document)
    import tomlkit

    return tomlkit.dumps(_multiline(document))


def edited_settings(text: str, wanted: Mapping[str, Any]) -> str:
    """The text of ``entrepot.toml`` changed to say what is wanted; comments of what stays are kept."""
    import tomlkit

    edited = tomlkit.parse(text)
    _edit(edited, tomllib.loads(text), wanted)
    changed = tomlkit.dumps(edited)
    # Tables that are written in several places cannot always be changed in place, and those of policies have an order.
    return changed if _same(tomllib.loads(changed), wanted) else tomlkit.dumps(wanted)


def armored(keys: bytes) -> str:
    """Public keys as text: as they are where they are armored, binary ones with armor (RFC 9580, 6.2) around them."""
    try:
        text = keys.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if ARMOR in text:
        return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    encoded = base64.b64encode(keys).decode()
    lines = [encoded[start : start + 64] for start in range(0, len(encoded), 64)]
    return "\n".join([ARMOR, "", *lines, ARMOR.replace("BEGIN", "END"), ""])


def _edit(edited: Any, present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    for name in [name for name in present if name not in wanted]:
        del edited[name]
    for name, value in wanted.items():
        held = present.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            _edit(edited[name], held, value)
        elif held != value or type(held) is not type(value):
            edited[name] = value


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether two documents are equal, policies in the same order."""
    return found == wanted and list(found.get("policies", ())) == list(wanted.get("policies", ()))


def _multiline(value: Any) -> Any:
    import tomlkit

    if isinstance(value, Mapping):
        return {name: _multiline(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_multiline(inner) for inner in value]
    if isinstance(value, str) and "\n" in value:
        return tomlkit.string(value, multiline=True)
    return value


def _as_yaml(document: Mapping[str, Any]) -> str:
    library = yaml_library()

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    dumper: Any = type("_Dumper", (library.SafeDumper,), {})
    dumper.add_representer(str, text)
    dumper.ignore_aliases = lambda _dumper, _value: True
    written: str = library.dump(dict(document), Dumper=dumper, sort_keys=False, allow_unicode=True, width=1000)
    return written
