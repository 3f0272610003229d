"""The steps of the demonstration. Each is a command that is printed, then run as a person would run it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from entrepot.errors import EntrepotError, UsageError
from entrepot_plugins.demo.scenario import Scenario

MARKER = ".entrepot-demo"


class DemoError(EntrepotError):
    """A step of the demonstration failed; what it printed says why."""

    title = "Demonstration failed"


class Tour:
    """One run in one folder. The folder has to be new, empty, or that of an earlier run, which is then removed."""

    def __init__(self, scenario: Scenario, folder: Path, package: str, given: Path | None, *, offline: bool) -> None:
        self.scenario = scenario
        self.folder = folder
        self.package = package
        self.given = given
        self.offline = offline
        self.home = folder / "workspace"
        self.tree = folder / "tree"
        self.path = f"demo/{scenario.distribution}"

    def run(self) -> None:
        """All of it, from the empty folder to a client that has the package."""
        scenario = self.scenario
        self._clear()
        self._title("A workspace: catalog, private store and a key to sign with")
        self._entrepot("init", "--generate-key")
        source = self._upstream()
        self._title(f"Search its catalog for {self.package}")
        self._entrepot("search", self.package, "--source", source, "--limit", "5")
        self._title("A repository with one distribution, published into a folder")
        self._entrepot("repo", "create", "demo", "--format", scenario.format, "--publish-to", str(self.tree))
        self._entrepot("dist", "create", self.path, "--arch", scenario.architecture)
        self._title(f"Import {self.package} and what it needs: fetched, inspected, published")
        self._entrepot("import", source, self.package, "--with-dependencies", "--to", self.path)
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
            for arguments in self.scenario.machine_sources():
                self._title("The upstream that this machine is configured for")
                if source := self._try_source(arguments):
                    return source
            click.echo("\nNo configured upstream can be reached from here: a small one is built instead.")
        return self._build_upstream()

    def _try_source(self, arguments: Sequence[str]) -> str | None:
        if self._entrepot("source", "add", *arguments, check=False):
            return None
        source = str(self._ask("source", "list")[0]["name"])
        self._title("Its index comes into the catalog: metadata only, checked against its signature")
        return None if self._entrepot("sync", source, check=False) else source

    def _build_upstream(self) -> str:
        scenario = self.scenario
        self._title("An upstream of our own, published with the same program")
        upstream, tree = self.folder / "upstream-workspace", self.folder / "upstream"
        path = f"upstream/{scenario.distribution}"
        files = self._given_packages() or scenario.build_packages(self.folder / "packages", self.package)
        self._entrepot("init", "--generate-key", home=upstream)
        self._entrepot(
            "repo", "create", "upstream", "--format", scenario.format, "--publish-to", str(tree), home=upstream
        )
        self._entrepot("dist", "create", path, "--arch", scenario.architecture, home=upstream)
        self._entrepot("upload", *map(str, files), "--to", path, home=upstream)
        self._title("Its index comes into the catalog: metadata only, checked against its signature")
        self._entrepot("source", "add", *scenario.local_source(tree))
        self._entrepot("sync", "local")
        return "local"

    def _given_packages(self) -> Sequence[Path]:
        return sorted(path for path in self.given.iterdir() if path.is_file()) if self.given else []

    # ------------------------------------------------------------------------------------------- client and end

    def _client(self) -> None:
        scenario, folder = self.scenario, self.folder / "client"
        if not shutil.which(scenario.client):
            click.echo(f"\nThere is no {scenario.client} on this machine, so no client is shown.")
            return
        self._title(f"A real {scenario.client}, in a root of its own that knows nothing but this tree")
        for step in scenario.client_steps(folder, self.tree, self.package):
            click.echo(click.style(f"$ {shlex.join(step.command)}", bold=True))
            self._start(step.command, step.environment, check=True)
        fetched = scenario.fetched(folder)
        click.echo(f"\n{scenario.client} fetched and verified {len(fetched)} packages: {', '.join(fetched)}")

    def _next(self, source: str) -> None:
        home = shlex.quote(str(self.home))
        self._title("What to type next")
        click.echo(
            f"  export ENTREPOT_HOME={home}\n"
            f"  entrepot search editor\n"
            f"  entrepot import {source} PACKAGE --to {self.path} --dry-run\n"
            f"  entrepot sync {source}              # again: nothing changed, nothing fetched\n"
            f"  entrepot version list {self.path}\n"
            f"  cat {shlex.quote(str(self.scenario.client_file(self.tree)))}   # what clients are configured with"
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

    def _start(self, command: Sequence[str], environment: Mapping[str, str] | None, *, check: bool) -> int:
        sys.stdout.flush()
        code = subprocess.run(command, check=False, env=environment).returncode
        if code and check:
            raise DemoError(f"the last step ended with exit code {code}", hint="what it printed says why")
        return code
