"""A certificate authority for tests, made by ``openssl``."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_CONFIG = """\
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:127.0.0.1,DNS:localhost
"""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files. The server is 127.0.0.1 and localhost; ``locked_key`` is the client's key under a passphrase."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path
    locked_key: Path


def make_certificates(folder: Path) -> Certificates:
    """A new authority in ``folder`` with a server's and a client's certificate, valid for two days."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "extensions.cnf").write_text(_CONFIG, encoding="utf-8")
    _key(folder / "ca.key")
    _openssl(folder, "req", "-new", "-key", "ca.key", "-subj", "/CN=Test CA", "-out", "ca.csr")
    _openssl(folder, *_SIGN, "-extensions", "ca", "-in", "ca.csr", "-signkey", "ca.key", "-out", "ca.pem")
    for name in ("server", "client"):
        _key(folder / f"{name}.key")
        _openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        issuer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
        _openssl(folder, *_SIGN, "-extensions", "leaf", "-in", f"{name}.csr", *issuer, "-out", f"{name}.pem")
    _openssl(folder, "pkey", "-in", "client.key", "-aes128", "-passout", "pass:locked", "-out", "locked.key")
    return Certificates(
        ca=folder / "ca.pem",
        server_cert=folder / "server.pem",
        server_key=folder / "server.key",
        client_cert=folder / "client.pem",
        client_key=folder / "client.key",
        locked_key=folder / "locked.key",
    )


_SIGN = ("x509", "-req", "-days", "2", "-extfile", "extensions.cnf")


def _key(path: Path) -> None:
    _openssl(path.parent, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path.name)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
