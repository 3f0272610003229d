"""GnuPG homes for tests: short paths (a socket's path is limited), agents that end with the test."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def gnupg_home() -> Iterator[Path]:
    """An empty private folder, whose agent is ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="gnupg-") as name:
        folder = Path(name)
        try:
            yield folder
        finally:
            subprocess.run(["gpgconf", "--homedir", folder, "--kill", "gpg-agent"], check=True, capture_output=True)


def gpg(home: Path, *arguments: str, text: bytes = b"") -> bytes:
    """Runs gpg on a home as a person would."""
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", *arguments]
    return subprocess.run(command, input=text, check=True, capture_output=True).stdout


def make_key(home: Path, user_id: str, algorithm: str = "ed25519", expires: str = "never", *options: str) -> str:
    """Makes a signing key without a passphrase; answers its fingerprint."""
    gpg(home, *options, "--passphrase", "", "--quick-generate-key", user_id, algorithm, "sign", expires)
    listing = gpg(home, "--with-colons", "--list-secret-keys", f"={user_id}").decode()
    return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
