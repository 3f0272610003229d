"""Sources, as somebody asks for one and as the catalog has it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from entrepot.models.basics import Scalar, to_text


@dataclass(frozen=True, slots=True)
class Connection:
    """How a source is reached. Files are paths on this machine; user name, password and headers are in ``Secrets``."""

    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    concurrency: int = 8
    rate_limit: int = 0
    """Bytes per second over all connections to this source; 0 is unlimited."""
    retries: int = 4
    timeout: float = 30.0
    """Seconds without a single byte, not the length of a download."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What must never be shown: kept in a file of the workspace that only its owner may read, never in a table."""

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    proxy: str | None = field(default=None, repr=False)
    """The proxy's whole URL, where it has a user name and a password; ``Connection.proxy`` is the same without them."""


@dataclass(frozen=True, slots=True)
class SourceDraft:
    """A source as somebody asks for it, before it is in the catalog."""

    name: str
    format: str
    url: str
    distributions: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    verify: bool = True
    keyring: bytes | None = field(default=None, repr=False)
    """Public keys, binary or ASCII-armored, several allowed."""
    options: Mapping[str, Scalar] = field(default_factory=dict)
    """Options of the format, by the names that its ``source_options`` declare."""
    connection: Connection = field(default_factory=Connection)
    secrets: Secrets = field(default_factory=Secrets)


@dataclass(frozen=True, slots=True)
class SourceKey:
    """A public key in the keyring of a source. ``primary`` is the fingerprint of the key that a subkey belongs to.

    ``state`` is ``good``, ``expiring`` (within a month), ``expired``, ``revoked`` or ``weak``; but for good ones
    ``detail`` says what is wrong, as the rest of a sentence. ``bits`` is 0 where the algorithm implies them.
    """

    fingerprint: str
    user_ids: tuple[str, ...]
    algorithm: str
    bits: int
    created: dt.datetime
    expires: dt.datetime | None
    state: str
    detail: str = ""
    primary: str = ""

    def as_json(self) -> dict[str, object]:
        """For ``--json`` and the HTTP API."""
        return {
            "fingerprint": self.fingerprint,
            "primary": self.primary,
            "user_ids": list(self.user_ids),
            "algorithm": self.algorithm,
            "bits": self.bits,
            "created": to_text(self.created),
            "expires": to_text(self.expires) if self.expires else None,
            "state": self.state,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Source:
    """An external repository that we read. ``keyring`` is the name of the file that holds its keys in the workspace."""

    id: int
    name: str
    format: str
    url: str
    distributions: tuple[str, ...]
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    verify: bool
    keyring: str | None
    options: Mapping[str, Scalar]
    connection: Connection
    created_at: dt.datetime

    @property
    def by_hand(self) -> bool:
        """Whether what it offers comes in bundles that somebody carries here: nothing can be fetched from it."""
        return by_hand(self.url)

    def flag(self, name: str) -> bool:
        """A format option that is on or off; off when it was never set."""
        return bool(self.options.get(name, False))


BUNDLE_SCHEME = "bundle"


def by_hand(url: str) -> bool:
    """Whether a URL is of what comes in bundles: ``bundle:NAME``."""
    return url.startswith(f"{BUNDLE_SCHEME}:")
