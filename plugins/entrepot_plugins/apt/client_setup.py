"""What helps to set a client up: a ``.sources`` file (sources.list(5)) and a page that explains the repository."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from entrepot.contracts import SetupStep
from entrepot.models import SOURCE_ARCHITECTURE, Distribution, Repository
from entrepot_plugins.shared import page


def sources_file(
    repository: Repository,
    distributions: Sequence[Distribution],
    key: bytes | None,
    upstream_keys: Mapping[str, bytes],
) -> str:
    """deb822 stanzas, one for each distribution; empty if there is none, or no URL of the tree that apt could use.

    ``upstream_keys`` are those of verbatim distributions, by name.

    The key stands in it, so that one file is all that a client needs (apt 2.3.10 and newer). Without a key it says
    ``Trusted: yes``, since apt would refuse the repository otherwise.
    """
    url = page.tree_url(repository)
    if not url or not distributions:
        return ""
    notes = [f"# {' '.join((repository.label or repository.name).split())}"]
    if len(distributions) > 1:
        notes.append("# Keep the stanza of your distribution and remove the others.")
    ours = [distribution for distribution in distributions if not distribution.verbatim]
    if key is None and ours:
        notes.append("# This repository is not signed: nothing protects what is downloaded from it.")
    stanzas = (
        "\n".join(_stanza(url, item, upstream_keys.get(item.name) if item.verbatim else key)) for item in distributions
    )
    return "\n".join(notes) + "\n" + "\n\n".join(stanzas) + "\n"


def upstream_key_name(repository: Repository, distribution: str) -> str:
    """What the file with an upstream's keys is called, without its suffix."""
    return f"{repository.name}-{distribution.replace('/', '-')}"


def component_folder(distribution: str, component: str) -> str:
    """The folder of a component below its distribution, which is also its name for a client.

    Where a distribution's name ends in the component's prefix (``stable/updates``, ``updates/main``), apt takes the
    prefix off what the Release file names, and asks for ``main``.
    """
    prefix, slash, last = component.rpartition("/")
    return last if slash and distribution.endswith(f"/{prefix}") else component


def _stanza(url: str, distribution: Distribution, key: bytes | None) -> list[str]:
    return [
        "Types: deb deb-src" if SOURCE_ARCHITECTURE in distribution.architectures else "Types: deb",
        f"URIs: {url}",
        f"Suites: {distribution.name}",
        f"Components: {' '.join(_components(distribution))}",
        *_trust(key),
    ]


def _trust(key: bytes | None) -> list[str]:
    if key is None:
        return ["Trusted: yes"]
    # An empty line would end the stanza.
    return ["Signed-By:", *(f" {line or '.'}" for line in key.decode("ascii").splitlines())]


def _components(distribution: Distribution) -> list[str]:
    """As a client names them, which is as their folders are called."""
    return [component_folder(distribution.name, name) for name in distribution.components or ("main",)]


def index_page(repository: Repository, distributions: Sequence[Distribution], fingerprint: str) -> str:
    """A page that says what this is and how to use it; ``fingerprint`` is empty if nothing is signed."""
    rows = [
        (
            f"dists/{item.name}/Release",
            (item.name, ", ".join(_components(item)), ", ".join(item.architectures) or "those of its packages"),
        )
        for item in distributions
    ]
    return page.index_page(
        repository,
        "Debian, Ubuntu and other systems with APT",
        page.setup(setup_steps(repository, distributions, signed=bool(fingerprint))),
        page.table(("Name", "Components", "Architectures"), rows),
        fingerprint,
    )


def setup_steps(repository: Repository, distributions: Sequence[Distribution], *, signed: bool) -> Sequence[SetupStep]:
    """How apt is set up: with the ``.sources`` file, and what older systems need instead."""
    if not distributions:
        return [SetupStep("There is nothing to install yet.")]
    url = page.tree_url(repository) or f"{page.PLACEHOLDER}/"
    steps = []
    if not page.tree_url(repository):
        steps.append(page.put_address())
    else:
        target = f"/etc/apt/sources.list.d/{repository.name}.sources"
        fetch = f"sudo curl -fsSLo {shlex.quote(target)} {shlex.quote(f'{url}{quote(repository.name)}.sources')}"
        steps.append(SetupStep("", (fetch, "sudo apt update")))
        if len(distributions) > 1:
            steps.append(
                SetupStep(
                    "The file has one paragraph for each distribution. Keep the one that is meant for your system, "
                    "remove the others, and update again."
                )
            )
    first = distributions[0]
    key_name = upstream_key_name(repository, first.name) if first.verbatim else repository.name
    older = _older(repository, first, url, key_name if signed or first.verbatim else "")
    text = "Systems older than Debian 12 and Ubuntu 22.04 need this instead:" if page.tree_url(repository) else ""
    return [*steps, SetupStep(text, older)]


def _older(repository: Repository, distribution: Distribution, url: str, key_name: str) -> tuple[str, ...]:
    keyring = f"/etc/apt/keyrings/{key_name}.asc"
    option = f"signed-by={keyring}" if key_name else "trusted=yes"
    types = ["deb", *(["deb-src"] if SOURCE_ARCHITECTURE in distribution.architectures else [])]
    place = f"[{option}] {url} {distribution.name} {' '.join(_components(distribution))}"
    lines = " ".join(shlex.quote(f"{type_} {place}") for type_ in types)
    target = shlex.quote(f"/etc/apt/sources.list.d/{repository.name}.list")
    fetch = (
        "sudo mkdir -p /etc/apt/keyrings",
        f"sudo curl -fsSLo {shlex.quote(keyring)} {shlex.quote(f'{url}{quote(key_name)}.asc')}",
    )
    tell = f"printf '%s\\n' {lines}" if len(types) > 1 else f"echo {lines}"
    return (*(fetch if key_name else ()), f"{tell} | sudo tee {target}", "sudo apt update")
