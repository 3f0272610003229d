"""Real apt on the tree of a receiver, whose packages came in a bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.apt_client import AptClient
from support.apt_repository import Key
from support.bundles import receive, send
from support.debs import make_deb, make_source
from support.workspaces import Depot

pytestmark = pytest.mark.client


def test_apt_takes_from_the_receiver_what_the_sender_had(tmp_path: Path, keys: Callable[[], Key]) -> None:
    sender, receiver = Depot(tmp_path / "sender", keys()), Depot(tmp_path / "receiver", keys())
    sender.distribute()
    receiver.distribute("prod", architectures=("amd64", "source"))
    deb, source = make_deb(tmp_path), make_source(tmp_path)
    sender.upload(deb, *source)
    assert sender.key
    keyring = tmp_path / "keys.asc"
    keyring.write_bytes(sender.key.public)
    receive(receiver, send(sender, tmp_path / "bundle", chunk_size=1 << 16), keyring)
    lines = ("Types: deb deb-src", f"URIs: {receiver.tree.as_uri()}", "Suites: prod", "Components: main")
    client = AptClient(tmp_path / "apt", "\n".join((*lines, f"Signed-By: {receiver.tree / 'example.asc'}", "")))
    client.update()
    assert client.download("hello") == {deb.name: deb.read_bytes()}
    assert client.source("hello") == {path.name: path.read_bytes() for path in source}
    sender.close()
    receiver.close()
