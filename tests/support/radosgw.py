"""A real S3 service on this machine: Ceph's RADOS gateway over one in-memory OSD, shared by all who test at a time.

``service()`` starts it if nobody has, in about a second, and says where it is. It lives as long as any process that
asked for it: each holds a lock on a file, and the supervisor, which has the daemons as its children, ends them when it
gets that lock for itself. So it ends, too, when a test run is killed.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
ACCESS_KEY = "AKTEST"
SECRET_KEY = "SKTEST"
_TIMEOUT = 60.0

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv4 = true
auth cluster required = none
auth service required = none
auth client required = none
# The gateway's own default, secure, needs keys.
ms mon client mode = crc
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file =
setuser match path =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
# What is decided one by one is decided at once: a start takes one second instead of twelve.
paxos propose interval = 0.01
paxos min wait = 0.01
mon data avail crit = 1
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
rgw enable apis = s3
# What was replaced is let go of within seconds, not hours: a full OSD stops answering.
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw gc processor max time = 5
rgw dns name = localhost
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.admin]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {folder}/rgw
"""


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is."""

    url: str


def missing_programs() -> list[str]:
    """What has to be installed before the service can be started."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@cache
def service() -> Service:
    """The service, until this process ends."""
    # One for all processes of a user; short, because paths of Unix sockets have to be.
    base = Path(tempfile.gettempdir()) / f"entrepot-radosgw-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    # A bare descriptor, which the end of the process closes.
    users = os.open(base / "users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with (base / "gate").open("a+") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        # Waits while the supervisor of earlier users is clearing away.
        fcntl.flock(users, fcntl.LOCK_SH)
        if not (base / "state.json").exists():
            _start(base)
        return Service(json.loads((base / "state.json").read_text())["url"])


def _start(base: Path) -> None:
    with (base / "supervisor.log").open("w") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-I", __file__, str(base)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    _wait_for(lambda: (base / "state.json").exists() or supervisor.poll() is not None, "the gateway")
    if not (base / "state.json").exists():
        raise RuntimeError(f"the S3 service did not start: {(base / 'supervisor.log').read_text()[-2000:]}")
    # It is nobody's child to wait for: it outlives this process if others still need it.
    supervisor.returncode = 0


def supervise(base: Path) -> None:
    """Runs the daemons until nobody uses them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    state = base / "state.json"
    with tempfile.TemporaryDirectory(prefix="rgw", dir=base) as name, _daemons(Path(name)) as url:
        partial = base / "state.partial"
        partial.write_text(json.dumps({"url": url}))
        partial.rename(state)
        with (base / "users").open("a+") as users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX)
            finally:
                state.unlink()
            # Locked until here, so that the next user begins with nothing.


@contextmanager
def _daemons(folder: Path) -> Iterator[str]:
    mon_v2, mon_v1, port = _free_ports(3)
    fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
    configuration = folder / "c"
    configuration.write_text(_CONFIGURATION.format(folder=folder, fsid=fsid, mon_v2=mon_v2, mon_v1=mon_v1, port=port))
    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()

    def run(*command: str, text: str = "") -> None:
        program, *arguments = command
        subprocess.run(
            [program, "-c", str(configuration), *arguments], input=text, text=True, check=True, timeout=_TIMEOUT
        )

    running: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        program, *arguments = command
        running.append(subprocess.Popen([program, "-c", str(configuration), "-f", *arguments], start_new_session=True))

    monmap = str(folder / "monmap")
    addresses = f"[v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]"
    subprocess.run(["monmaptool", "--create", "--fsid", fsid, "--addv", "a", addresses, monmap], check=True)
    try:
        run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap)
        start("ceph-mon", "-i", "a")
        # One process for all commands: starting this program is most of what each takes.
        run("ceph", text=f"osd new {osd}\nosd crush add osd.0 1.0 root=default host=h\n")
        run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        start("ceph-osd", "-i", "0")
        user = ("--uid=u", "--display-name=u", f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")
        run("radosgw-admin", "user", "create", *user)
        start("radosgw", "-n", "client.admin")
        _wait_for(lambda: _answers(port), "the gateway")
        yield f"http://127.0.0.1:{port}"
    finally:
        # All they have is in memory, so there is nothing to be ended gently.
        for process in running:
            process.kill()
            process.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connection.recv(4) == b"HTTP"
    except OSError:
        return False


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _TIMEOUT
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come up in {_TIMEOUT:.0f} s")
        time.sleep(0.05)


if __name__ == "__main__":
    supervise(Path(sys.argv[1]))
