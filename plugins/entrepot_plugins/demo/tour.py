"""The steps of the demonstration. Each is a command that is printed, then run as a person would run it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from entrepot.errors import EntrepotError, UsageError
from entrepot_plugins.demo.client import AptRoot, machine_sources, native_architecture
from entrepot_plugins.demo.upstream import DISTRIBUTION, build_packages

MARKER = ".entrepot-demo"


class DemoError(EntrepotError):
    """A step of the demonstration failed; what it printed says why."""

    title = "Demonstration failed"


class Tour:
    """One run in one folder. The folder has to be new, empty, or that of an earlier run, which is then removed."""

    def __init__(self, folder: Path, package: str, *, offline: bool) -> None:
        self.folder = folder
        self.package = package
        self.offline = offline
        self.home = folder / "workspace"
        self.tree = folder / "tree"

    def run(self) -> None:
        """All of it, from the empty folder to a client that has the package."""
        self._clear()
        self._title("A workspace: catalog, private store and a key to sign with")
        self._entrepot("init", "--generate-key")
        source = self._upstream()
        self._title(f"Search its catalog for {self.package}")
        self._entrepot("search", self.package, "--source", source, "--limit", "5")
        self._title("A repository with one distribution, published into a folder")
        self._entrepot("repo", "create", "demo", "--format", "apt", "--publish-to", str(self.tree))
        self._entrepot("dist", "create", "demo/stable", "--arch", native_architecture())
        self._title(f"Import {self.package} and what it needs: fetched, inspected, published")
        self._entrepot("import", source, self.package, "--with-dependencies", "--to", "demo/stable")
        self._client()
        self._next(source)

    def _clear(self) -> None:
        if self.folder.exists() and any(self.folder.iterdir()):
            if not (self.folder / MARKER).exists():
                raise UsageError(f"{self.folder} is not empty", hint="name a folder that does not exist yet")
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / MARKER).touch()

    # --------------------------------------------------------------------------------------------- the upstream

    def _upstream(self) -> str:
        """Adds and syncs a source and answers its name."""
        if not self.offline:
            for file in machine_sources():
                self._title("The upstream that apt of this machine is configured for")
                if source := self._try_source(file):
                    return source
            click.echo("\nNo configured upstream can be reached from here: a small one is built instead.")
        return self._build_upstream()

    def _try_source(self, file: Path) -> str | None:
        scope = ("--component", "main", "--arch", native_architecture())
        if self._entrepot("source", "add", "--from-apt", str(file), *scope, check=False):
            return None
        source = str(self._ask("source", "list")[0]["name"])
        self._title("Its index comes into the catalog: metadata only, checked against its signature")
        if self._entrepot("sync", source, check=False):
            return None
        return source

    def _build_upstream(self) -> str:
        self._title("An upstream of two small packages, published with the same program")
        upstream, tree = self.folder / "upstream-workspace", self.folder / "upstream"
        files = build_packages(self.folder / "packages", self.package)
        for arguments in (
            ("init", "--generate-key"),
            ("repo", "create", "upstream", "--format", "apt", "--publish-to", str(tree)),
            ("dist", "create", f"upstream/{DISTRIBUTION}", "--arch", native_architecture()),
            ("upload", *map(str, files), "--to", f"upstream/{DISTRIBUTION}"),
        ):
            self._entrepot(*arguments, home=upstream)
        self._title("Its index comes into the catalog: metadata only, checked against its signature")
        keyring = ("--keyring", str(tree / "upstream.asc"))
        self._entrepot("source", "add", "local", tree.as_uri(), "--format", "apt", "-d", DISTRIBUTION, *keyring)
        self._entrepot("sync", "local")
        return "local"

    # ------------------------------------------------------------------------------------------- client and end

    def _client(self) -> None:
        if not shutil.which("apt-get"):
            click.echo("\nThere is no apt-get on this machine, so no client is shown.")
            return
        self._title("A real apt-get, in a root of its own that knows nothing but this tree")
        root = AptRoot(self.folder / "client", (self.tree / "demo.sources").read_text(encoding="utf-8"))
        self._run(root.command("update"), root.environment)
        self._run(root.command("install", "--download-only", "--yes", self.package), root.environment)
        fetched = sorted(path.name for path in root.archives.glob("*.deb"))
        click.echo(f"\napt fetched and verified {len(fetched)} packages: {', '.join(fetched)}")

    def _next(self, source: str) -> None:
        home = shlex.quote(str(self.home))
        self._title("What to type next")
        click.echo(
            f"  export ENTREPOT_HOME={home}\n"
            f"  entrepot search editor\n"
            f"  entrepot import {source} PACKAGE --to demo/stable --dry-run\n"
            f"  entrepot sync {source}              # again: nothing changed, nothing fetched\n"
            f"  entrepot version list demo/stable\n"
            f"  cat {shlex.quote(str(self.tree / 'demo.sources'))}   # for /etc/apt/sources.list.d/ of a client"
        )

    # ------------------------------------------------------------------------------------------------ run things

    def _title(self, text: str) -> None:
        click.echo("\n" + click.style(f"## {text}", bold=True))

    def _entrepot(self, *arguments: str, home: Path | None = None, check: bool = True) -> int:
        click.echo(click.style(f"$ entrepot {shlex.join(arguments)}", bold=True))
        return self._start(self._program(home, *arguments), None, check=check)

    def _ask(self, *arguments: str) -> list[dict[str, object]]:
        output = subprocess.run(self._program(None, *arguments, "--json"), check=True, stdout=subprocess.PIPE).stdout
        rows = json.loads(output)
        assert isinstance(rows, list)
        return rows

    def _program(self, home: Path | None, *arguments: str) -> Sequence[str]:
        return [sys.executable, "-m", "entrepot", "--home", str(home or self.home), *arguments]

    def _run(self, command: Sequence[str], environment: dict[str, str]) -> None:
        click.echo(click.style(f"$ {shlex.join(command)}", bold=True))
        self._start(command, environment, check=True)

    def _start(self, command: Sequence[str], environment: dict[str, str] | None, *, check: bool) -> int:
        sys.stdout.flush()
        code = subprocess.run(command, check=False, env=environment).returncode
        if code and check:
            raise DemoError(f"the last step ended with exit code {code}", hint="what it printed says why")
        return code
