"""Which certificates are believed, and which one is shown."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from entrepot.errors import UsageError
from entrepot.models import Connection


def tls_context(connection: Connection, *, client_certificate: bool) -> ssl.SSLContext:
    """A verifying context: the source's CA file alone where it has one, else what the machine trusts.

    ``UsageError`` names the file that cannot be used. It costs 20 ms CPU where the machine has one large CA file.
    """
    context = _trusting(connection.ca_cert)
    if client_certificate and connection.client_cert is not None:
        _show(context, connection.client_cert, connection.client_key)
    return context


def tls_context_without_trust() -> ssl.SSLContext:
    """A context that costs nothing and believes nobody, for connections that never speak TLS."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _trusting(ca_cert: str | None) -> ssl.SSLContext:
    if ca_cert is not None:
        try:
            return ssl.create_default_context(cafile=ca_cert)
        except (OSError, ValueError) as error:
            raise UsageError(f"the CA certificates in {ca_cert} cannot be used: {_reason(error)}") from error
    paths = ssl.get_default_verify_paths()
    if not paths.cafile and not (paths.capath and any(Path(paths.capath).iterdir())):
        # A container without ca-certificates: the bundle that comes with httpx is better than no HTTPS at all.
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    return ssl.create_default_context()


def _show(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    def password() -> str:
        # Without this OpenSSL would ask on the terminal.
        raise UsageError(
            f"the private key of {certificate} is protected by a passphrase",
            hint="give a key file without one that only its owner may read",
        )

    try:
        context.load_cert_chain(certificate, key, password=password)
    except (OSError, ValueError) as error:
        names = certificate if key is None else f"{certificate} with key {key}"
        raise UsageError(f"the client certificate {names} cannot be used: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
