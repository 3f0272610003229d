"""Takes shell scripts apart into the commands that they may run, without running anything.

It is no shell. It knows quotes, comments, here-documents, pipes, redirections, substitutions, functions and ``case``,
and takes every branch for one that is run. Variables and globs stay as they stand, so whoever puts a command together
out of pieces is not found out. Time and memory are linear in the script's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

DEEPEST = 20
"""Levels of substitutions, subshells and scripts in scripts."""

_BLANK, _ENDS = " \t\r", " \t\r\n;&|<>()"
_KEYWORDS = frozenset(
    {"if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "{", "}", "time", "esac"}
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_OPERATOR = re.compile(r"&>>?|>>|>\||>&|<>|<<<|<<-?|<&|[<>]")
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"})


class TooDeepError(ValueError):
    """A script is nested more deeply than anybody writes one."""


@dataclass
class Command:
    """One simple command: its words without quotes, and the files that its output is written to.

    ``inner`` are the commands whose output is put into its words; ``source`` is the one whose output it reads.
    """

    words: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    inner: list[Command] = field(default_factory=list)
    source: Command | None = None
    document: str = ""
    """The text of its here-document."""


def commands(text: str, depth: int = 0) -> list[Command]:
    """Every command of a script, those of substitutions included; ``TooDeepError``."""
    return list(_flat(_Parser(text, depth).parse()))


def _flat(found: list[Command]) -> Iterator[Command]:
    stack = found[::-1]
    while stack:
        command = stack.pop()
        yield command
        stack += command.inner[::-1]


class _Parser:
    def __init__(self, text: str, depth: int) -> None:
        if depth > DEEPEST:
            raise TooDeepError("it is nested too deeply")
        self.text = text
        self.at = 0
        self.depth = depth
        self.pending: list[tuple[str, bool, Command]] = []
        """Here-documents that begin after the line's end: delimiter, whether tabs are taken off, whose they are."""
        self.found: list[Command] = []
        self.current = Command()
        self.cases = 0
        self.in_pattern = False

    def parse(self, end: str = "") -> list[Command]:
        """The commands up to ``end``, or all of them."""
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if self.in_pattern:
                self._pattern()
            elif char == end:
                self.at += 1
                break
            elif char in _BLANK or text.startswith("\\\n", self.at):
                self.at += 1 if char in _BLANK else 2
            elif char == "#":
                line_end = text.find("\n", self.at)
                self.at = len(text) if line_end < 0 else line_end
            elif char == "\n":
                self.at += 1
                self._finish()
                self._documents()
            elif match := _OPERATOR.match(text, self.at):
                if text.startswith(("<(", ">("), self.at):
                    self._word()
                else:
                    self.at = match.end()
                    self._redirect(match[0])
            elif char in ";&|":
                self._separator(char)
            elif char == "(":
                self._group()
            elif char == ")":
                self.at += 1
                self._finish()
            else:
                self._word()
        self._finish()
        return self.found

    def _finish(self, *, piped: bool = False) -> None:
        command = self.current
        if command.words or command.writes or command.inner:
            self.found.append(command)
        self.current = Command(source=self.found[-1] if piped and self.found else None)

    def _separator(self, char: str) -> None:
        text = self.text
        if char == ";" and self.cases and text[self.at + 1 : self.at + 2] in (";", "&"):
            self.at += 2
            self._finish()
            self.in_pattern = True
            return
        double = text[self.at + 1 : self.at + 2] == char
        self.at += 2 if double or text.startswith("|&", self.at) else 1
        self._finish(piped=char == "|" and not double)

    def _pattern(self) -> None:
        """Patterns of ``case``, up to their parenthesis: they are no commands."""
        rest = re.compile(r"[ \t\r\n]*(#[^\n]*\n[ \t\r\n]*)*").match(self.text, self.at)
        self.at = rest.end() if rest else self.at
        self.in_pattern = False
        if re.compile(r"esac\b").match(self.text, self.at):
            self.at += 4
            self.cases -= 1
            return
        self.at += self.text.startswith("(", self.at)
        while self.at < len(self.text) and self.text[self.at] != ")":
            if self.text[self.at] in "|<>&;( \t\r\n":
                self.at += 1
            else:
                self._raw_word(Command())
        self.at += 1

    def _group(self) -> None:
        """A subshell; or the parentheses of a function's definition, whose name is no command."""
        definition = re.compile(r"\([ \t]*\)").match(self.text, self.at)
        if definition and self.current.words:
            self.at = definition.end()
            self.current = Command()
            return
        self.at += 1
        self._finish()
        self.found += self._nested(")")

    def _nested(self, end: str) -> list[Command]:
        inner = _Parser(self.text, self.depth + 1)
        inner.at, inner.pending = self.at, self.pending
        found = inner.parse(end)
        self.at = inner.at
        return found

    def _word(self) -> None:
        command = self.current
        begin = self.at
        quoted, word = self._raw_word(command)
        if word.isdigit() and self.text[self.at : self.at + 1] in ("<", ">") and self.at > begin:
            return  # 2>file
        if not command.words and not quoted:
            if word in _KEYWORDS:
                self.cases -= word == "esac" and self.cases > 0
                return
            if _ASSIGNMENT.match(word):
                return
        command.words.append(word)
        if word == "in" and command.words[0] == "case" and len(command.words) == 3:
            self.cases += 1
            self._finish()
            self.in_pattern = True

    def _redirect(self, operator: str) -> None:
        command = self.current
        while self.text[self.at : self.at + 1] in tuple(_BLANK) and self.at < len(self.text):
            self.at += 1
        if self.text[self.at : self.at + 1] in ("", "\n", ";", "&", "|", ")"):
            return
        _, word = self._raw_word(command)
        if operator in ("<<", "<<-"):
            self.pending.append((word, operator == "<<-", command))
        elif operator == "<<<":
            command.document += word + "\n"
        elif ">" in operator and not re.fullmatch(r"[0-9]+-?|-", word):
            command.writes.append(word)

    def _documents(self) -> None:
        """Takes the here-documents that begin here out of the script."""
        for delimiter, strip, command in self.pending:
            lines = []
            while self.at < len(self.text):
                end = self.text.find("\n", self.at)
                end = len(self.text) if end < 0 else end
                line = self.text[self.at : end]
                self.at = end + 1
                line = line.lstrip("\t") if strip else line
                if line == delimiter:
                    break
                lines.append(line)
            command.document += "\n".join(lines)
        self.pending.clear()

    def _raw_word(self, command: Command) -> tuple[bool, str]:
        """The word that begins here, without its quotes, and whether it had any."""
        text, parts, quoted = self.text, [], False
        while self.at < len(text):
            char = text[self.at]
            if text.startswith(("<(", ">("), self.at):
                self.at += 2
                command.inner += self._nested(")")
                parts.append("$()")
            elif char in _ENDS:
                break
            elif char == "'":
                end = text.find("'", self.at + 1)
                end = len(text) if end < 0 else end
                parts.append(text[self.at + 1 : end])
                self.at, quoted = end + 1, True
            elif char == '"':
                self.at, quoted = self.at + 1, True
                self._double_quoted(command, parts)
            elif char == "\\":
                if text[self.at + 1 : self.at + 2] != "\n":
                    parts.append(text[self.at + 1 : self.at + 2])
                self.at, quoted = self.at + 2, True
            else:
                self._piece(command, parts)
        return quoted, "".join(parts)

    def _double_quoted(self, command: Command, parts: list[str]) -> None:
        while self.at < len(self.text) and self.text[self.at] != '"':
            if self.text[self.at] == "\\":
                if self.text[self.at + 1 : self.at + 2] != "\n":
                    parts.append(self.text[self.at + 1 : self.at + 2])
                self.at += 2
            else:
                self._piece(command, parts)
        self.at += 1

    _PLAIN = re.compile(r"""[^\s;&|<>()'"\\$`]+""")

    def _piece(self, command: Command, parts: list[str]) -> None:
        """A substitution, or characters that mean themselves."""
        text = self.text
        if text.startswith("$((", self.at):
            end = text.find("))", self.at)
            self.at = len(text) if end < 0 else end + 2
            parts.append("$()")
        elif text.startswith("$(", self.at):
            self.at += 2
            command.inner += self._nested(")")
            parts.append("$()")
        elif text[self.at] == "`":
            end = text.find("`", self.at + 1)
            end = len(text) if end < 0 else end
            command.inner += _Parser(text[self.at + 1 : end].replace("\\", ""), self.depth + 1).parse()
            self.at = end + 1
            parts.append("$()")
        elif text.startswith("${", self.at):
            end = text.find("}", self.at)
            end = len(text) if end < 0 else end
            parts.append(text[self.at : end + 1])
            self.at = end + 1
        else:
            match = self._PLAIN.match(text, self.at)
            parts.append(match[0] if match else text[self.at])
            self.at = match.end() if match else self.at + 1
