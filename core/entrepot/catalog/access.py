"""Tokens, users and sessions: in ``access.db``, beside the catalog and never attached to it.

Whoever may read the catalog, with SQL of their own or from a copy of it, sees none of this. The file is readable by its
owner only. Of tokens there is a hash and no more.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.catalog.access_schema import access_migrations
from entrepot.catalog.database import from_json, keep_log, open_database, rows, to_json, to_text, to_time, transaction
from entrepot.errors import ConflictError, NotFoundError
from entrepot.models import Role


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret."""

    id: int
    name: str
    role: Role
    distributions: tuple[str, ...]
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None

    def holds(self, now: dt.datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class User:
    """A person with a password; ``password`` is its hash with the parameters that it was made with."""

    id: int
    name: str
    password: str
    role: Role
    distributions: tuple[str, ...]
    disabled: bool
    created_at: dt.datetime


class Access:
    """An open ``access.db``. Belongs to one thread, as a catalog does; ``before_write`` is as there."""

    def __init__(self, path: Path, *, before_write: Callable[[], None] | None = None) -> None:
        # SQLite gives its -wal and -shm files the mode of the database.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self._db = open_database(path, access_migrations)
        self._before_write = before_write
        if before_write is not None:
            keep_log(self._db)

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing."""
        if self._before_write is not None and not self._db.conn.in_transaction:
            self._before_write()
        return transaction(self._db)

    def move(self, path: Path) -> None:
        """Goes on with another file, a newer state of the same database."""
        self._db.close()
        self._db.conn = open_database(path, access_migrations).conn
        keep_log(self._db)

    def close(self) -> None:
        """Closes the database file."""
        self._db.close()

    # ----------------------------------------------------------------------------------------------------- tokens

    def add_token(
        self,
        name: str,
        role: Role,
        distributions: Sequence[str],
        digest: str,
        actor: str,
        now: dt.datetime,
        expires_at: dt.datetime | None,
    ) -> Token:
        """Adds a token; ``ConflictError`` if one of this name is in use, or a user has it."""
        self._require_free(name)
        row = {
            "name": name,
            "role": role.value,
            "distributions": to_json(list(distributions)),
            "digest": digest,
            "created_at": to_text(now),
            "created_by": actor,
            "expires_at": to_text(expires_at) if expires_at else None,
        }
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        sql = f"INSERT INTO tokens ({columns}) VALUES ({marks}) RETURNING id"
        return self.token(int(self._db.conn.execute(sql, list(row.values())).fetchone()[0]))

    def token(self, token_id: int) -> Token:
        """One token."""
        for token in self._tokens("id = ?", token_id):
            return token
        raise NotFoundError(f"there is no token {token_id}")

    def token_called(self, name: str) -> Token:
        """The token of this name that is not revoked."""
        for token in self._tokens("name = ? AND revoked_at IS NULL", name):
            return token
        known = ", ".join(token.name for token in self._tokens("revoked_at IS NULL")) or "none"
        raise NotFoundError(f"there is no token called {name!r}", hint=f"known tokens: {known}", name=name)

    def token_by_digest(self, digest: str) -> Token | None:
        """The token with this hash, in whatever state."""
        return next(iter(self._tokens("digest = ?", digest)), None)

    def tokens(self) -> Sequence[Token]:
        """Every token, those that are revoked last."""
        return self._tokens("1 = 1")

    def revoke(self, token: Token, now: dt.datetime) -> None:
        """Ends a token and what was exchanged for it; its row stays."""
        self._db.conn.execute("UPDATE tokens SET revoked_at = ? WHERE id = ?", [to_text(now), token.id])
        self._db.conn.execute("DELETE FROM sessions WHERE token_id = ?", [token.id])

    def touch(self, token: Token, now: dt.datetime) -> None:
        """Notes that a token was used."""
        self._db.conn.execute("UPDATE tokens SET last_used_at = ? WHERE id = ?", [to_text(now), token.id])

    # ------------------------------------------------------------------------------------------------------ users

    def add_user(self, name: str, password: str, role: Role, distributions: Sequence[str], now: dt.datetime) -> User:
        """Adds a user; ``password`` is a hash."""
        self._require_free(name)
        self._db.conn.execute(
            "INSERT INTO users (name, password, role, distributions, disabled, created_at) VALUES (?, ?, ?, ?, 0, ?)",
            [name, password, role.value, to_json(list(distributions)), to_text(now)],
        )
        return self.user(name)

    def user(self, name: str) -> User:
        """The user of this name."""
        for user in self._users("name = ?", name):
            return user
        known = ", ".join(user.name for user in self.users()) or "none"
        raise NotFoundError(f"there is no user called {name!r}", hint=f"known users: {known}", name=name)

    def user_by_id(self, user_id: int) -> User | None:
        """The user of this id."""
        return next(iter(self._users("id = ?", user_id)), None)

    def find_user(self, name: str) -> User | None:
        """The user of this name, if there is one."""
        return next(iter(self._users("name = ?", name)), None)

    def users(self) -> Sequence[User]:
        """Every user, by name."""
        return self._users("1 = 1")

    def update_user(self, user: User, values: dict[str, Any]) -> User:
        """Changes columns of a user, and ends what the user is signed in with."""
        row = {name: to_json(list(value)) if name == "distributions" else value for name, value in values.items()}
        if row:
            assignments = ", ".join(f"{column} = ?" for column in row)
            self._db.conn.execute(f"UPDATE users SET {assignments} WHERE id = ?", [*row.values(), user.id])
        self._db.conn.execute("DELETE FROM sessions WHERE user_id = ?", [user.id])
        return self.user(user.name)

    def remove_user(self, user: User) -> None:
        """Forgets a user."""
        self._db.conn.execute("DELETE FROM sessions WHERE user_id = ?", [user.id])
        self._db.conn.execute("DELETE FROM users WHERE id = ?", [user.id])

    # --------------------------------------------------------------------------------------------------- sessions

    def add_session(
        self, digest: str, token_id: int | None, user_id: int | None, expires_at: dt.datetime, now: dt.datetime
    ) -> None:
        """Keeps the hash of a short-lived token of a token or a user; those that have expired go."""
        self._db.conn.execute("DELETE FROM sessions WHERE expires_at <= ?", [to_text(now)])
        self._db.conn.execute(
            "INSERT INTO sessions (digest, token_id, user_id, expires_at) VALUES (?, ?, ?, ?)",
            [digest, token_id, user_id, to_text(expires_at)],
        )

    def session(self, digest: str, now: dt.datetime) -> tuple[int | None, int | None] | None:
        """The ids of token and user that a short-lived token stands for; None for one that is unknown or expired."""
        sql = "SELECT token_id, user_id FROM sessions WHERE digest = ? AND expires_at > ?"
        found = self._db.conn.execute(sql, [digest, to_text(now)]).fetchone()
        return (found[0], found[1]) if found else None

    def _require_free(self, name: str) -> None:
        if self._users("name = ?", name):
            raise ConflictError(f"there is a user called {name!r} already", name=name)
        if self._tokens("name = ? AND revoked_at IS NULL", name):
            raise ConflictError(f"there is a token called {name!r} already", hint="revoke it first", name=name)

    def _tokens(self, where: str, *parameters: Any) -> Sequence[Token]:
        sql = f"SELECT * FROM tokens WHERE {where} ORDER BY revoked_at IS NOT NULL, name, id"
        return [
            Token(
                id=row["id"],
                name=row["name"],
                role=Role(row["role"]),
                distributions=tuple(from_json(row["distributions"])),
                created_at=to_time(row["created_at"]),
                created_by=row["created_by"],
                **{
                    key: to_time(row[key]) if row[key] else None for key in ("expires_at", "revoked_at", "last_used_at")
                },
            )
            for row in rows(self._db, sql, parameters)
        ]

    def _users(self, where: str, *parameters: Any) -> Sequence[User]:
        return [
            User(
                id=row["id"],
                name=row["name"],
                password=row["password"],
                role=Role(row["role"]),
                distributions=tuple(from_json(row["distributions"])),
                disabled=bool(row["disabled"]),
                created_at=to_time(row["created_at"]),
            )
            for row in rows(self._db, f"SELECT * FROM users WHERE {where} ORDER BY name", parameters)
        ]
