"""The command itself."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("demo")
@click.argument("folder", default="entrepot-demo", type=click.Path(file_okay=False, path_type=Path))
@click.option("--format", "format_name", type=click.Choice(["apt", "rpm"]), default="apt", show_default=True)
@click.option("--package", default="hello", show_default=True, help="What to import, with its dependencies.")
@click.option(
    "--packages", "given", type=click.Path(exists=True, path_type=Path), help="Packages for the own upstream."
)
@click.option("--offline", is_flag=True, help="Do not look for a network; use an upstream that is built here.")
def demo(folder: Path, format_name: str, package: str, given: Path | None, offline: bool) -> None:
    """Show the main job: sync a real upstream, import a package, publish, and let a real client take it.

    For APT the upstream is the one that apt of this machine is configured for. Without it, and for RPM, a small one is
    built: of two tiny packages, or of those in a folder of your own (--packages). Everything happens in FOLDER; nothing
    else of the machine changes.
    """
    from entrepot_plugins.demo.apt import AptScenario
    from entrepot_plugins.demo.rpm import RpmScenario
    from entrepot_plugins.demo.tour import Tour

    scenario = AptScenario() if format_name == "apt" else RpmScenario()
    Tour(scenario, folder.absolute(), package, given, offline=offline or given is not None).run()
