"""What helps to set a client up: a ``.sources`` file (sources.list(5)) and a page that explains the repository."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape
from string import Template
from urllib.parse import quote, urlsplit

from entrepot.models import SOURCE_ARCHITECTURE, Distribution, Repository

_SCHEMES = frozenset({"http", "https", "file"})
_PLACEHOLDER = "https://address.of.this.page"


def sources_file(repository: Repository, distributions: Sequence[Distribution], key: bytes | None) -> str:
    """deb822 stanzas, one for each distribution; empty if there is none, or no URL of the tree that apt could use.

    The key stands in it, so that one file is all that a client needs (apt 2.3.10 and newer). Without a key it says
    ``Trusted: yes``, since apt would refuse the repository otherwise.
    """
    url = _url(repository)
    if not url or not distributions:
        return ""
    notes = [f"# {' '.join((repository.label or repository.name).split())}"]
    if len(distributions) > 1:
        notes.append("# Keep the stanza of your distribution and remove the others.")
    if key is None:
        notes.append("# This repository is not signed: nothing protects what is downloaded from it.")
    stanzas = ("\n".join(_stanza(url, distribution, key)) for distribution in distributions)
    return "\n".join(notes) + "\n" + "\n\n".join(stanzas) + "\n"


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


def _url(repository: Repository) -> str:
    """The tree's URL as clients use it, ending in a slash; empty if there is none that apt understands."""
    url = repository.public_url or repository.publish_to
    if urlsplit(url).scheme not in _SCHEMES:
        return ""
    return quote(url.rstrip("/"), safe=":/?#[]@!$&'()*+,;=%~") + "/"


def index_page(repository: Repository, distributions: Sequence[Distribution], fingerprint: str) -> str:
    """A page that says what this is and how to use it. It needs nothing besides itself, no script either.

    ``fingerprint`` is of the key that signs; empty if nothing is signed.
    """
    title = repository.label or repository.name
    return _PAGE.substitute(
        title=escape(title),
        style=_STYLE,
        lead=escape(_lead(repository, title)),
        setup=_setup(repository, distributions, bool(fingerprint)),
        distributions=_table(distributions),
        key=_key(repository, fingerprint),
    )


def _lead(repository: Repository, title: str) -> str:
    by = f" by {repository.origin}" if repository.origin not in ("", title) else ""
    return f"A package repository{by} for Debian, Ubuntu and other systems with APT."


def _setup(repository: Repository, distributions: Sequence[Distribution], signed: bool) -> str:
    if not distributions:
        return "<p>There is nothing to install yet.</p>"
    url = _url(repository) or f"{_PLACEHOLDER}/"
    name = quote(repository.name)
    parts = []
    if not _url(repository):
        parts.append(f"<p>In these commands, put the address of this page in place of <code>{_PLACEHOLDER}</code>.</p>")
    else:
        target = f"/etc/apt/sources.list.d/{repository.name}.sources"
        fetch = f"sudo curl -fsSLo {shlex.quote(target)} {shlex.quote(f'{url}{name}.sources')}"
        parts.append(_commands(fetch, "sudo apt update"))
        if len(distributions) > 1:
            parts.append(
                "<p>The file has one paragraph for each distribution. Keep the one that is meant for your system, "
                "remove the others, and update again.</p>"
            )
        parts.append("<p>Systems older than Debian 12 and Ubuntu 22.04 need this instead:</p>")
    parts.append(_older(repository, distributions[0], url, signed))
    return "\n".join(parts)


def _older(repository: Repository, distribution: Distribution, url: str, signed: bool) -> str:
    keyring = f"/etc/apt/keyrings/{repository.name}.asc"
    option = f"signed-by={keyring}" if signed else "trusted=yes"
    line = f"deb [{option}] {url} {distribution.name} {' '.join(_components(distribution))}"
    target = shlex.quote(f"/etc/apt/sources.list.d/{repository.name}.list")
    fetch = [
        "sudo mkdir -p /etc/apt/keyrings",
        f"sudo curl -fsSLo {shlex.quote(keyring)} {shlex.quote(f'{url}{quote(repository.name)}.asc')}",
    ]
    return _commands(*(fetch if signed else ()), f"echo {shlex.quote(line)} | sudo tee {target}", "sudo apt update")


def _commands(*lines: str) -> str:
    # It scrolls sideways, so it has to be reachable by keyboard.
    return f'<pre tabindex="0"><code>{escape(chr(10).join(lines))}</code></pre>'


def _table(distributions: Sequence[Distribution]) -> str:
    if not distributions:
        return "<p>None yet.</p>"
    rows = "\n".join(
        f'<tr><th scope="row"><a href="dists/{escape(quote(item.name))}/Release">{escape(item.name)}</a></th>'
        f"<td>{escape(', '.join(_components(item)))}</td>"
        f"<td>{escape(', '.join(item.architectures) or 'those of its packages')}</td></tr>"
        for item in distributions
    )
    return (
        '<table><thead><tr><th scope="col">Name</th><th scope="col">Components</th>'
        f'<th scope="col">Architectures</th></tr></thead><tbody>\n{rows}\n</tbody></table>'
    )


def _key(repository: Repository, fingerprint: str) -> str:
    if not fingerprint:
        return (
            '<p class="warning"><strong>This repository is not signed.</strong> '
            "Nothing protects what is downloaded from it against being replaced on the way.</p>"
        )
    grouped = " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))
    return (
        f'<p>Everything here is signed with <a href="{escape(quote(repository.name))}.asc">this key</a>. Compare its '
        "fingerprint with one that you got in another way, since who can change the key can change this page:</p>\n"
        f'<p class="fingerprint"><code>{escape(grouped)}</code></p>'
    )


_PAGE = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<h1>$title</h1>
<p class="lead">$lead</p>
<section aria-labelledby="setup">
<h2 id="setup">Use it</h2>
$setup
</section>
<section aria-labelledby="distributions">
<h2 id="distributions">Distributions</h2>
$distributions
</section>
<section aria-labelledby="key">
<h2 id="key">Signature</h2>
$key
</section>
</main>
<footer>Published by Entrepôt</footer>
</body>
</html>
""")

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --dim: #566072; --paper: #fbfbf9; --card: #fff; --line: #dcdfe4;
  --accent: #0b5c86; --warn: #8a2b06; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --dim: #a3adbb; --paper: #14181e; --card: #1c222b;
  --line: #343c48; --accent: #7cc4ea; --warn: #ffb08f; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 3rem 1.25rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.6 system-ui, sans-serif; }
main, footer { max-width: 46rem; margin: 0 auto; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.15rem; }
.lead, footer { color: var(--dim); }
.lead { margin-top: .5rem; font-size: 1.1rem; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); font-size: .875rem; }
a { color: var(--accent); }
code { font: .9em/1.6 ui-monospace, monospace; }
pre { margin: .75rem 0; padding: .9rem 1.1rem; overflow-x: auto; background: var(--card);
  border: 1px solid var(--line); border-radius: .5rem; }
pre:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
thead th { color: var(--dim); font-weight: 600; font-size: .875rem; }
.fingerprint { overflow-wrap: anywhere; }
.warning { color: var(--warn); }
"""
