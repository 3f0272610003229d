"""Answers what a worker asks about the catalog, in the command's process.

A question comes from a process that hostile data may have taken over. It is one of a few, has arguments of certain
forms and lengths, and is about the distribution and the source of the package that the worker was asked about, whatever
it says. Anything else is no question, and ends the worker.
"""

from __future__ import annotations

import json
import pickle
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from typing import Any

from entrepot.contracts import AdvisoryLookup, Candidate
from entrepot.errors import EntrepotError
from entrepot.isolation.messages import MAX_TEXTS, BadAnswerError, FloodError
from entrepot.isolation.offers import Offers
from entrepot.models import Source

MAX_QUESTIONS = 50_000
"""Of one scanner about one package. gnome-core takes some 60."""
MAX_TEXT = 4096
"""Characters of one text."""
MAX_REPLY = 256 << 20
"""Bytes of text of packages in one answer: hostile indexes shall not eat the command's memory."""
CHUNK = 4 << 20
"""Bytes of text of packages that are sent at once of all that there are."""


class Clerk:
    """Answers the questions of one scanner about one package."""

    def __init__(self, source: Source | None, offers: Offers | None, advisories: AdvisoryLookup | None) -> None:
        self._source = source
        self._offers = offers
        self._advisories = advisories
        self._asked = 0
        self._stream: Iterator[Candidate] = iter(())

    @cached_property
    def _answers(self) -> Mapping[str, tuple[Callable[..., Any], tuple[Callable[[Any], Any], ...]]]:
        """By the names of questions; made for the first: most scanners ask none."""
        answers: dict[str, tuple[Callable[..., Any], tuple[Callable[[Any], Any], ...]]] = {}
        if offers := self._offers:
            answers |= {
                "moment": (offers.moment, ()),
                "named": (lambda *said: _bounded(offers.named(*said)), (_texts, _texts)),
                "providing": (lambda *said: _by_name(offers.providing(*said)), (_texts, _texts)),
                "everything": (lambda names: self._begin(offers.everything(names)), (_texts,)),
                "more": (self._more, ()),
                "sources": (offers.sources, (_numbers,)),
            }
        if advisories := self._advisories:
            answers |= {
                "ecosystems": (advisories.ecosystems, ()),
                "affecting": (advisories.affecting, (_texts, _text, _key)),
                "facts": (advisories.facts, (_texts,)),
                "told": (advisories.told, (self._own, _texts)),
                "tells": (advisories.tells, (self._own,)),
                "modules": (advisories.modules, (self._own, _text, _text)),
                "offers": (advisories.offers, (_text, _text, _text, _key)),
            }
        return answers

    def answer(self, question: bytes) -> bytes:
        """The answer as it is sent; ``BadAnswerError`` or ``FloodError`` if it gets none."""
        self._asked += 1
        if self._asked > MAX_QUESTIONS:
            raise FloodError(f"it asked more than {MAX_QUESTIONS} questions")
        function, arguments = self._read(question)
        try:
            answer = (True, function(*arguments))
        except (EntrepotError, sqlite3.Error) as error:
            answer = (False, str(error))
        return pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)

    def _read(self, question: bytes) -> tuple[Callable[..., Any], list[Any]]:
        try:
            name, *said = json.loads(question)
            function, forms = self._answers[name]
            return function, [form(value) for form, value in zip(forms, said, strict=True)]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BadAnswerError(f"it asks what nobody can ask ({question[:60]!r}): {error}") from None

    def _own(self, value: Any) -> Source:
        if self._source is None or type(value) is not int or value != self._source.id:
            raise ValueError("the package is of another source")
        return self._source

    def _begin(self, everything: Iterable[Candidate]) -> list[Candidate]:
        self._stream = iter(everything)
        return self._more()

    def _more(self) -> list[Candidate]:
        chunk, size = [], 0
        for candidate in self._stream:
            chunk.append(candidate)
            size += len(candidate.raw)
            if size > CHUNK:
                break
        return chunk


def _bounded(candidates: Iterable[Candidate]) -> list[Candidate]:
    found, size = [], 0
    for candidate in candidates:
        found.append(candidate)
        size += len(candidate.raw)
        if size > MAX_REPLY:
            raise EntrepotError(
                f"packages called {candidate.name} and alike have more than {MAX_REPLY >> 20} MiB of text"
            )
    return found


def _by_name(found: Iterable[tuple[str, Iterable[Candidate]]]) -> list[tuple[str, list[Candidate]]]:
    """One object for each package, which is then sent once."""
    lists = [(name, list(candidates)) for name, candidates in found]
    known: Mapping[int, Candidate] = {one.id: one for one in _bounded(chain.from_iterable(each for _, each in lists))}
    return [(name, [known[candidate.id] for candidate in candidates]) for name, candidates in lists]


def _text(value: Any) -> str:
    if type(value) is not str or len(value) > MAX_TEXT:
        raise ValueError("not a text, or a long one")
    value.encode()  # no halves of surrogate pairs
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_TEXTS:
        raise ValueError("not a list, or a long one")
    return [_text(item) for item in value]


def _key(value: Any) -> bytes:
    return bytes.fromhex(_text(value))


def _numbers(value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) > MAX_TEXTS:
        raise ValueError("not a list, or a long one")
    if not all(type(number) is int and abs(number) < 1 << 63 for number in value):
        raise ValueError("not numbers of packages")
    return value
