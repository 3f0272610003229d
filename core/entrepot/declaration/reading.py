"""Reads a declaration, TOML or YAML. A mistake is named with file, line, key and what is allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from entrepot.declaration.records import (
    SETTINGS,
    Declaration,
    DeclaredDistribution,
    DeclaredRepository,
    DeclaredSource,
)
from entrepot.declaration.secrets import below, read_secrets, refuse_secrets
from entrepot.declaration.yaml_text import load_yaml, yaml_line_of
from entrepot.errors import SettingsError
from entrepot.models import Connection, Scalar, Secrets, SourceDraft
from entrepot.policies.table import Table
from entrepot.toml_places import SettingsFile

SOURCE = (
    *("format", "url", "distributions", "components", "architectures"),
    *("verify", "keyring", "options", "connection", "secrets"),
)
REPOSITORY = ("format", "publish_to", "public_url", "sign", "sign_with", "origin", "label", "distributions")
LISTS = ("components", "architectures", "compressions", "base_sources")
NUMBERS = ("keep", "keep_versions", "keep_days")
DISTRIBUTION = (*LISTS, *NUMBERS, "keep_needed", "policy", "options")
FILES = ("ca_cert", "client_cert", "client_key")
LIMITS = {"concurrency": (1, 64), "rate_limit": (0, 1 << 50), "retries": (0, 20), "timeout": (0.1, 86_400)}
LONGEST_KEPT = 100_000
LARGEST = 4 << 20
"""Bytes of a declaration."""
ARMOR = "-----BEGIN PGP PUBLIC KEY BLOCK-----"


def read_declaration(path: Path, form: str = "") -> Declaration:
    """The declaration in a file. ``form`` is ``toml`` or ``yaml``; by default what the file's name says."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}", path=str(path)) from error
    return parse_declaration(text, path, form)


def parse_declaration(text: str, path: Path, form: str = "") -> Declaration:
    """The declaration that a text is; ``path`` is what it is called in errors, and its folder is where paths start."""
    if len(text) > LARGEST:
        raise SettingsError(f"{path} has more than {LARGEST >> 20} MiB", path=str(path))
    is_yaml = (form or path.suffix.lstrip(".")) in ("yaml", "yml")
    try:
        document = load_yaml(text) if is_yaml else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: {error}", path=str(path)) from error
    file = SettingsFile(path, text, yaml_line_of) if is_yaml else SettingsFile(path, text)
    if not isinstance(document, dict):
        raise SettingsError(f"{path} has to be a table of sources, repositories ...", path=str(path))
    return _Reader(file, Table(file, (), document)).declaration()


class _Reader:
    def __init__(self, file: SettingsFile, top: Table) -> None:
        self.file = file
        self.folder = file.path.parent.absolute()
        self.top = top

    def declaration(self) -> Declaration:
        self.top.refuse_unknown(("sources", "repositories", *SETTINGS, "settings"))
        sources = {name: self._source(name, table) for name, table in _tables(self.top, "sources").items()}
        repositories = {
            name: self._repository(name, table) for name, table in _tables(self.top, "repositories").items()
        }
        return Declaration(self.file, sources, repositories, self._settings(), frozenset(self.top.values))

    def _settings(self) -> Mapping[str, Any]:
        others = self.top.table("settings")
        for name in SETTINGS:
            if name in others.values:
                raise others.error(name, "stands at the top, not below settings")
            _tables(self.top, name)
        refuse_secrets(others)
        return {name: self.top.values[name] for name in SETTINGS if name in self.top.values} | dict(others.values)

    def _source(self, name: str, table: Table) -> DeclaredSource:
        table.refuse_unknown(SOURCE)
        secrets = read_secrets(table.table("secrets"), self.folder)
        draft = SourceDraft(
            name=name,
            format=_needed(table, "format"),
            url=_url(table, "url", _needed(table, "url")),
            distributions=_texts(table, "distributions"),
            components=_texts(table, "components"),
            architectures=_texts(table, "architectures"),
            verify=table.flag("verify", True),  # noqa: FBT003 - a default, not a flag
            keyring=self._keyring(table),
            options=_options(table),
            connection=self._connection(table.table("connection"), secrets),
            secrets=secrets,
        )
        return DeclaredSource(draft, keeps_secrets="secrets" not in table.values)

    def _keyring(self, table: Table) -> bytes | None:
        text = table.text("keyring", "")
        if "PRIVATE KEY" in text:
            raise table.error("keyring", "is a secret key; a source is verified with public ones")
        if ARMOR in text:
            return text.encode()
        if "\n" in text:
            raise table.error("keyring", "is neither the path of a file nor an armored public key")
        try:
            return below(self.folder, text).read_bytes() if text else None
        except OSError as error:
            raise table.error("keyring", f"cannot be read: {error}") from error

    def _connection(self, table: Table, secrets: Secrets) -> Connection:
        table.refuse_unknown(tuple(asdict(Connection())))
        values: dict[str, Any] = {}
        for name in FILES:
            if text := table.text(name, ""):
                values[name] = str(below(self.folder, text))
        for name, (least, most) in LIMITS.items():
            if name in table.values:
                values[name] = _number(table, name, least, most)
        proxy = _url(table, "proxy", table.text("proxy", ""))
        if proxy and secrets.proxy:
            raise table.error("proxy", "is said by the secrets already")
        return Connection(proxy=secrets.proxy or proxy or None, **values)

    def _repository(self, name: str, table: Table) -> DeclaredRepository:
        table.refuse_unknown(REPOSITORY)
        places = _texts(table, "publish_to")
        if not places:
            raise table.error("publish_to", "has to name a folder or a URL at least")
        urls = [_url(table, "publish_to", place) for place in places]
        sign, sign_with = table.flag("sign", True), table.text("sign_with", "") or None  # noqa: FBT003
        if sign_with and not sign:
            raise table.error("sign_with", "does not go with sign = false")
        return DeclaredRepository(
            name=name,
            format=_needed(table, "format"),
            publish_to=tuple(url if urlsplit(url).scheme else str(below(self.folder, url)) for url in urls),
            public_url=_url(table, "public_url", table.text("public_url", "")),
            sign=sign,
            sign_with=sign_with,
            origin=table.text("origin", "") or name,
            label=table.text("label", "") or name,
            distributions={
                inner: _distribution(name, inner, values) for inner, values in _tables(table, "distributions").items()
            },
        )


def _distribution(repository: str, name: str, table: Table) -> DeclaredDistribution:
    table.refuse_unknown(DISTRIBUTION)
    values: dict[str, Any] = {column: list(_texts(table, column)) for column in LISTS}
    values["components"] = values["components"] or ["main"]
    values |= {column: _number(table, column, 0, LONGEST_KEPT) for column in NUMBERS if column in table.values}
    values["keep_needed"] = table.flag("keep_needed", False)  # noqa: FBT003
    usual = dict.fromkeys(NUMBERS, 0)
    return DeclaredDistribution(repository, name, table.text("policy", ""), _options(table), usual | values)


def _tables(table: Table, name: str) -> Mapping[str, Table]:
    inner = table.table(name)
    return {key: inner.table(key) for key in inner.values}


def _needed(table: Table, name: str) -> str:
    if name not in table.values:
        raise table.error(name, "is missing")
    return table.text(name, "")


def _texts(table: Table, name: str) -> tuple[str, ...]:
    """A list of texts; one text is a list of one."""
    found = table.values.get(name, [])
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list):
        raise table.error(name, "must be a text or a list of texts")
    for index, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            raise table.file.error((*table.key, name, index), "must be a text; put it between quotes")
    return tuple(dict.fromkeys(texts))


def _options(table: Table) -> Mapping[str, Scalar]:
    found = table.table("options")
    for name, value in found.values.items():
        if not isinstance(value, str | int):
            raise found.error(name, "must be a text, a whole number, true or false")
    return dict(found.values)


def _number(table: Table, name: str, least: float, most: float) -> float:
    """A number between two others, whole if they are."""
    found = table.values[name]
    kinds = (int,) if isinstance(least, int) else (int, float)
    if type(found) not in kinds or not least <= found <= most:
        raise table.error(name, f"must be a {'whole ' if len(kinds) == 1 else ''}number from {least} to {most}")
    return float(found) if len(kinds) > 1 else found


def _url(table: Table, name: str, text: str) -> str:
    """A URL, or a path, without a user in it: the value is not repeated, as it holds a secret."""
    try:
        user = urlsplit(text).username or urlsplit(text).password
    except ValueError as error:
        raise table.error(name, f"is no URL: {error}") from error
    if user is not None:
        raise table.file.error(
            (*table.key, name),
            "has a user name or a password in it, which must not stand in a file like this",
            hint="secrets of a source are named in its table `secrets`",
        )
    return text
