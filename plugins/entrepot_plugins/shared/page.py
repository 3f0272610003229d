"""The page that explains a published repository to people: its frame, and what is the same for every format.

It needs nothing besides itself, no script either, and everything that comes from outside is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from string import Template
from urllib.parse import quote, urlsplit

from entrepot.contracts import SetupStep
from entrepot.models import Repository

PLACEHOLDER = "https://address.of.this.page"
"""Stands in commands for the URL of a tree that is not known."""
_SCHEMES = frozenset({"http", "https", "file"})


def tree_url(repository: Repository) -> str:
    """The tree's URL as clients use it, ending in a slash; empty if there is none that they understand."""
    url = repository.public_url or repository.targets[0].url
    if urlsplit(url).scheme not in _SCHEMES:
        return ""
    return quote(url.rstrip("/"), safe=":/?#[]@!$&'()*+,;=%~") + "/"


def index_page(repository: Repository, systems: str, setup: str, distributions: str, fingerprint: str) -> str:
    """The whole page.

    ``systems`` says for whom the packages are, as text; ``setup`` and ``distributions`` are HTML. ``fingerprint`` is of
    the key that signs; empty if nothing is signed.
    """
    title = repository.label or repository.name
    by = f" by {repository.origin}" if repository.origin not in ("", title) else ""
    return _PAGE.substitute(
        title=escape(title),
        style=_STYLE,
        lead=escape(f"A package repository{by} for {systems}."),
        setup=setup,
        distributions=distributions,
        key=_key(repository, fingerprint),
    )


def put_address() -> SetupStep:
    """What is said where the URL of the tree is not known."""
    return SetupStep(f"In these commands, put the address of this page in place of {PLACEHOLDER}.")


def setup(steps: Iterable[SetupStep]) -> str:
    """The steps as HTML."""
    parts = []
    for step in steps:
        if step.text:
            text = escape(step.text, quote=False)
            parts.append(f"<p>{text.replace(PLACEHOLDER, f'<code>{PLACEHOLDER}</code>')}</p>")
        if step.lines:
            # It scrolls sideways, so it has to be reachable by keyboard.
            parts.append(f'<pre tabindex="0"><code>{escape(chr(10).join(step.lines))}</code></pre>')
    return "\n".join(parts)


def table(columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """A table of distributions; each row is the path of what a client reads first, and its texts: the name first."""
    lines = [
        f'<tr><th scope="row"><a href="{escape(quote(link))}">{escape(name)}</a></th>'
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for link, (name, *cells) in rows
    ]
    if not lines:
        return "<p>None yet.</p>"
    heads = [f'<th scope="col">{escape(column)}</th>' for column in columns]
    return f"<table><thead><tr>{''.join(heads)}</tr></thead><tbody>\n{chr(10).join(lines)}\n</tbody></table>"


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
