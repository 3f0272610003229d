"""What a scanner is handed, for a package file on disk: ``artifact, context = scan_of(path, signed_by="ABCD")``."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

from entrepot.contracts import Artifact, Format, ScanContext
from entrepot.errors import PackageError
from entrepot.models import Available, Connection, Distribution, PackageInfo, Source
from entrepot_plugins.apt.format import AptFormat

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def scan_of(
    path: Path,
    *,
    uploaded: bool = False,
    signed_by: str | None = None,
    verify: bool = True,
    upstream: bytes | None = None,
    keyring: Path | None = None,
    package_format: Format | None = None,
) -> tuple[Artifact, ScanContext]:
    """A package that came from a source called ``debian`` (or was ``uploaded``), read as the pipeline reads it."""
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    package_format = package_format or AptFormat()
    info: PackageInfo | None = None
    problem = ""
    try:
        info = package_format.packages.read([path], upstream)
    except PackageError as error:
        problem = error.message
    context = ScanContext(
        format=package_format,
        distribution=a_distribution(),
        info=info,
        problem=problem,
        available=None if uploaded else _available(path, sha256, signed_by),
        source=None if uploaded else _source(verify),
        upstream=upstream,
        keyring=keyring,
        settings={},
        folder=path.parent,
        now=NOW,
    )
    return Artifact((path,), sha256), context


def a_distribution(format_name: str = "apt") -> Distribution:
    """One that is in no catalog."""
    return Distribution(
        id=1,
        repository_id=1,
        repository="internal",
        format=format_name,
        name="bookworm",
        components=("main",),
        architectures=(),
        policy="default",
        compressions=("gz",),
        keep=3,
        options={},
        created_at=NOW,
    )


def _source(verify: bool) -> Source:
    return Source(
        id=1,
        name="debian",
        format="apt",
        url="https://example.org/debian",
        distributions=("bookworm",),
        components=("main",),
        architectures=("amd64",),
        verify=verify,
        keyring=None,
        options={},
        connection=Connection(),
        created_at=NOW,
    )


def _available(path: Path, sha256: str, signed_by: str | None) -> Available:
    name, version, architecture = path.stem.split("_") if path.suffix == ".deb" else path.stem.rsplit("-", 2)
    return Available(
        id=1,
        source_id=1,
        source="debian",
        format="apt",
        name=name,
        version=version,
        version_key=b"",
        architecture=architecture,
        kind="binary",
        distribution="bookworm",
        component="main",
        source_name=name,
        section="misc",
        size=path.stat().st_size,
        sha256=sha256,
        location=f"pool/{path.name}",
        summary="",
        signed_by=signed_by,
    )
