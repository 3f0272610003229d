"""A GnuPG home: the one place that runs gpg, and ends the agent that gpg starts."""

from __future__ import annotations

import base64
import importlib
import re
import shutil
import socket
import subprocess
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from entrepot.errors import SigningError
from entrepot_plugins.signers.keys import SecretKey, parse_keys

_SOCKET_PATH_MAX = 107
"""Bytes of a Unix socket's path (unix(7)), less the final NUL."""
_SHA512 = "10"
_OPTIONS = ("--charset", "utf-8", "--digest-algo", "SHA512", "--cert-digest-algo", "SHA512")
_AGENT_SOCKET = "S.gpg-agent.browser"
"""The longest name of the agent's sockets, none of which may exceed the limit."""


class Result(Protocol):
    """What gpg answered; which of these there are depends on what it was asked."""

    stderr: str
    data: bytes
    fingerprint: str | None
    fingerprints: Sequence[str]


class Gpg(Protocol):
    """What we use of ``gnupg.GPG``, which has no types of its own."""

    def list_keys(self, *, secret: bool) -> Sequence[Mapping[str, Any]]: ...

    def export_keys(self, keyids: str, *, minimal: bool) -> str: ...

    def import_keys(self, key_data: bytes, *, passphrase: str | None) -> Result: ...

    def gen_key(self, input: str) -> Result: ...  # noqa: A002

    def sign(
        self,
        message: bytes,
        *,
        keyid: str,
        passphrase: str | None,
        clearsign: bool,
        detach: bool,
        extra_args: Sequence[str],
    ) -> Result: ...


class GnupgHome:
    """A folder with keyrings. ``passphrase`` unlocks its keys; None leaves that to the agent."""

    def __init__(self, folder: Path, passphrase: str | None) -> None:
        self.folder = folder
        self.passphrase = passphrase

    def make(self) -> None:
        """Makes the folder if there is none, for its owner alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SigningError(f"{self.folder} cannot be made: {error.strerror}", path=str(self.folder)) from error

    @cached_property
    def gpg(self) -> Gpg:
        """gpg on this home, without what its configuration file may say: a signature must not depend on that."""
        _program("gpg")
        try:
            gpg = importlib.import_module("gnupg").GPG(gnupghome=str(self.folder), options=["--no-options", *_OPTIONS])
        except (OSError, ValueError) as error:
            raise SigningError(f"gpg does not run on {self.folder}: {error}", path=str(self.folder)) from error
        gpg.encoding = "utf-8"
        gpg.decode_errors = "replace"
        opened: Gpg = gpg
        return opened

    def secret_keys(self) -> list[SecretKey]:
        """The keys that have a secret part here; none if there is no such folder."""
        if not self.folder.is_dir():
            return []
        return parse_keys(self.gpg.list_keys(secret=True))

    def agent_runs(self) -> bool:
        """Whether somebody's agent serves this home already."""
        listed = subprocess.run(
            [_program("gpgconf"), "--homedir", self.folder, "--list-dirs", "agent-socket"],
            capture_output=True,
            text=True,
        )
        with socket.socket(socket.AF_UNIX) as agent:
            try:
                agent.connect(urllib.parse.unquote(listed.stdout.strip()))
            except OSError:
                return False
        return True

    @contextmanager
    def agent(self) -> Iterator[None]:
        """Ends the agent after the context, unless one was there before: a key must not stay unlocked in a process."""
        ours = not self.agent_runs()
        try:
            yield
        finally:
            if ours:
                end_agent(self.folder)

    def failure(self, what: str, stderr: str) -> SigningError:
        """What gpg complains about, as an error with the hint that helps most often."""
        said = [line.removeprefix("gpg: ") for line in stderr.splitlines() if not line.startswith("[GNUPG:]")]
        said = [line for line in said if line and not line.startswith("WARNING: running with faked system time")]
        hint = ""
        if re.search(r"passphrase|pinentry|inappropriate ioctl", stderr, re.IGNORECASE):
            hint = "put the right passphrase into a file and name it as passphrase_file in [signers.gpg]"
        elif len(str(self.folder / _AGENT_SOCKET).encode()) > _SOCKET_PATH_MAX:
            hint = (
                f"the path {self.folder} is too long for gpg-agent's socket: set home in [signers.gpg] to a shorter one"
            )
        return SigningError(f"{what}: {'; '.join(said) or 'gpg does not say why'}", hint=hint, path=str(self.folder))


def dearmored(armored: bytes) -> bytes:
    """What is inside ASCII armor (RFC 9580, 6.2) of our own gpg: without headers, with a checksum at its end."""
    body = armored.partition(b"\n\n")[2].partition(b"\n=")[0]
    return base64.b64decode(body)


def end_agent(folder: Path) -> None:
    """Ends the agent of a home, once it has answered whom it is answering."""
    subprocess.run(["gpgconf", "--homedir", folder, "--kill", "gpg-agent"], capture_output=True)


def verified(public_key: bytes, signature: bytes, data: bytes | None, part: str) -> bytes:
    """What gpgv, which knows of no key but ``public_key`` (armored), says is signed; ``SigningError`` if it is not.

    ``data`` is what a detached signature is of; None for a clear-signed text. ``part`` is the fingerprint of the key
    that must have signed, with SHA-512.
    """
    with tempfile.TemporaryDirectory(prefix="entrepot-") as name:
        folder = Path(name)
        (folder / "key.gpg").write_bytes(dearmored(public_key))
        (folder / "signature").write_bytes(signature)
        arguments = ["signature"]
        if data is None:
            arguments = ["--output", "-", "signature"]
        else:
            (folder / "data").write_bytes(data)
            arguments.append("data")
        # --ignore-time-conflict: whose clock is right is not the question here.
        answer = subprocess.run(
            [
                *(_program("gpgv"), "--homedir", folder, "--keyring", folder / "key.gpg"),
                *("--ignore-time-conflict", "--weak-digest", "SHA1", "--status-fd", "2", *arguments),
            ],
            cwd=folder,
            capture_output=True,
        )
    stderr = answer.stderr.decode("utf-8", "replace")
    valid = re.search(r"^\[GNUPG:\] VALIDSIG (\S+) \S+ \S+ \S+ \S+ \S+ \S+ (\S+) ", stderr, re.MULTILINE)
    if answer.returncode or not valid or valid.groups() != (part, _SHA512):
        said = "; ".join(line for line in stderr.splitlines() if line.startswith("gpgv:"))
        raise SigningError(f"the signature that was just made does not verify: {said}", key=part)
    return data if data is not None else answer.stdout


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise SigningError(f"{name} is not installed", hint="install GnuPG (apt-get install gnupg gpgv)")
    return path
