"""The programs that are measured beside: aptly and reprepro, each with a folder and configuration of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.measure import Command
from entrepot.models import SourceDraft
from entrepot.services.repositories import create_distribution, create_repository
from entrepot.services.sources import add_source
from entrepot.services.workspaces import initialise
from entrepot.workspace import Workspace


def program(name: str) -> str:
    """The path of a program; the bench is skipped where it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    return path


class _Program:
    """A program that is run in a folder, with a GnuPG home."""

    def __init__(self, path: str, folder: Path, gnupg: Path, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self._start = (path, *options)
        # No more than this: the loopback address must not go through a proxy that this machine has configured.
        keep = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "LC_ALL") if name in os.environ}
        self.environment = {**keep, "HOME": str(folder), "GNUPGHOME": str(gnupg)}
        folder.mkdir(parents=True, exist_ok=True)

    def command(self, *arguments: object) -> Command:
        """A call of the program, to be measured."""
        return Command([*self._start, *map(str, arguments)], self.environment, self.folder)

    def run(self, *arguments: object) -> str:
        """A call that is not measured; what it printed."""
        call = self.command(*arguments)
        done = subprocess.run(call.arguments, env=call.environment, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
        return done.stdout


class Entrepot(_Program):
    """Our own command line, on a new workspace below ``folder`` that signs with the key of ``gnupg``."""

    def __init__(self, folder: Path, gnupg: Path) -> None:
        self.home, self.gnupg = folder / "home", gnupg
        options = ("-m", "entrepot", "--quiet", "--home", str(self.home))
        super().__init__(sys.executable, folder, gnupg, options)
        self.home.mkdir()
        (self.home / "entrepot.toml").write_text(f'[signers.gpg]\nhome = "{gnupg}"\n')
        with self.opened() as workspace:
            initialise(workspace)

    @contextmanager
    def opened(self) -> Iterator[Workspace]:
        """The workspace, for what prepares a measurement."""
        workspace = Workspace(self.home)
        yield workspace
        workspace.close()

    def skip(self, scanners: Sequence[str]) -> None:
        """Leaves these scanners out."""
        with (self.home / "entrepot.toml").open("a") as file:
            file.write(f"\n[inspection]\nskip = {json.dumps(list(scanners))}\n")

    def follow(self, url: str, keyring: Path) -> None:
        """Adds the source ``upstream``."""
        draft = SourceDraft(
            name="upstream",
            format="apt",
            url=url,
            distributions=("stable",),
            architectures=("amd64",),
            keyring=keyring.read_bytes(),
        )
        with self.opened() as workspace:
            add_source(workspace, draft)

    def distribute(self, *names: str) -> None:
        """Makes the repository ``example`` with distributions that are published to ``folder/tree``."""
        with self.opened() as workspace:
            create_repository(workspace, "example", format_name="apt", publish_to=str(self.folder / "tree"))
            for name in names:
                create_distribution(workspace, f"example/{name}", architectures=["amd64"])

    def publish_to(self, folder: Path) -> None:
        """Sends the repository elsewhere, where the packages of its versions count as being in place, too."""
        with self.opened() as workspace, workspace.catalog.transaction():
            workspace.catalog.database.conn.execute("UPDATE targets SET url = ?", [folder.as_uri()])


class Aptly(_Program):
    """aptly with its database and published trees below ``folder``."""

    def __init__(self, folder: Path, gnupg: Path) -> None:
        configuration = folder / "aptly.conf"
        super().__init__(program("aptly"), folder, gnupg, (f"-config={configuration}",))
        self.root = folder / "root"
        configuration.write_text(json.dumps({"rootDir": str(self.root), "gpgProvider": "gpg"}))

    def mirror(self, name: str, url: str, keyring: Path, *, chosen: str = "") -> Command:
        """Makes a mirror of the packages that match a query; answers the command that updates it."""
        options = (f"-keyring={keyring}", "-architectures=amd64", *([f"-filter={chosen}"] if chosen else []))
        self.run("mirror", "create", *options, name, url, "stable", "main")
        return self.command("mirror", "update", f"-keyring={keyring}", name)

    def hold(self, file: Path) -> None:
        """Puts a file where aptly would have downloaded it to."""
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        place = self.root / "pool" / digest[:2] / digest[2:4] / f"{digest[4:32]}_{file.name}"
        place.parent.mkdir(parents=True)
        shutil.copy(file, place)


class Reprepro(_Program):
    """reprepro with one distribution, ``stable``, that is not signed."""

    def __init__(self, folder: Path, gnupg: Path) -> None:
        super().__init__(program("reprepro"), folder, gnupg, ("-b", str(folder), "--silent", "--silent"))
        (folder / "conf").mkdir()
        (folder / "conf/distributions").write_text(
            "Codename: stable\nSuite: stable\nArchitectures: amd64\nComponents: main\n"
        )
