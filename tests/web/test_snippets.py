"""Shell snippets of the documented API, run by a real shell with real curl and jq, as they stand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.models import Role
from entrepot.services import identity, repositories, sources, workspaces
from entrepot.workspace import Workspace
from support.apt_upstream import AptUpstream
from support.debs import make_deb
from support.rpms import make_rpm
from support.upstream import Upstream
from support.web import Server, served

BATCH = r"""
PACKAGES=(nginx curl libssl3 openssl)
SOURCE_ID=1
DIST=jammy

for pkg in "${PACKAGES[@]}"; do
  echo "Importing $pkg..."
  curl -sf -X POST -H "Authorization: Bearer $TOKEN" \
    -H "Content-Type: application/json" \
    http://localhost:8000/import/packages \
    -d "{
      \"source_id\": $SOURCE_ID,
      \"package\": \"$pkg\",
      \"distribution\": \"$DIST\"
    }"
  echo
done
"""
UPLOAD_DEB = r"""
TOKEN=$(curl -s -X POST -H "Authorization: Bearer $TOKEN" http://localhost:8000/auth/token | jq -r .access_token)
curl -X POST -H "Authorization: Bearer $TOKEN" \
  -F "file=@nginx_1.24.0-1_amd64.deb" \
  -F "distribution=jammy" \
  http://localhost:8000/upload/
"""
UPLOAD_RPM = r"""
TOKEN=$(curl -s -d username=kim -d "password=$PASSWORD" http://localhost:8000/auth/token | jq -r .access_token)
curl -X POST -H "Authorization: Bearer $TOKEN" \
  -F "file=@nginx-1.24.0-1.el9.ngx.x86_64.rpm" \
  -F "distribution=almalinux9" \
  http://localhost:8000/upload/
"""
SYNC = r"""
curl -sf -X POST \
  -H "Authorization: Bearer $REPOD_TOKEN" \
  http://localhost:8000/import/sources/1/sync >> repod-sync.log 2>&1
"""
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def depot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the source 1, the distributions ``jammy`` and ``almalinux9``, and a user."""
    for program in ("curl", "jq"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    folder = tmp_path_factory.mktemp("depot")
    upstream = AptUpstream(folder / "upstream")
    upstream.add(*(make_deb(folder, name, "1.24.0-1") for name in ("nginx", "curl", "libssl3", "openssl")))
    upstream.write()
    workspace = Workspace(folder / "home", actor="tester")
    workspaces.initialise(workspace)
    for name, format_name, distribution in (("apps", "apt", "jammy"), ("rpms", "rpm", "almalinux9")):
        repositories.create_repository(
            workspace, name, format_name=format_name, publish_to=str(folder / name), sign=False
        )
        repositories.create_distribution(workspace, f"{name}/{distribution}")
    identity.add_user(workspace, "kim", PASSWORD, Role.UPLOADER)
    with Upstream(root=upstream.root) as network:
        sources.add_source(workspace, upstream.draft(network.url))
        workspace.close()
        with served(folder / "home") as server:
            yield server


def shell(server: Server, folder: Path, text: str, role: str) -> subprocess.CompletedProcess[str]:
    """Runs a snippet; for its curl the server is where the snippet says that it is."""
    (folder / ".curlrc").write_text(f"connect-to = localhost:8000:{server.url.removeprefix('http://')}\n")
    variables = {"TOKEN": server.tokens[role], "REPOD_TOKEN": server.tokens[role], "PASSWORD": PASSWORD}
    environment = {**os.environ, **variables, "CURL_HOME": str(folder), "no_proxy": "*"}
    return subprocess.run(
        ["bash", "-e", "-c", text], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_a_sync_from_cron_leaves_its_events_in_a_log(depot: Server, tmp_path: Path) -> None:
    done = shell(depot, tmp_path, SYNC, "maintainer")
    assert done.returncode == 0, done.stderr
    lines = [line for line in (tmp_path / "repod-sync.log").read_text().splitlines() if line.startswith("data: ")]
    assert json.loads(lines[0].removeprefix("data: ")) == {
        "status": "syncing",
        "count": 0,
        "message": "Fetching index...",
    }
    last = json.loads(lines[-1].removeprefix("data: "))
    assert (last["status"], last["count"]) == ("done", 4)


def test_a_loop_imports_packages(depot: Server, tmp_path: Path) -> None:
    shell(depot, tmp_path, SYNC, "maintainer")
    done = shell(depot, tmp_path, BATCH, "uploader")
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [(row["status"], row["package"]) for row in results] == [
        ("published", name) for name in ("nginx", "curl", "libssl3", "openssl")
    ]
    assert results[0]["pipeline"]["gpg"] == "unsigned_pass"
    assert (results[0]["version"], results[0]["distribution"]) == ("1.24.0-1", "jammy")
    again = shell(depot, tmp_path, BATCH, "reader")
    assert again.returncode == 22, "curl -f tells a refusal by its exit code"


def test_a_deb_is_uploaded(depot: Server, tmp_path: Path) -> None:
    assert make_deb(tmp_path, "nginx", "1.24.0-1").name == "nginx_1.24.0-1_amd64.deb"
    done = shell(depot, tmp_path, UPLOAD_DEB, "uploader")
    assert json.loads(done.stdout)["status"] in ("published", "already_published"), done.stdout


def test_an_rpm_is_uploaded(depot: Server, tmp_path: Path) -> None:
    made = make_rpm(tmp_path, "nginx", "1.24.0", "1.el9.ngx", "x86_64")
    assert made.name == "nginx-1.24.0-1.el9.ngx.x86_64.rpm"
    done = shell(depot, tmp_path, UPLOAD_RPM, "uploader")
    result = json.loads(done.stdout)
    assert (result["status"], result["distribution"]) == ("published", "almalinux9"), result
