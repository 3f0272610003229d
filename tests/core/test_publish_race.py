"""Publishers as processes of their own, all at once: nothing is lost, the newest version is in place, nobody fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.services.operations import tasks
from support.apt_repository import Key
from support.children import run_all
from support.debs import make_deb
from support.gnupg import gnupg_home, make_key
from support.tree_checker import GpgvSignatures, packages_in
from support.workspaces import Depot

pytestmark = pytest.mark.client

PUBLISHER = """
import sys
from pathlib import Path
from entrepot.services.imports import upload
from entrepot.workspace import Workspace

workspace = Workspace(Path(sys.argv[1]))
workspace.catalog
print("ready", flush=True)
sys.stdin.readline()
for path in sys.argv[3:]:
    result = upload(workspace, [Path(path)], sys.argv[2])
    assert not result.failed, result.failed
    print(result.publication.status if result.publication else repr(result.publish_error))
workspace.close()
"""


@pytest.mark.parametrize(("publishers", "each"), [(2, 3), (5, 1)])
def test_publishers_at_once_lose_nothing_and_wait_for_each_other(tmp_path: Path, publishers: int, each: int) -> None:
    # Nobody keeps the agent of this key running: one that a publisher has started ends while others sign.
    with gnupg_home() as home:
        depot = Depot(tmp_path / "depot", Key(home, make_key(home, "Archive <archive@example.org>")))
        # Scanners would be started in processes of their own, for every package of every publisher.
        depot.configure("[inspection]", 'skip = ["clamav", "contents", "dependencies", "osv"]', wait=60)
        depot.distribute()
        depot.distribute("testing")
        names = [[f"package-{number}-{turn}" for turn in range(each)] for number in range(publishers)]
        arguments = []
        for number, own in enumerate(names):
            paths = [str(make_deb(tmp_path, name)) for name in own]
            # Half of them publish another distribution of the same tree.
            arguments.append((str(depot.home), f"example/{'testing' if number % 4 == 1 else 'stable'}", *paths))
        depot.close()
        outputs = run_all(PUBLISHER, arguments)
        # Who comes late may find that another one has published its package, too.
        assert {line for output in outputs for line in output.splitlines()} <= {"published", "unchanged"}
        keyring = tmp_path / "archive.gpg"
        keyring.write_bytes(depot.key.public if depot.key else b"")
        for distribution in ("stable", "testing"):
            wanted = {
                f"main:{name}:amd64=1.0-1"
                for own, (_, path, *_rest) in zip(names, arguments, strict=True)
                for name in own
                if path == f"example/{distribution}"
            }
            assert packages_in(depot.tree, distribution, GpgvSignatures(keyring)) == wanted
        assert {task["state"] for task in tasks(depot.workspace, 100)} == {"completed"}
        depot.close()
