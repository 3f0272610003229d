"""Tokens and users: make, list, change, end; and who somebody is that shows a token or a password."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entrepot.catalog.database import to_text
from entrepot.errors import AuthenticationError, UsageError
from entrepot.models import Identity, Role
from entrepot.services.names import check_name
from entrepot.services.records import record

if TYPE_CHECKING:
    from entrepot.catalog.access import Token, User
    from entrepot.workspace import Workspace

TOKEN_PREFIX = "entrepot_"
"""What every token begins with, so that tools which look for leaked secrets know one."""

TOUCH_EVERY = dt.timedelta(minutes=1)
"""A token's last use is written at most so often: a loop of requests is not a loop of writes."""

SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 15, 8, 1
"""32 MiB and some 80 ms for each try on one core."""

MAX_PASSWORD = 1024


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token with its secret, which is shown this once."""

    token: Token
    secret: str

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**token_json(self.token), "token": self.secret}


# ---------------------------------------------------------------------------------------------------------- tokens


def create_token(
    workspace: Workspace,
    name: str,
    role: Role,
    *,
    distributions: Sequence[str] = (),
    expires_in_days: int | None = None,
) -> IssuedToken:
    """Makes a token. Its secret is in the answer and nowhere else."""
    check_name("token", name)
    paths = _paths(workspace, distributions)
    if expires_in_days is not None and not 1 <= expires_in_days <= 36500:
        raise UsageError("a token expires in 1 to 36500 days", hint="leave it out for one that does not expire")
    now = workspace.now()
    expires_at = now + dt.timedelta(days=expires_in_days) if expires_in_days else None
    secret = _new_secret()
    with workspace.access.transaction(), workspace.catalog.transaction():
        token = workspace.access.add_token(name, role, paths, digest(secret), workspace.actor, now, expires_at)
        detail = {"role": role.value, "distributions": paths, "expires_in_days": expires_in_days}
        record(workspace, "token.create", name, detail)
    return IssuedToken(token, secret)


def list_tokens(workspace: Workspace) -> Sequence[dict[str, Any]]:
    """Every token, without secrets; those that are revoked last."""
    now = workspace.now()
    return [token_json(token) | {"state": _state(token, now)} for token in workspace.access.tokens()]


def revoke_token(workspace: Workspace, name: str) -> dict[str, Any]:
    """Ends a token, from this moment on."""
    with workspace.access.transaction(), workspace.catalog.transaction():
        token = workspace.access.token_called(name)
        workspace.access.revoke(token, workspace.now())
        record(workspace, "token.revoke", name, {})
    return token_json(workspace.access.token(token.id))


# ----------------------------------------------------------------------------------------------------------- users


def add_user(
    workspace: Workspace, name: str, password: str, role: Role, *, distributions: Sequence[str] = ()
) -> dict[str, Any]:
    """Adds somebody who signs in with a password."""
    check_name("user", name)
    paths = _paths(workspace, distributions)
    hashed = hash_password(password)
    with workspace.access.transaction(), workspace.catalog.transaction():
        user = workspace.access.add_user(name, hashed, role, paths, workspace.now())
        record(workspace, "user.add", name, {"role": role.value, "distributions": paths})
    return user_json(user)


def list_users(workspace: Workspace) -> Sequence[dict[str, Any]]:
    """Every user, by name."""
    return [user_json(user) for user in workspace.access.users()]


def set_user(
    workspace: Workspace,
    name: str,
    *,
    password: str | None = None,
    role: Role | None = None,
    distributions: Sequence[str] | None = None,
    disabled: bool | None = None,
) -> dict[str, Any]:
    """Changes a user, and signs the user out everywhere. None is left as it is; no distributions are all of them."""
    values: dict[str, Any] = {}
    if password is not None:
        values["password"] = hash_password(password)
    if role is not None:
        values["role"] = role.value
    if distributions is not None:
        values["distributions"] = _paths(workspace, distributions)
    if disabled is not None:
        values["disabled"] = int(disabled)
    with workspace.access.transaction(), workspace.catalog.transaction():
        user = workspace.access.update_user(workspace.access.user(name), values)
        record(workspace, "user.set", name, values | ({"password": "changed"} if password is not None else {}))
    return user_json(user)


def remove_user(workspace: Workspace, name: str) -> dict[str, Any]:
    """Forgets a user; what the audit log says of the user stays."""
    with workspace.access.transaction(), workspace.catalog.transaction():
        user = workspace.access.user(name)
        workspace.access.remove_user(user)
        record(workspace, "user.remove", name, {})
    return user_json(user)


# ------------------------------------------------------------------------------------------------------- who it is


def authenticate(workspace: Workspace, secret: str) -> Identity:
    """Who shows this token, long-lived or not; ``AuthenticationError`` says no more than that it is not good."""
    now, access = workspace.now(), workspace.access
    wanted = digest(secret)
    token = access.token_by_digest(wanted)
    if token is None and (session := access.session(wanted, now)):
        token_id, user_id = session
        user = access.user_by_id(user_id) if user_id is not None else None
        if user is not None and not user.disabled:
            return user_identity(user)
        token = access.token(token_id) if token_id is not None else None
    if token is None or not token.holds(now):
        raise AuthenticationError(
            "the token is unknown, expired or revoked", hint="make one with `entrepot token create`"
        )
    # Who serves a workspace on a storage reads from a copy, and a look is no reason for a new generation.
    if not workspace.read_only and (token.last_used_at is None or now - token.last_used_at >= TOUCH_EVERY):
        with access.transaction():
            access.touch(token, now)
    return Identity(token.name, token.role, token.distributions, token_id=token.id)


def authenticate_token(workspace: Workspace, secret: str) -> Identity:
    """The same for a long-lived token alone: a browser stays signed in for longer than an access token holds."""
    found = authenticate(workspace, secret)
    if found.token_id is None or workspace.access.token_by_digest(digest(secret)) is None:
        raise AuthenticationError("only a long-lived token is taken here", hint="sign in with name and password")
    return found


def login(workspace: Workspace, name: str, password: str) -> Identity:
    """Who signs in with this name and password. An unknown name costs what a wrong password costs."""
    user = workspace.access.find_user(name)
    matches = check_password(password, user.password if user else _nobody())
    if user is None or not matches or user.disabled:
        raise AuthenticationError("the name or the password is wrong")
    return user_identity(user)


def signed_in(workspace: Workspace, name: str, stamp: str) -> Identity | None:
    """The user of a browser's cookie; None once the password was changed, or the user disabled or removed."""
    user = workspace.access.find_user(name)
    if user is None or user.disabled or not hmac.compare_digest(password_stamp(user).encode(), stamp.encode()):
        return None
    return user_identity(user)


def token_signed_in(workspace: Workspace, token_id: int, stamp: str) -> Identity | None:
    """The same for somebody who signed in with a long-lived token; None once it is revoked or expired."""
    token = next((token for token in workspace.access.tokens() if token.id == token_id), None)
    if token is None or not token.holds(workspace.now()) or token_stamp(token) != stamp:
        return None
    return Identity(token.name, token.role, token.distributions, token_id=token.id)


def token_session(workspace: Workspace, token_id: int, seconds: int) -> tuple[str, int]:
    """What a cookie of a token carries, for ``token_signed_in``, and how many seconds it is good for at most."""
    token = workspace.access.token(token_id)
    if token.expires_at is not None:
        seconds = min(seconds, int((token.expires_at - workspace.now()).total_seconds()))
    return token_stamp(token), seconds


def stamp_of(workspace: Workspace, name: str) -> str:
    """What a cookie of this user carries, for ``signed_in``."""
    return password_stamp(workspace.access.user(name))


def issue(workspace: Workspace, identity: Identity, seconds: int) -> str:
    """A short-lived token for somebody who is known. It ends with what it was given for."""
    if identity.token_id is None and identity.user_id is None:
        raise AuthenticationError("only tokens and users of this workspace get an access token")
    secret = _new_secret()
    now = workspace.now()
    with workspace.access.transaction():
        workspace.access.add_session(
            digest(secret), identity.token_id, identity.user_id, now + dt.timedelta(seconds=seconds), now
        )
    return secret


def user_identity(user: User) -> Identity:
    """Who a user is."""
    return Identity(user.name, user.role, user.distributions, user_id=user.id)


def token_json(token: Token) -> dict[str, Any]:
    """A token as JSON, without its hash."""
    times = {name: getattr(token, name) for name in ("created_at", "expires_at", "revoked_at", "last_used_at")}
    return {
        "id": token.id,
        "name": token.name,
        "role": token.role.value,
        "distributions": list(token.distributions),
        "created_by": token.created_by,
        **{name: to_text(time) if time else None for name, time in times.items()},
    }


def user_json(user: User) -> dict[str, Any]:
    """A user as JSON, without the password's hash."""
    return {
        "id": user.id,
        "name": user.name,
        "role": user.role.value,
        "distributions": list(user.distributions),
        "disabled": user.disabled,
        "created_at": to_text(user.created_at),
    }


# ---------------------------------------------------------------------------------------------------------- hashes


def digest(secret: str) -> str:
    """The hash that is kept of a token.

    A plain sha256 is enough: a token is 256 random bits, which no speed of guessing finds. Slow hashes are for what
    persons choose. A look-up by hash tells by its duration nothing that helps to find the secret.
    """
    return hashlib.sha256(secret.encode("utf-8", "backslashreplace")).hexdigest()


def hash_password(password: str) -> str:
    """``scrypt$N$r$p$salt$hash``; ``UsageError`` for a password that is too short or too long."""
    if not 8 <= len(password) <= MAX_PASSWORD:
        raise UsageError(f"a password has 8 to {MAX_PASSWORD} characters")
    salt = secrets.token_bytes(16)
    hashed = _scrypt(password, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P)
    return f"scrypt${SCRYPT_N}${SCRYPT_R}${SCRYPT_P}${salt.hex()}${hashed.hex()}"


def check_password(password: str, hashed: str) -> bool:
    """Whether a password is the one that was hashed, with the parameters of then."""
    _, n, r, p, salt, expected = hashed.split("$")
    if len(password) > MAX_PASSWORD:
        return False
    found = _scrypt(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, bytes.fromhex(expected))


def password_stamp(user: User) -> str:
    """Changes whenever the password does; tells nothing of it."""
    return digest(user.password)[:16]


def token_stamp(token: Token) -> str:
    """Tells a token from another one that had its id before; a cookie is signed, so it need not be secret."""
    return digest(f"{token.id} {token.name} {token.created_at.isoformat()}")[:16]


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    text = password.encode("utf-8", "backslashreplace")
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


def _nobody() -> str:
    return f"scrypt${SCRYPT_N}${SCRYPT_R}${SCRYPT_P}${'00' * 16}${'00' * 32}"


def _new_secret() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def _paths(workspace: Workspace, distributions: Sequence[str]) -> list[str]:
    found = (workspace.catalog.repositories.distribution(name).path for name in distributions)
    return list(dict.fromkeys(found))


def _state(token: Token, now: dt.datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.holds(now) else "expired"
