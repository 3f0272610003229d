"""Scanners that misbehave, each in its way, and a plugin that registers what it is given.

::

    box = ToyBox(tmp_path, plugins=[scanners_plugin(Odd("odd", hang))])
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from entrepot.contracts import Artifact, ScanContext, Scanner
from entrepot.hookspecs import hookimpl
from entrepot.isolation.messages import HEAD
from entrepot.models import Status, Verdict

Scan = Callable[[Artifact, ScanContext], Any]
FINE = Verdict(Status.PASS, "fine")


class Odd:
    """A scanner of a name that does what a function does."""

    version = "1"
    isolated = True

    def __init__(self, name: str, scan: Scan) -> None:
        self.name = self.answers = name
        self._scan = scan

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        verdict: Verdict = self._scan(artifact, context)
        return verdict


class _Plugin:
    def __init__(self, scanners: Iterable[Scanner]) -> None:
        self._scanners = scanners

    @hookimpl
    def register_scanners(self) -> Iterable[Scanner]:
        return self._scanners


def scanners_plugin(*scanners: Scanner, name: str = "odd") -> tuple[str, object]:
    """A plugin that registers these scanners."""
    return name, _Plugin(scanners)


def fine(artifact: Artifact, context: ScanContext) -> Verdict:
    """What a scanner should do."""
    return FINE


def for_ever() -> NoReturn:
    """Waits until somebody ends the process; at worst for ten minutes, so that a failing test leaves nothing."""
    time.sleep(600)
    os._exit(0)


def hang(artifact: Artifact, context: ScanContext) -> Verdict:
    for_ever()


def hang_deaf(artifact: Artifact, context: ScanContext) -> Verdict:
    """Hangs and lets no signal disturb it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    for_ever()


def segfault(artifact: Artifact, context: ScanContext) -> Verdict:
    os.kill(os.getpid(), signal.SIGSEGV)
    for_ever()


def null_pointer(artifact: Artifact, context: ScanContext) -> Verdict:
    ctypes.string_at(0)
    return FINE


def leave(artifact: Artifact, context: ScanContext) -> Verdict:
    os._exit(0)


def leave_politely(artifact: Artifact, context: ScanContext) -> Verdict:
    sys.exit("I do not like it here")


def killed(artifact: Artifact, context: ScanContext) -> Verdict:
    os.kill(os.getpid(), signal.SIGKILL)
    for_ever()


def eat_memory(artifact: Artifact, context: ScanContext) -> Verdict:
    held = []
    while True:
        held.append(bytearray(16 << 20))


def map_memory(artifact: Artifact, context: ScanContext) -> Verdict:
    """Asks for more than there may be at once, as a decompressor that believes a header does."""
    with mmap.mmap(-1, 1 << 42):
        return FINE


def flood_output(artifact: Artifact, context: ScanContext) -> Verdict:
    while True:
        sys.stdout.write("\x1b[31mall work and no play\n" * 1000)


def flood_errors(artifact: Artifact, context: ScanContext) -> Verdict:
    while True:
        os.write(2, b"x" * 65536)


def flood_through_child(artifact: Artifact, context: ScanContext) -> Verdict:
    subprocess.run(["yes"], check=False)
    return FINE


def long_answer(artifact: Artifact, context: ScanContext) -> Verdict:
    return Verdict(Status.PASS, "fine", "x" * (8 << 20))


def chat(artifact: Artifact, context: ScanContext) -> Verdict:
    """Talks a little, which is no fault."""
    sys.stdout.write("looking at it \x1b[31m\n")
    sys.stderr.write("still looking\n")
    return FINE


def fill_descriptors(artifact: Artifact, context: ScanContext) -> Verdict:
    held = [os.open(os.devnull, os.O_RDONLY)]
    while True:
        held.append(os.dup(held[0]))


def channel() -> socket.socket:
    """The connection on which a worker answers, as code that took it over would find it."""
    for text in os.listdir("/proc/self/fd"):
        if int(text) > 2 and os.readlink(f"/proc/self/fd/{text}").startswith("socket:"):
            return socket.socket(fileno=os.dup(int(text)))
    raise AssertionError("there is no connection")


def say(data: bytes) -> Scan:
    """A scanner that answers these bytes in a frame, past everything that would check them."""
    return say_raw(HEAD.pack(len(data)) + data)


def say_raw(data: bytes) -> Scan:
    """A scanner that writes these bytes where its answer is expected, then waits."""

    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        channel().sendall(data)
        for_ever()

    return scan


def say_verdict(**changes: Any) -> Scan:
    """A scanner that answers a verdict with fields that are changed; ``...`` takes one out."""
    names = ("reason", "message", "tool", "tool_version", "database_version")
    verdict: dict[str, Any] = {"status": "pass", **dict.fromkeys(names, ""), "findings": [], "evidence": {}} | changes
    document = {"verdict": {name: value for name, value in verdict.items() if value is not ...}}
    return say(json.dumps(document).encode())


def close_connection(artifact: Artifact, context: ScanContext) -> Verdict:
    channel().shutdown(socket.SHUT_RDWR)
    for_ever()


def with_children(pids: Path, then: Scan, *, escaped: bool = True) -> Scan:
    """A scanner that starts processes, among them (``escaped``) one that leaves its session and its parent."""

    def scan(artifact: Artifact, context: ScanContext) -> Verdict:
        child = subprocess.Popen(["sleep", "600"])
        started = [child.pid]
        if escaped:
            read, write = os.pipe()
            if os.fork() == 0:
                os.setsid()
                grandchild = os.fork()
                if grandchild:
                    os.write(write, str(grandchild).encode())
                    os._exit(0)
                for_ever()
            started.append(int(os.read(read, 32)))
        with pids.open("a") as file:
            file.write("".join(f"{pid}\n" for pid in (os.getpid(), *started)))
        verdict: Verdict = then(artifact, context)
        return verdict

    return scan
