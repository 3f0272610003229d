"""Other Python processes, for what threads cannot show: locks between processes, and what a kill leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def start_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Starts a Python that sees the same packages, with pipes for input and output; the caller ends it."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


@contextmanager
def killed_python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python that is killed (SIGKILL) at the end of the context, if it has not ended by itself."""
    child = start_python(code, *arguments)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def run_all(code: str, arguments: list[tuple[str, ...]]) -> list[str]:
    """Runs a process for each tuple, all at once; their outputs. Each says ``ready`` and waits for a line to begin."""
    children = [start_python(code, *each) for each in arguments]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        outputs = [child.communicate(timeout=60)[0] for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert [child.returncode for child in children] == [0] * len(children)
    return outputs
