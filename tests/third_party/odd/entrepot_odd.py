"""A scanner that does to a package what the package's name says."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from entrepot.contracts import Artifact, ScanContext
from entrepot.hookspecs import hookimpl
from entrepot.models import Status, Verdict


class OddScanner:
    name = answers = "odd"
    version = "1"

    def scan(self, artifact: Artifact, context: ScanContext) -> Verdict:
        assert context.info
        act = getattr(self, context.info.name, None)
        if act:
            act()
        return Verdict(Status.PASS, "fine", evidence={"isolated": os.getsid(0) == os.getpid()})

    def hang(self) -> None:
        time.sleep(600)

    def segfault(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(600)

    def bomb(self) -> None:
        held = []
        while True:
            held.append(bytearray(16 << 20))

    def flood(self) -> None:
        while True:
            os.write(1, b"x" * 65536)

    def nonsense(self) -> None:
        for descriptor in os.listdir("/proc/self/fd"):
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:"):
                os.write(int(descriptor), (2).to_bytes(8, "big") + b"{}")
        time.sleep(600)

    def breed(self) -> None:
        """Starts processes that would outlive it, under a name that can be found."""
        for _ in range(3):
            subprocess.Popen(["sleep", f"599.{os.environ['ODD_MARK']}"], start_new_session=True)
        time.sleep(600)


@hookimpl
def register_scanners() -> list[OddScanner]:
    return [OddScanner()]
