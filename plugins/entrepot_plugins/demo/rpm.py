"""The demonstration for RPM: an upstream of our own, and a real dnf as the client."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

from entrepot_plugins.demo.scenario import Step
from entrepot_plugins.rpm.library import library

RELEASE = "9"


class RpmScenario:
    """See ``scenario.Scenario``."""

    format = "rpm"
    client = "dnf"

    def __init__(self) -> None:
        self.architecture = platform.machine()
        self.distribution = f"el{RELEASE}/{self.architecture}"

    def machine_sources(self) -> Iterator[Sequence[str]]:
        yield from ()

    def build_packages(self, folder: Path, name: str) -> Sequence[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        data = _build(folder, f"{name}-data", "text that a greeting is made of", f"/usr/share/{name}/greeting", [])
        return [data, _build(folder, name, "a friendly greeting", f"/usr/share/doc/{name}/README", [f"{name}-data"])]

    def local_source(self, tree: Path) -> Sequence[str]:
        keyring = ("--keyring", str(tree / "upstream.asc"))
        return ("local", (tree / self.distribution).as_uri(), "--format", "rpm", "--repo-gpgcheck", *keyring)

    def client_steps(self, folder: Path, tree: Path, package: str) -> Iterator[Step]:
        """In a root in which nothing is installed, with databases, caches and configuration of its own."""
        places = {name: folder / name for name in ("reposdir", "varsdir", "cachedir", "persistdir", "logdir")}
        for place in (*places.values(), folder / "root", folder / "home", folder / "packages"):
            place.mkdir(parents=True)
        text = self.client_file(tree).read_text(encoding="utf-8")
        (places["reposdir"] / "demo.repo").write_text(text, encoding="utf-8")
        configuration = folder / "dnf.conf"
        # A repository that cannot be used is passed over by default.
        configuration.write_text("[main]\nskip_if_unavailable=0\nplugins=0\n", encoding="utf-8")
        command = [
            "dnf",
            "--assumeyes",
            f"--config={configuration}",
            f"--installroot={folder / 'root'}",
            f"--releasever={RELEASE}",
            f"--forcearch={self.architecture}",
            *(f"--setopt={name}={place}" for name, place in places.items()),
            f"--setopt=module_platform_id=platform:el{RELEASE}",
        ]
        environment = {**os.environ, "HOME": str(folder / "home")}
        yield Step([*command, "makecache"], environment)
        yield Step(
            [*command, "install", "--downloadonly", f"--downloaddir={folder / 'packages'}", package], environment
        )

    def fetched(self, folder: Path) -> Sequence[str]:
        return sorted(path.name for path in (folder / "packages").glob("*.rpm"))

    def client_file(self, tree: Path) -> Path:
        return tree / "demo.repo"


def _build(folder: Path, name: str, summary: str, file: str, requires: Sequence[str]) -> Path:
    """A package for every architecture with one file."""
    rpm_rs = library("rpm_rs")
    builder = rpm_rs.PackageBuilder(name, "1.0", "Apache-2.0", "noarch", summary)
    builder.using_config(rpm_rs.BuildConfig(format=rpm_rs.RpmFormat.V4, compression=rpm_rs.CompressionType.Gzip))
    builder.release("1")
    builder.description("This package was built by the demonstration of Entrepôt. It holds one text.")
    builder.with_file_contents(b"Hello from the port.\n", rpm_rs.FileOptions.new(file))
    for requirement in requires:
        builder.requires(requirement)
    path = folder / f"{name}-1.0-1.noarch.rpm"
    builder.build().write_file(str(path))
    return path
