"""Packs Entrepôt with what it needs into a zip for a function: ``python3 deploy/function_zip.py function.zip``.

Packages are those for Linux and the Python that functions have, whatever this machine is. The same versions give the
same bytes: entries are sorted, and have no time of their own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GLIBC = (17, 24, 28, 31, 34)
"""Releases (2.x) that the system of functions with Python 3.12 and later runs the wheels of."""
UNZIPPED = 250 << 20
"""Bytes that a function may have, unpacked."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zip", type=Path)
    parser.add_argument("--python", default="3.12", help="version of Python that the function has")
    parser.add_argument("--machine", default="x86_64", choices=["x86_64", "aarch64"])
    parser.add_argument("--extras", default="rpm,s3", help="extras of Entrepôt that are packed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wheels, folder = Path(scratch, "wheels"), Path(scratch, "function")
        pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(ROOT))
        (wheel,) = wheels.iterdir()
        platforms = [f"--platform=manylinux_2_{minor}_{options.machine}" for minor in GLIBC]
        python = f"--python-version={options.python}"
        chosen = [*platforms, python, "--implementation=cp", "--only-binary=:all:", "--no-compile"]
        pip("install", f"--target={folder}", *chosen, f"{wheel}[{options.extras}]")
        size = pack(folder, options.zip)
    sys.stdout.write(f"{options.zip}: {options.zip.stat().st_size >> 20} MiB, {size >> 20} MiB unpacked\n")
    if size > UNZIPPED:
        sys.exit(f"a function may have {UNZIPPED >> 20} MiB: leave extras out, or make a container of it")


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True)


def pack(folder: Path, target: Path) -> int:
    """Zips a folder; answers its size."""
    size = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                entry.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
                size += path.stat().st_size
    return size


if __name__ == "__main__":
    main()
