"""The commands of the README are run as they stand, on a source that is built here."""

from __future__ import annotations

from pathlib import Path

from entrepot_plugins.demo.apt import native_architecture
from support.debs import make_deb
from support.documents import blocks, calls
from support.program import Program


def test_every_command_of_the_readme_works_in_its_order(tmp_path: Path) -> None:
    architecture = native_architecture()
    upstream, program = Program(tmp_path / "upstream"), Program(tmp_path / "home")
    upstream("init", "--generate-key")
    upstream("repo", "create", "debian", "--format", "apt", "--publish-to", tmp_path / "debian")
    upstream("dist", "create", "debian/bookworm", "--arch", architecture)
    packages = [
        make_deb(tmp_path, name="nginx", version="1.24-1", arch="all", depends="nginx-common"),
        make_deb(tmp_path, name="nginx-common", version="1.24-1", arch="all"),
    ]
    upstream("upload", *packages, "--to", "bookworm")

    places = {
        "/etc/apt/sources.list.d/debian.sources": str(tmp_path / "debian" / "debian.sources"),
        "/srv/www/apps": str(tmp_path / "apps"),
        "--arch amd64": f"--arch {architecture}",
    }
    (block,) = (block for language, block in blocks("README.md") if language == "sh")
    for words, code in calls(block, places):
        assert words[0] == "entrepot"
        program(*words[1:], code=code)
    assert (tmp_path / "apps" / "dists" / "jammy" / "InRelease").exists()
    assert "https://packages.example.org/apps" in (tmp_path / "apps" / "apps.sources").read_text(encoding="utf-8")
