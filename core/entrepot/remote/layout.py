"""What is where in a workspace on a storage, and what its documents say. Format 1; docs/serverless.md tells of it.

Everything but the head and the lease is written once under a name that nothing else will have, so that who reads a
generation reads that generation, whatever happens meanwhile.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from entrepot.errors import StorageError, UsageError
from entrepot.models import Sha256

FORMAT = 1
HEAD_KEY = "head.json"
LEASE_KEY = "lease.json"
GENERATIONS = "catalog/generations/"
CHUNKS = "catalog/chunks/"
LISTS = "catalog/lists/"
FILES = "catalog/files/"

CHUNK = 256 << 10
"""Bytes of a database that travel together: a whole number of pages of any size that SQLite has."""
MAX_DOCUMENT = 8 << 20
MAX_FILE = 16 << 20
"""Bytes of the largest of the small files: settings, keys."""
MAX_DATABASE = 1 << 40
DATABASES = ("catalog.db", "access.db")
LOCAL_FOLDERS = frozenset({"scratch", "fetch", "cache", "store", "tasks", "uploads"})
"""Folders of a workspace that are of this machine alone, or, with the private store, on the storage itself."""

_NAME = re.compile(r"[0-9]{9}-[0-9a-f]{12}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Head:
    """The one object that says which generation is the newest. ``fence`` is the lease that wrote it last."""

    number: int
    name: str
    fence: int
    restored: int = 0
    """The newest generation that is an older one brought back: what was read before it must not be built upon."""

    @classmethod
    def read(cls, data: bytes) -> Head:
        """What ``data`` says; ``StorageError`` if it is no head that this program knows."""
        try:
            values = json.loads(data)
            known = values["format"]
            if known == FORMAT:
                numbers = [_number(values[name]) for name in ("generation", "fence", "restored")]
                return cls(numbers[0], _name(values["name"]), numbers[1], numbers[2])
        except (KeyError, TypeError, ValueError) as error:
            raise _malformed(HEAD_KEY) from error
        raise StorageError(
            f"the workspace has format {known!a}, and this program knows format {FORMAT}", hint="use a newer entrepot"
        )

    def data(self) -> bytes:
        """What ``read`` takes."""
        values = {"generation": self.number, "name": self.name, "fence": self.fence, "restored": self.restored}
        return json.dumps({"format": FORMAT} | values, indent=1).encode()


@dataclass(frozen=True, slots=True)
class Stored:
    """A database or small file: bytes, and the digest of the list of its chunks, or of its content."""

    size: int
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class Made:
    """Which generation it is, who made it and when. ``size`` is the bytes of its databases."""

    name: str
    at: dt.datetime
    actor: str
    origin: str
    size: int
    restored_from: int | None = None
    """The number of the older generation that it brought back."""
    step: bool = False
    """Whether the command that made it was still at work: none to go back to."""

    @property
    def number(self) -> int:
        """Its number."""
        return number_of(self.name)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Made:
        """The reverse of ``as_json``; ``ValueError`` and its like if that makes no sense."""
        at = dt.datetime.fromisoformat(values["at"])
        if at.tzinfo is None:
            raise ValueError("a time without its zone")
        restored = values["restored_from"]
        texts = str(values["actor"]), str(values["origin"])
        size = _number(values["size"])
        restored = None if restored is None else _number(restored)
        return cls(_name(values["name"]), at, *texts, size, restored, bool(values.get("step", False)))

    def as_json(self) -> dict[str, Any]:
        """As it is stored, and for ``--json``."""
        return asdict(self) | {"at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Generation:
    """One state of the workspace. ``history`` are the earlier ones that are kept, the newest first."""

    made: Made
    databases: Mapping[str, Stored] = field(default_factory=dict)
    files: Mapping[str, Stored] = field(default_factory=dict)
    history: Sequence[Made] = ()

    @classmethod
    def read(cls, name: str, data: bytes) -> Generation:
        """What ``data`` says; ``StorageError`` if that makes no sense."""
        try:
            values = json.loads(data)
            made = Made.of(values["made"])
            if made.name != name:
                raise ValueError(name)
            databases, files = (
                _stored(values["databases"], MAX_DATABASE, DATABASES.__contains__),
                _stored(values["files"], MAX_FILE, is_small_file),
            )
            return cls(made, databases, files, tuple(map(Made.of, values["history"])))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _malformed(generation_key(name)) from error

    def data(self) -> bytes:
        """What ``read`` takes."""
        values = {
            "made": self.made.as_json(),
            "databases": {name: asdict(stored) for name, stored in self.databases.items()},
            "files": {path: asdict(stored) for path, stored in self.files.items()},
            "history": [made.as_json() for made in self.history],
        }
        return json.dumps(values, indent=1).encode()


def new_name(number: int) -> str:
    """A name for a generation of this number: two commands that race for it do not write over each other's."""
    return f"{number:09d}-{secrets.token_hex(6)}"


def number_of(name: str) -> int:
    """The number of a generation by its name."""
    return int(_name(name)[:9])


def generation_key(name: str) -> str:
    """Where a generation is described."""
    return f"{GENERATIONS}{name}.json"


def chunk_key(sha256: str) -> str:
    """Where a chunk of this content is, compressed."""
    return f"{CHUNKS}{sha256[:2]}/{sha256}"


def digest(data: bytes) -> Sha256:
    """The name of some content."""
    return Sha256(hashlib.sha256(data).hexdigest())


def is_small_file(path: str) -> bool:
    """Whether a file may be one of those that travel as they are: below the workspace's folder, wherever that is, no
    database, and nothing of this machine alone or of a program's moment.
    """
    name = path.rpartition("/")[2]
    passing = name.startswith((".#", "tmp")) or name.endswith(("~", ".lock", ".new")) or name == "random_seed"
    database = path.partition(".db")[0] in ("catalog", "access") and ".db" in path
    parts = path.split("/")
    inside = path.isprintable() and "\\" not in path and not {"", ".", ".."}.intersection(parts)
    return inside and path.partition("/")[0] not in LOCAL_FOLDERS and not database and not passing


def check_home_url(url: str) -> str:
    """The URL of a workspace; ``UsageError`` if there may be a secret in it, which is then not repeated."""
    try:
        parts = urlsplit(url)
        plain = not ("@" in parts.netloc or parts.query or parts.fragment)
    except ValueError:
        plain = False
    if not plain:
        raise UsageError(
            "the URL of a workspace is scheme://place/path and nothing more",
            hint="credentials are found where the AWS tools look for them",
        )
    return url.rstrip("/")


def _stored(values: Mapping[str, Any], most: int, fits: Callable[[str], bool]) -> Mapping[str, Stored]:
    found = {}
    for path, value in values.items():
        if not fits(path) or not _SHA256.fullmatch(value["sha256"]) or _number(value["size"]) > most:
            raise ValueError(path)
        found[path] = Stored(value["size"], Sha256(value["sha256"]))
    return found


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(value)
    return value


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(value)
    return value


def _malformed(key: str) -> StorageError:
    return StorageError(f"{key} is not what a workspace has there", hint="is this the URL of a workspace?", key=key)
