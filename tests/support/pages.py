"""Reads the pages that repositories have for people."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """A parsed page: its text, its elements with their attributes, and that every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See ``HTMLParser``."""
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """See ``HTMLParser``."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """See ``HTMLParser``."""
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def having(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def commands(self) -> list[str]:
        """The lines of everything that is code."""
        return [line for text in self.texts.get("code", []) for line in text.splitlines()]
