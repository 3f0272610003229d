"""What is said over one connection to a worker: requests, its answers, what it asks meanwhile, and what it prints."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from entrepot.isolation.messages import (
    HEAD,
    QUESTION,
    Answer,
    BadAnswerError,
    Failure,
    FloodError,
    Request,
    decode,
    pack,
)

NOISE = 2000
"""Bytes of what a scanner writes to standard output and error that are kept, the first ones."""
CHUNK = 1 << 16


@dataclass(slots=True)
class Worker:
    """A process that serves one scanner, as the command sees it."""

    scanner: str
    pid: int
    ended: int
    """A descriptor that becomes readable when the process is over."""
    channel: socket.socket
    output: int
    served: int = 0

    def is_over(self, milliseconds: int = 0) -> bool:
        """Whether the process is over, or will be in this time."""
        poll = select.poll()
        poll.register(self.ended, select.POLLIN)
        return len(poll.poll(milliseconds)) > 0

    def close(self) -> None:
        """Closes everything that leads to it."""
        self.channel.close()
        os.close(self.output)
        os.close(self.ended)


@dataclass(frozen=True, slots=True)
class Errand:
    """A request, and who answers what the scanner asks in the meantime."""

    request: Request
    clerk: Callable[[bytes], bytes]


class EndedError(Exception):
    """The worker's end of the connection is closed."""


@dataclass(slots=True)
class Exchange:
    """Some requests to one worker and their answers, which come in the same order.

    All are sent at once, so that nobody waits for anybody between two of them. Reads what comes, in the order in which
    it comes, and writes what is taken. ``answers`` are those so far; the worker is at the first that is missing.
    """

    worker: Worker
    errands: Sequence[Errand]
    timeout: float
    """Seconds for each."""
    limit: int
    """Bytes of each answer, of each question, and of everything else that is written."""
    answers: list[Answer] = field(default_factory=list)
    written: int = 0
    """Bytes of everything else."""
    _noise: bytearray = field(default_factory=bytearray)
    _said: bytearray = field(default_factory=bytearray)
    _unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    _replying: bool = False
    """Whether what is unsent ends with the reply to a question."""
    _closed: bool = False

    @property
    def output(self) -> str:
        """The first of what was written besides the answers, printable."""
        text = self._noise[:NOISE].decode("utf-8", "backslashreplace").strip()
        return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)

    def run(self) -> None:
        """Fills ``answers``, up to the first that is a failure.

        ``TimeoutError``, ``EndedError``, ``FloodError`` or ``BadAnswerError`` if there is none for the next request.
        """
        channel, output = self.worker.channel, self.worker.output
        self._unsent = memoryview(pack([errand.request for errand in self.errands]))
        poll, writes = select.poll(), False
        poll.register(channel, select.POLLIN)
        poll.register(output, select.POLLIN)
        poll.register(self.worker.ended, select.POLLIN)
        self._send()
        deadline = time.monotonic() + self.timeout
        while not self._is_done():
            if writes != bool(self._unsent):
                writes = not writes
                poll.modify(channel, select.POLLIN | select.POLLOUT if writes else select.POLLIN)
            left = deadline - time.monotonic()
            ready = dict(poll.poll(max(left, 0) * 1000)) if left > 0 else {}
            if not ready:
                raise TimeoutError
            if output in ready and not self._listen():
                poll.unregister(output)
            if ready.get(channel.fileno(), 0) & select.POLLOUT:
                self._send()
            # What was said before the end comes first: the end is looked at when nothing more can be read.
            if ready.get(channel.fileno(), 0) & ~select.POLLOUT:
                self._receive()
            elif self.worker.ended in ready:
                self._closed = True
            if self._take():
                deadline = time.monotonic() + self.timeout
            if self._closed and not self._is_done():
                raise EndedError
        self._listen()

    def _is_done(self) -> bool:
        return len(self.answers) == len(self.errands) or (bool(self.answers) and isinstance(self.answers[-1], Failure))

    def _take(self) -> bool:
        """Takes every answer and question that is here as a whole; whether there was an answer."""
        before = len(self.answers)
        while not self._is_done() and (frame := self._frame()):
            asks, body = frame
            errand = self.errands[len(self.answers)]
            if asks:
                if self._replying or self._said:
                    raise BadAnswerError("it goes on after its end")
                self._reply(errand.clerk(body))
            elif self._said and len(self.answers) == len(self.errands) - 1:
                raise BadAnswerError("it goes on after its end")
            else:
                self.answers.append(decode(body, errand.request.question))
        return len(self.answers) > before

    def _frame(self) -> tuple[bool, bytes] | None:
        """Whether it is a question, and what it says; None if it is not all here."""
        said = self._said
        if len(said) < HEAD.size:
            return None
        head = HEAD.unpack_from(said)[0]
        length = head & ~QUESTION
        if length > self.limit:
            raise FloodError(f"its answer has {length} bytes; {self.limit >> 10} KiB are allowed")
        end = HEAD.size + length
        if len(said) < end:
            return None
        body = bytes(said[HEAD.size : end])
        del said[:end]
        return bool(head & QUESTION), body

    def _reply(self, answer: bytes) -> None:
        # What is unsent are requests, which come first; the worker keeps them until it is there.
        self._unsent = memoryview(bytes(self._unsent) + HEAD.pack(len(answer) | QUESTION) + answer)
        self._replying = True
        self._send()

    def _send(self) -> None:
        try:
            sent = self.worker.channel.send(self._unsent[: 1 << 20])
        except BlockingIOError:
            return
        except OSError:
            self._closed = True
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._replying = False

    def _receive(self) -> None:
        try:
            data = self.worker.channel.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._closed = not data
        self._said += data

    def _listen(self) -> bool:
        """Takes what was written besides; whether there can be more of it."""
        try:
            data = os.read(self.worker.output, CHUNK)
        except BlockingIOError:
            return True
        self._noise += data[: max(NOISE - len(self._noise), 0)]
        self.written += len(data)
        if self.written > self.limit:
            raise FloodError(f"it wrote more than {self.limit >> 10} KiB to its output")
        return bool(data)
