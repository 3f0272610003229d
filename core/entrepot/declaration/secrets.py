"""Secrets in a declaration: where they are, never what they are."""

from __future__ import annotations

import re
from pathlib import Path

from entrepot.models import Secrets
from entrepot.policies.table import Table
from entrepot.references import WAYS, secret_at

FIELDS = ("username", "password", "headers", "proxy")
_HINT = 'name where it is: {env = "VARIABLE"} or {file = "PATH"}'
_TELLING = re.compile(r"(?:^|_)(?:password|passphrase|secret|token|credentials?)$")
"""Names of keys whose text is a secret by itself."""


def read_secrets(table: Table, folder: Path) -> Secrets:
    """The secrets of a source, from where the table says that they are. A user name alone may be told."""
    table.refuse_unknown(FIELDS)
    headers = table.table("headers")
    return Secrets(
        username=_secret(table, "username", folder, plain=True),
        password=_secret(table, "password", folder),
        headers=tuple((name, _secret(headers, name, folder) or "") for name in headers.values),
        proxy=_secret(table, "proxy", folder),
    )


def below(folder: Path, text: str) -> Path:
    """A path that a file in ``folder`` names."""
    return folder / Path(text).expanduser()


def variable(source: str, field: str) -> str:
    """The environment variable that an exported declaration takes a secret of a source from."""
    return re.sub(r"[^A-Z0-9]", "_", f"ENTREPOT_{source}_{field}".upper())


def refuse_secrets(table: Table) -> None:
    """Raises for text under a key that tells it to be a secret, anywhere below."""
    for name, value in table.values.items():
        if isinstance(value, dict):
            refuse_secrets(table.table(name))
        elif isinstance(value, str) and value and _TELLING.search(name.lower()):
            raise table.file.error((*table.key, name), "is a secret, which must not stand in a file like this")


def _secret(table: Table, name: str, folder: Path, *, plain: bool = False) -> str | None:
    found = table.values.get(name)
    if found is None or (plain and isinstance(found, str)):
        return found
    where = (*table.key, name)
    if not isinstance(found, dict):
        raise table.file.error(where, "is a secret, which must not stand in a file like this", hint=_HINT)
    inner = table.table(name)
    inner.refuse_unknown(WAYS)
    if len(found) != 1:
        raise table.file.error(where, "wants env or file, one of them", hint=_HINT)
    (way,) = found
    try:
        return secret_at(way, inner.text(way, ""), folder)
    except ValueError as error:
        raise inner.error(way, f"leads nowhere: {error}") from None
