"""``python -m entrepot``."""

from entrepot.cli import main

main(prog_name="entrepot")
