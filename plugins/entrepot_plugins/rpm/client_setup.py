"""What helps to set a client up: a ``.repo`` file (dnf.conf(5), REPO OPTIONS) and a page for people."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from urllib.parse import quote, urlsplit

from entrepot.contracts import SetupStep
from entrepot.errors import UsageError
from entrepot.models import Distribution, Repository
from entrepot_plugins.shared import page

_KEY_SCHEMES = frozenset({"http", "https", "file"})


def repo_file(
    repository: Repository, distributions: Sequence[Distribution], *, signed: bool, upstream_keys: Collection[str] = ()
) -> str:
    """One section for each distribution; empty if there is none, or no URL of the tree that dnf could use.

    Clients check our signature of repomd.xml, which covers every package by its digest. The packages' own signatures
    are upstream's. Clients check them, too, where the distribution's option ``gpgcheck`` says so: with the keys that
    ``gpgkey`` names, and ours, for packages that we signed again. ``UsageError`` for keys that no client could fetch.
    ``upstream_keys`` are the verbatim distributions of which an upstream's own signature is checked.
    """
    url = page.tree_url(repository)
    return _sections(repository, distributions, url, signed=signed, upstream_keys=upstream_keys) if url else ""


def upstream_key_name(repository: Repository, distribution: str) -> str:
    """What the file with an upstream's keys is called, without its suffix."""
    return f"{repository.name}-{distribution.replace('/', '-')}"


def _sections(
    repository: Repository,
    distributions: Sequence[Distribution],
    url: str,
    *,
    signed: bool,
    upstream_keys: Collection[str] = (),
) -> str:
    if not distributions:
        return ""
    notes = [f"# {_title(repository)}"]
    if len(distributions) > 1:
        notes.append("# Keep the section of your distribution and remove the others.")
    bare = [
        item
        for item in distributions
        if item.verbatim and item.name not in upstream_keys and not item.options.get("gpgcheck")
    ]
    if bare or (not signed and not all(distribution.verbatim for distribution in distributions)):
        notes.append("# This repository is not signed: nothing protects what is downloaded from it.")
    ids = _ids(repository, distributions)
    sections = [
        "\n".join(
            _section(
                repository,
                item,
                name,
                url,
                key=_key_name(repository, item, signed=signed, upstream_keys=upstream_keys),
            )
        )
        for name, item in zip(ids, distributions, strict=True)
    ]
    return "\n".join(notes) + "\n" + "\n\n".join(sections) + "\n"


def _key_name(
    repository: Repository, item: Distribution, *, signed: bool, upstream_keys: Collection[str]
) -> str | None:
    """What the file with the key of whoever signs repomd.xml is called, without its suffix; None if nobody does."""
    if item.verbatim:
        return upstream_key_name(repository, item.name) if item.name in upstream_keys else None
    return repository.name if signed else None


def _section(repository: Repository, item: Distribution, name: str, url: str, *, key: str | None) -> list[str]:
    keys = [f"{_plain(url)}{quote(key)}.asc"] if key else []
    checked = bool(item.options.get("gpgcheck"))
    if checked:
        keys += _further_keys(item)
    if checked and not keys:
        raise UsageError(
            f"{item.path} tells clients to check packages, and names no key that they could check with",
            hint="give it the option gpgkey, or sign the repository",
        )
    lines = [
        f"[{name}]",
        f"name={_title(repository)} - {item.name}",
        f"baseurl={_plain(url)}{quote(item.name)}/",
        "enabled=1",
        f"repo_gpgcheck={int(key is not None)}",
        f"gpgcheck={int(checked)}",
    ]
    return [*lines, f"gpgkey={' '.join(keys)}"] if keys else lines


def _further_keys(distribution: Distribution) -> list[str]:
    keys = str(distribution.options.get("gpgkey") or "").split()
    for key in keys:
        if urlsplit(key).scheme not in _KEY_SCHEMES or not key.isprintable():
            raise UsageError(
                f"option gpgkey of {distribution.path}: {key!r} is no URL that clients could fetch a key from",
                hint="http:, https: or, for a file on the client, file:///etc/pki/rpm-gpg/...",
                option="gpgkey",
            )
    return keys


def _ids(repository: Repository, distributions: Sequence[Distribution]) -> list[str]:
    """A name for each section, of the characters that dnf allows, no two the same."""
    names: list[str] = []
    for item in distributions:
        wanted = name = re.sub(r"[^A-Za-z0-9._-]", "-", f"{repository.name}-{item.name}")
        number = 1
        while name in names:
            number += 1
            name = f"{wanted}-{number}"
        names.append(name)
    return names


def _plain(url: str) -> str:
    """A URL without what dnf reads as a variable, or as the end of a list's item."""
    return url.replace("$", "%24").replace(",", "%2C")


def _title(repository: Repository) -> str:
    return " ".join((repository.label or repository.name).split())


def index_page(repository: Repository, distributions: Sequence[Distribution], fingerprint: str) -> str:
    """A page that says what this is and how to use it; ``fingerprint`` is empty if nothing is signed."""
    rows = [
        (f"{item.name}/repodata/repomd.xml", (item.name, ", ".join(item.architectures) or "those of its packages"))
        for item in distributions
    ]
    return page.index_page(
        repository,
        "Fedora, Enterprise Linux, openSUSE and other systems with RPM",
        page.setup(setup_steps(repository, distributions, signed=bool(fingerprint))),
        page.table(("Name", "Architectures"), rows),
        fingerprint,
    )


def setup_steps(repository: Repository, distributions: Sequence[Distribution], *, signed: bool) -> Sequence[SetupStep]:
    """How dnf and zypper are set up: with the ``.repo`` file."""
    if not distributions:
        return [SetupStep("There is nothing to install yet.")]
    target = f"/etc/yum.repos.d/{repository.name}.repo"
    url = page.tree_url(repository)
    if not url:
        text = _sections(repository, distributions, f"{page.PLACEHOLDER}/", signed=signed)
        return [page.put_address(), SetupStep(f"Put this into a file {target}:", tuple(text.splitlines()))]
    address = f"{url}{quote(repository.name)}.repo"
    fetch = f"sudo curl -fsSLo {shlex.quote(target)} {shlex.quote(address)}"
    steps = [SetupStep("", (fetch, "sudo dnf makecache"))]
    if len(distributions) > 1:
        steps.append(
            SetupStep(
                "The file has one section for each distribution. Keep the one that is meant for your system and remove "
                "the others."
            )
        )
    other = (f"sudo zypper addrepo {shlex.quote(address)}", "sudo zypper refresh")
    return [*steps, SetupStep("openSUSE and SUSE Linux Enterprise need this instead:", other)]
