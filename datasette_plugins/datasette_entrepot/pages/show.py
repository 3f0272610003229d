"""How values look: sizes, times, states and links. What a template gets as functions; every text is escaped here."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from markupsafe import Markup, escape

PREFIX = "/-/entrepot"
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
VULNERABILITY = re.compile(r"(CVE-\d{4}-\d{4,}|[A-Z][A-Za-z]+-[A-Za-z0-9:.-]{4,80})")

TONES: Mapping[str, Sequence[str]] = {
    "good": (
        "pass",
        "clean",
        "completed",
        "published",
        "already_published",
        "satisfied",
        "no_findings",
        "signed_trusted",
        "ok",
        "valid",
        "trusted",
        "current",
        "usual",
        "allow",
        "admit",
        "publish",
        "approve",
        "good",
        "waived",
    ),
    "bad": (
        "block",
        "infected",
        "failed",
        "rejected",
        "error",
        "findings_blocked",
        "bad_signature",
        "conflict",
        "missing",
        "critical",
        "high",
        "reject",
        "revoked",
        "expired",
        "unsigned_blocked",
        "canceled",
        "disagrees",
        "unreadable",
        "broken",
    ),
    "doubtful": (
        "warn",
        "review",
        "pending_review",
        "findings_review",
        "signed_untrusted",
        "unsigned_pass",
        "weak",
        "medium",
        "findings_allowed",
        "unusual",
        "expiring",
    ),
    "busy": ("running", "waiting", "fetching", "inspecting", "syncing", "started"),
}
"""How states, verdicts and decisions are coloured."""

SAID_AT_ONCE = 180
"""Characters of a long sentence that are shown before somebody asks for the rest."""

SEVERITIES = ("critical", "high", "medium", "low", "negligible", "none", "unknown")


class Show:
    """The functions, for a Datasette whose paths are made by ``url``."""

    def __init__(self, url: Callable[[str], str]) -> None:
        self._url = url

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """By the names that templates know."""
        names = (
            "page when day size number status severity link package_link import_link task_link source_link "
            "distribution_link finding_link outside_link words json_rows worst_first brief"
        )
        return {name: getattr(self, name) for name in names.split()}

    # ------------------------------------------------------------------------------------------------------ values

    def page(self, path: str, /, *parts: object, **query: object) -> str:
        """The URL of a page below ``/-/entrepot``; each ``{}`` of ``path`` is filled with a part, escaped."""
        filled = path.format(*(quote(str(part), safe="") for part in parts)) if parts else path
        chosen = {name: value for name, value in query.items() if value not in (None, "", False)}
        return self._url(PREFIX + filled.rstrip("/")) + (f"?{urlencode(chosen, doseq=True)}" if chosen else "")

    def when(self, moment: str | dt.datetime | None, empty: str = "never") -> Markup:
        """A time in UTC to the minute."""
        parsed = _moment(moment)
        if parsed is None:
            return Markup('<span class="ep-none">{}</span>').format(empty)
        exact = parsed.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            exact, exact, parsed.strftime("%Y-%m-%d %H:%M")
        )

    def day(self, moment: str | dt.datetime | None, empty: str = "never") -> Markup:
        """The day of a time."""
        parsed = _moment(moment)
        if parsed is None:
            return Markup('<span class="ep-none">{}</span>').format(empty)
        text = parsed.strftime("%Y-%m-%d")
        return Markup('<time datetime="{}">{}</time>').format(text, text)

    def size(self, count: int | None) -> str:
        """Bytes as a person reads them, in powers of a thousand."""
        if count is None:
            return ""
        value, unit = float(count), 0
        while value >= 999.5 and unit < len(UNITS) - 1:
            value, unit = value / 1000, unit + 1
        return f"{value:.0f} {UNITS[unit]}" if unit == 0 or value >= 99.5 else f"{value:.1f} {UNITS[unit]}"

    def number(self, count: int | None) -> str:
        """A count with its thousands apart."""
        return "" if count is None else f"{count:,}"

    def status(self, word: object) -> Markup:
        """A state, verdict or decision as a badge. The word is there: no colour has to be told from another."""
        text = "" if word is None else str(word)
        return Markup('<span class="ep-badge ep-{}">{}</span>').format(_tone(text), text.replace("_", " "))

    def severity(self, word: str | None) -> Markup:
        """The severity of a finding as a badge."""
        text = (word or "unknown").lower()
        known = text if text in SEVERITIES else "unknown"
        return Markup('<span class="ep-badge ep-severity-{}">{}</span>').format(known, text)

    def worst_first(self, findings: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Findings by severity, in their order where that is the same."""
        ranks = {word: rank for rank, word in enumerate(SEVERITIES)}
        return sorted(findings, key=lambda finding: ranks.get(str(finding["severity"]).lower(), len(ranks)))

    def words(self, values: Any, empty: str = "all") -> Markup:
        """A list of short texts."""
        items = [str(value) for value in values or ()]
        if not items:
            return Markup('<span class="ep-none">{}</span>').format(empty)
        return Markup(", ").join(Markup("<span>{}</span>").format(item) for item in items)

    def brief(self, text: str) -> Markup:
        """A text that may be long: its beginning, and the rest for who opens it."""
        if len(text) <= SAID_AT_ONCE:
            return escape(text)
        cut = text.rfind(" ", 0, SAID_AT_ONCE) + 1 or SAID_AT_ONCE
        return Markup(
            '<details class="ep-brief"><summary>{}<span class="ep-more">…</span></summary>{}</details>'
        ).format(text[:cut], text[cut:])

    def json_rows(self, document: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The members of an object as names and plain texts; objects inside with dotted names."""
        rows: list[tuple[str, str]] = []
        for name, value in document.items():
            if isinstance(value, Mapping):
                rows += [(f"{name}.{inner}", text) for inner, text in self.json_rows(value)]
            elif isinstance(value, list | tuple):
                # What lists of objects say has a page of its own.
                if plain := [str(item) for item in value if not isinstance(item, Mapping)]:
                    rows.append((name, ", ".join(plain)))
            elif value not in (None, ""):
                rows.append((name, str(value)))
        return rows

    # ------------------------------------------------------------------------------------------------------- links

    def link(self, path: str, text: object) -> Markup:
        """A link to a page of ours; ``path`` is the answer of ``page``."""
        return Markup('<a href="{}">{}</a>').format(path, text)

    def package_link(self, name: str, source: str | None = None, version: str = "", text: str = "") -> Markup:
        """The page of a package."""
        query = {"version": version} if version else {}
        path = self.page("/package/{}/{}", source, name, **query) if source else self.page("/package/{}", name, **query)
        return self.link(path, text or name)

    def import_link(self, import_id: int | None, text: str = "") -> Markup:
        """The page of an import."""
        return escape(text) if import_id is None else self.link(self.page("/imports/{}", import_id), text or import_id)

    def task_link(self, task_id: int | None, text: str = "") -> Markup:
        """The page of a task."""
        return escape(text) if task_id is None else self.link(self.page("/tasks/{}", task_id), text or task_id)

    def source_link(self, name: str | None) -> Markup:
        """The page of a source."""
        return escape("") if not name else self.link(self.page("/sources/{}", name), name)

    def distribution_link(self, path: str, text: str = "") -> Markup:
        """The page of a distribution, by its path; names have slashes, which stay."""
        repository, _, name = path.partition("/")
        place = self._url(f"{PREFIX}/repositories/{quote(repository, safe='')}/{quote(name, safe='/')}")
        return self.link(place, text or path)

    def finding_link(self, finding: str, data: Mapping[str, Any] | None = None) -> Markup:
        """A finding: the advisories of a vulnerability, or the place on the web that it names itself."""
        if VULNERABILITY.fullmatch(finding):
            return self.link(self.page("/advisories/{}", finding), finding)
        url = (data or {}).get("url")
        return self.outside_link(str(url), finding) if url else Markup("<code>{}</code>").format(finding)

    def outside_link(self, url: str | None, text: str = "") -> Markup:
        """A URL that somebody else wrote: a link if it is one of the web, plain text otherwise."""
        if not url:
            return escape(text)
        try:
            parts = urlsplit(url)
        except ValueError:
            return escape(text or url)
        if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\x00-\x20\x7f]", url):
            return escape(text or url)
        return Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>').format(url, text or url)


def local_path(text: str | None) -> str:
    """A path of this server that may be gone to after something; the overview for whatever is not one."""
    if not text or not re.fullmatch(r"/[^/\\\x00-\x20\x7f][^\\\x00-\x20\x7f]*", text):
        return PREFIX
    return text


def _tone(word: str) -> str:
    base = word.removeprefix("said_")
    for tone, known in TONES.items():
        if base in known:
            return tone
    return "plain"


def _moment(moment: str | dt.datetime | None) -> dt.datetime | None:
    if isinstance(moment, str) and moment:
        try:
            moment = dt.datetime.fromisoformat(moment)
        except ValueError:
            return None
    if not isinstance(moment, dt.datetime):
        return None
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
