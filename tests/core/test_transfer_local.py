"""Sources that are folders of this machine."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot.errors import DigestError, MissingError, TransferError
from support.transfers import opened


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "a tree"
    (folder / "dists").mkdir(parents=True)
    (folder / "dists" / "Release").write_bytes(b"Origin: disk\n")
    (folder / "dists" / "a+b~1%.deb").write_bytes(b"package")
    return folder


def test_a_file_is_fetched_by_its_url(tree: Path) -> None:
    url = (tree / "dists" / "a+b~1%.deb").as_uri()
    with opened() as transfer:
        fetched = transfer.get(url, limit=7)
    assert fetched is not None
    assert (fetched.url, fetched.content) == (url, b"package")


def test_localhost_is_this_machine(tree: Path) -> None:
    with opened() as transfer:
        assert transfer.get(tree.as_uri().replace("file://", "file://localhost") + "/dists/Release", limit=99)


def test_an_unchanged_file_is_none_and_a_changed_one_comes(tree: Path) -> None:
    path = tree / "dists" / "Release"
    with opened() as transfer:
        fetched = transfer.get(path.as_uri(), limit=99)
        assert fetched is not None
        assert transfer.get(path.as_uri(), limit=99, validators=fetched.validators) is None
        path.with_name("new").write_bytes(b"Origin: move\n")
        os.utime(path.with_name("new"), ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
        path.with_name("new").replace(path)
        assert transfer.get(path.as_uri(), limit=99, validators=fetched.validators) is not None


def test_a_file_is_copied_and_checked(tree: Path, tmp_path: Path) -> None:
    url = (tree / "dists" / "Release").as_uri()
    digest = hashlib.sha256(b"Origin: disk\n").hexdigest()
    counted: list[int] = []
    with opened() as transfer:
        transfer.download(url, tmp_path / "x", size=13, digests={"sha256": digest}, on_bytes=counted.append)
        with pytest.raises(DigestError):
            transfer.download(url, tmp_path / "y", size=13, digests={"sha256": "0" * 64})
    assert counted == [13]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a tree", "x"]


def test_a_large_file_is_refused(tree: Path) -> None:
    with opened() as transfer, pytest.raises(TransferError, match="too large"):
        transfer.get((tree / "dists" / "Release").as_uri(), limit=12)


@pytest.mark.parametrize("name", ["absent", "dists/Release/below"])
def test_a_file_that_is_not_there_is_missing(tree: Path, name: str) -> None:
    with opened() as transfer, pytest.raises(MissingError):
        transfer.get(f"{tree.as_uri()}/{name}", limit=9)


def test_a_folder_is_no_file(tree: Path) -> None:
    with opened() as transfer, pytest.raises(TransferError, match="not a regular file"):
        transfer.get(tree.as_uri(), limit=9)


@pytest.mark.parametrize("url", ["file:///dev/zero", "file:///dev/stdin"])
def test_a_device_is_no_file(url: str) -> None:
    with opened() as transfer, pytest.raises(TransferError):
        transfer.get(url, limit=9)


def test_a_pipe_and_a_socket_are_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener, opened() as transfer:
        listener.bind(str(tmp_path / "socket"))
        for name in ("pipe", "socket"):
            with pytest.raises(TransferError):
                transfer.get((tmp_path / name).as_uri(), limit=9)


@pytest.mark.parametrize(
    "tail",
    ["/../secret", "/dists/%2e%2e/../secret", "/%2E%2E/secret", "/..%2Fsecret", "/a%00b", "/dists/Release?x", "/x#y"],
)
def test_tricks_in_the_path_are_refused(tree: Path, tail: str) -> None:
    (tree.parent / "secret").write_bytes(b"secret")
    with opened() as transfer, pytest.raises(TransferError, match="does not name a local file"):
        transfer.get(tree.as_uri() + tail, limit=9)


@pytest.mark.parametrize("url", ["file://example.org/x", "file:relative", "file://user@localhost/x", "file:", "FILE:x"])
def test_what_is_no_local_file_is_refused(url: str) -> None:
    with opened() as transfer, pytest.raises(TransferError, match="does not name a local file"):
        transfer.get(url, limit=9)


def test_a_link_out_of_the_source_is_refused_and_one_within_it_followed(tree: Path) -> None:
    (tree.parent / "secret").write_bytes(b"secret")
    (tree / "out").symlink_to(tree.parent)
    (tree / "stable").symlink_to("dists")
    with opened(source_url=tree.as_uri()) as transfer:
        assert transfer.get(tree.as_uri() + "/stable/Release", limit=99) is not None
        with pytest.raises(TransferError, match="leads out"):
            transfer.get(tree.as_uri() + "/out/secret", limit=99)
        with pytest.raises(TransferError, match="leads out"):
            transfer.get("file:///etc/passwd", limit=99)


def test_local_files_can_be_switched_off(tree: Path) -> None:
    with opened(allow_file=False) as transfer, pytest.raises(TransferError, match="not read here"):
        transfer.get((tree / "dists" / "Release").as_uri(), limit=99)


def test_a_source_on_the_network_cannot_name_local_files(tree: Path) -> None:
    with (
        opened(source_url="http://repo.example.org/") as transfer,
        pytest.raises(TransferError, match="not read here"),
    ):
        transfer.get((tree / "dists" / "Release").as_uri(), limit=99)


def test_a_local_source_does_without_httpx(tree: Path) -> None:
    script = (
        "import sys\n"
        "from entrepot.models import Connection, Secrets\n"
        "from entrepot.transfer import open_transfer\n"
        "with open_transfer(Connection(), Secrets()) as transfer:\n"
        f"    transfer.get({(tree / 'dists' / 'Release').as_uri()!r}, limit=99)\n"
        "sys.exit('httpx' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
