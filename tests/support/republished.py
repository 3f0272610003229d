"""Trees that are published again and again, by a process of their own, while clients read them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.children import killed_python

SECONDS = float(os.environ.get("ENTREPOT_LOOP_SECONDS", "1.5"))
"""How long clients read: dozens of updates where nothing else has to be done. More for who looks for more."""
LEAST = 3
"""How often every client reads, however slow the machine is."""
PATIENCE = 60.0
"""Seconds more in which clients have to see enough on such a machine."""

_PUBLISHER = """
import itertools, sys
from pathlib import Path
from entrepot.services.publishing import PublishRequest, publish
from entrepot.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
versions = list(map(int, sys.argv[3:]))
for turn in itertools.count():
    publish(workspace, sys.argv[2], request=PublishRequest(versions[turn % len(versions)], force=True))
    print(turn, flush=True)
"""


@contextmanager
def republished(home: Path, distribution: str, versions: Sequence[int]) -> Iterator[subprocess.Popen[str]]:
    """Publishes versions in turn, as fast as it can, until it is killed at the end of the context."""
    with killed_python(_PUBLISHER, str(home), distribution, *map(str, versions)) as publisher:
        assert publisher.stdout
        assert publisher.stdout.readline() == "0\n"
        yield publisher
        assert publisher.poll() is None, "the publisher has failed"


@dataclass
class Reading:
    """What clients did: how often each of them read, and what went wrong."""

    reads: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def read_for(
    seconds: float, readers: Sequence[Callable[[], object]], enough: Callable[[], bool] = lambda: True
) -> Reading:
    """Lets every reader read over and over, all at once; the first failure of one ends it.

    Each reads some times at the least, and until what they saw is ``enough``.
    """
    end = time.monotonic() + seconds
    reading = Reading()

    def work(read: Callable[[], object]) -> int:
        count = 0
        while count < LEAST or time.monotonic() < end or (not enough() and time.monotonic() < end + PATIENCE):
            try:
                read()
            except AssertionError as error:
                reading.failures.append(str(error))
                break
            count += 1
        return count

    with ThreadPoolExecutor(len(readers)) as pool:
        reading.reads = list(pool.map(work, readers))
    return reading
