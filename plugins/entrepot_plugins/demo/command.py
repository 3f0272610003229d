"""The command itself."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("demo")
@click.argument("folder", default="entrepot-demo", type=click.Path(file_okay=False, path_type=Path))
@click.option("--package", default="hello", show_default=True, help="What to import, with its dependencies.")
@click.option("--offline", is_flag=True, help="Do not look for a network; use an upstream that is built here.")
def demo(folder: Path, package: str, offline: bool) -> None:
    """Show the main job: sync a real upstream, import a package, publish, and let a real client take it.

    The upstream is the one that apt of this machine is configured for. Everything happens in FOLDER; nothing else of
    the machine changes.
    """
    from entrepot_plugins.demo.tour import Tour

    Tour(folder.absolute(), package, offline=offline).run()
