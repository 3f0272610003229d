"""What a real clamd finds inside packages, and how what it says becomes a verdict."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.models import Status, Verdict
from entrepot_plugins.rpm.format import RpmFormat
from entrepot_plugins.scanners.clamav import ClamavScanner
from entrepot_plugins.scanners.clamav.clamd import Clamd
from entrepot_plugins.scanners.clamav.engine import ClamavError, Piece, Tally
from support.clamd import MARKER, SIGNATURE, RealClamd
from support.debs import make_deb, make_source
from support.rpms import make_rpm, make_srpm
from support.scans import scan_of

pytestmark = pytest.mark.client
CLEAN = {"usr/bin/hello": b"hello", "usr/share/doc/README": b"text " * 100, "usr/lib/big": bytes(600_000)}


def scan(path: Path, clamd: RealClamd, **settings: Any) -> Verdict:
    """The verdict about a package."""
    package_format = RpmFormat() if path.suffix == ".rpm" else None
    artifact, context = scan_of(path, package_format=package_format, uploaded=True)
    return ClamavScanner().scan(artifact, replace(context, settings={"socket": str(clamd.socket), **settings}))


def places(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(finding.id, finding.severity, finding.where) for finding in verdict.findings]


@pytest.mark.parametrize("compression", ["", "gz", "xz", "zst", "bz2", "lzma"])
def test_a_marker_in_a_deb_of_every_compression_is_found_and_its_file_named(
    tmp_path: Path, clamd: RealClamd, compression: str
) -> None:
    files = {**CLEAN, "usr/bin/evil": b"x" * 700 + MARKER, "usr/bin/other": b"y"}
    verdict = scan(make_deb(tmp_path, files=files, compression=compression), clamd)
    assert (verdict.status, verdict.reason) == (Status.BLOCK, "infected")
    named = [place for place in places(verdict) if place[2] == "/usr/bin/evil"]
    assert named == [(SIGNATURE, "critical", "/usr/bin/evil")]
    # Without compression the marker shows in the package's own file, too.
    assert len(verdict.findings) == (2 if not compression else 1)


@pytest.mark.parametrize("compression", ["", "gzip", "xz", "zstd", "bzip2", "lzma"])
def test_a_marker_in_an_rpm_of_every_compression_is_found_and_its_file_named(
    tmp_path: Path, clamd: RealClamd, compression: str
) -> None:
    files = {"/usr/bin/hello": b"hello", "/usr/bin/evil": bytes(500_000) + MARKER}
    verdict = scan(make_rpm(tmp_path, files=files, compression=compression), clamd)
    assert (verdict.status, verdict.reason) == (Status.BLOCK, "infected")
    assert (SIGNATURE, "critical", "/usr/bin/evil") in places(verdict)


@pytest.mark.parametrize("compression", ["", "gz", "xz", "zst", "bz2", "lzma"])
def test_a_clean_deb_is_clean(tmp_path: Path, clamd: RealClamd, compression: str) -> None:
    verdict = scan(make_deb(tmp_path, files=CLEAN, compression=compression), clamd)
    assert (verdict.status, verdict.reason, verdict.findings) == (Status.PASS, "clean", ())
    assert verdict.tool == "clamd"
    assert verdict.tool_version[0].isdigit()
    assert verdict.evidence["reached"] == str(clamd.socket)
    # The package itself, its control file and three files, of which the small ones together.
    assert verdict.evidence["files"] == 5
    assert verdict.evidence["requests"] == (2 if compression else 3)


@pytest.mark.parametrize("compression", ["", "gzip", "xz", "zstd", "bzip2", "lzma"])
def test_a_clean_rpm_is_clean(tmp_path: Path, clamd: RealClamd, compression: str) -> None:
    verdict = scan(make_rpm(tmp_path, compression=compression, scriptlets={"post": "true"}), clamd)
    assert (verdict.status, verdict.reason, verdict.findings) == (Status.PASS, "clean", ())


def test_a_marker_in_a_maintainer_script_is_found(tmp_path: Path, clamd: RealClamd) -> None:
    verdict = scan(make_deb(tmp_path, files=CLEAN, scripts={"postinst": b"#!/bin/sh\n# " + MARKER}), clamd)
    assert places(verdict) == [(SIGNATURE, "critical", "script: postinst")]


def test_a_marker_in_a_scriptlet_is_found_in_the_package_and_in_the_scriptlet(tmp_path: Path, clamd: RealClamd) -> None:
    verdict = scan(make_rpm(tmp_path, scriptlets={"post": f"# {MARKER.decode()}"}), clamd)
    assert places(verdict) == [
        (SIGNATURE, "critical", "hello-1.0-1.noarch.rpm"),
        (SIGNATURE, "critical", "script: %post"),
    ]


def test_a_marker_outside_of_all_members_is_found(tmp_path: Path, clamd: RealClamd) -> None:
    path = make_rpm(tmp_path, summary=f"It is {MARKER.decode()}")
    assert places(scan(path, clamd)) == [(SIGNATURE, "critical", path.name)]


def test_two_infected_files_are_two_findings(tmp_path: Path, clamd: RealClamd) -> None:
    verdict = scan(make_deb(tmp_path, files={"a": MARKER, "b": b"text", "c": b"x" + MARKER}), clamd)
    assert [where for _, _, where in places(verdict)] == ["/a", "/c"]


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("inner")
        info.size = len(MARKER)
        tar.addfile(info, io.BytesIO(MARKER))
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", b"x" * 900 + MARKER)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [gzip.compress(_tar()), bz2.compress(_tar()), lzma.compress(_tar()), _zip(), gzip.compress(b"x" * 900 + MARKER)],
    ids=["tar.gz", "tar.bz2", "tar.xz", "zip", "gz"],
)
def test_a_marker_in_an_archive_inside_is_found(tmp_path: Path, clamd: RealClamd, content: bytes) -> None:
    verdict = scan(make_deb(tmp_path, files={**CLEAN, "usr/share/evil": content}), clamd)
    assert places(verdict) == [(SIGNATURE, "critical", "/usr/share/evil")]


def test_files_that_do_not_fit_into_one_stream_are_all_looked_at(tmp_path: Path, clamd: RealClamd) -> None:
    files = {f"usr/share/{number:04}": b"%d" % number for number in range(1500)} | {"usr/share/zz": MARKER}
    verdict = scan(make_deb(tmp_path, files=files), clamd)
    assert [where for _, _, where in places(verdict)] == ["/usr/share/zz"]
    assert verdict.evidence["files"] == 1503


def test_a_source_package_is_looked_into(tmp_path: Path, clamd: RealClamd) -> None:
    dsc, *rest = make_source(tmp_path)
    artifact, context = scan_of(dsc, uploaded=True)
    artifact = replace(artifact, paths=(dsc, *rest))
    settings = {"socket": str(clamd.socket)}
    verdict = ClamavScanner().scan(artifact, replace(context, settings=settings))
    assert (verdict.status, verdict.evidence["files"]) == (Status.PASS, 10)


def test_a_source_rpm_is_looked_into(tmp_path: Path, clamd: RealClamd) -> None:
    assert scan(make_srpm(tmp_path, requires=["gcc"]), clamd).evidence["files"] == 3


def test_clamd_is_reached_by_tcp(tmp_path: Path, clamd: RealClamd) -> None:
    artifact, context = scan_of(make_deb(tmp_path, files={"a": MARKER}), uploaded=True)
    verdict = ClamavScanner().scan(artifact, replace(context, settings={"tcp": f"127.0.0.1:{clamd.port}"}))
    assert (verdict.reason, verdict.evidence["reached"]) == ("infected", f"127.0.0.1:{clamd.port}")


def test_a_clamd_that_its_configuration_names_is_found(tmp_path: Path, clamd: RealClamd) -> None:
    artifact, context = scan_of(make_deb(tmp_path, files={"a": MARKER}), uploaded=True)
    verdict = ClamavScanner().scan(artifact, replace(context, settings={"config": str(clamd.folder / "clamd.conf")}))
    assert (verdict.reason, verdict.tool) == ("infected", "clamd")


@pytest.mark.parametrize(
    ("oversize", "status", "reason"),
    [("review", Status.REVIEW, "skipped"), ("warn", Status.WARN, "skipped"), ("error", Status.ERROR, "error")],
)
def test_a_file_that_is_too_large_is_not_clean(
    tmp_path: Path, clamd: RealClamd, oversize: str, status: Status, reason: str
) -> None:
    path = make_deb(tmp_path, files=CLEAN)
    verdict = scan(path, clamd, max_file_mb=0.5, oversize=oversize)
    assert (verdict.status, verdict.reason) == (status, reason)
    assert places(verdict) == [("not-scanned", "medium", "/usr/lib/big")]


def test_what_is_found_beside_a_file_that_is_too_large_blocks(tmp_path: Path, clamd: RealClamd) -> None:
    verdict = scan(make_deb(tmp_path, files={**CLEAN, "a": MARKER}), clamd, max_file_mb=0.5)
    assert (verdict.status, len(verdict.findings)) == (Status.BLOCK, 2)


def test_a_package_that_is_too_large_as_a_whole_warns_if_all_that_is_inside_was_seen(
    tmp_path: Path, clamd: RealClamd
) -> None:
    path = make_deb(tmp_path, files={str(number): bytes([number]) * 90_000 for number in range(9)}, compression="")
    verdict = scan(path, clamd, max_file_mb=0.5, oversize="error")
    assert (verdict.status, places(verdict)) == (Status.WARN, [("not-scanned", "low", path.name)])


def test_a_stream_that_clamd_cuts_off_is_not_clean(tmp_path: Path) -> None:
    with RealClamd(stream="1M") as small:
        path = make_deb(tmp_path, files={"big": bytes(8 << 20), "a": b"text"})
        verdict = scan(path, small)
        assert (verdict.status, verdict.reason) == (Status.REVIEW, "skipped")
        assert places(verdict) == [("not-scanned", "medium", "/big")]
        assert verdict.findings[0].data == {"limit": "larger than its StreamMaxLength"}


def test_what_exceeds_a_limit_of_clamd_when_unpacked_is_held_for_review(tmp_path: Path, clamd: RealClamd) -> None:
    verdict = scan(make_deb(tmp_path, files={"bomb.gz": gzip.compress(bytes(120 << 20), 1)}), clamd)
    assert verdict.status is Status.REVIEW
    assert verdict.findings[0].id == "not-scanned"
    assert str(verdict.findings[0].data["limit"]).startswith("Heuristics.Limits.Exceeded")


def test_a_clamd_that_is_killed_is_an_error(tmp_path: Path) -> None:
    path = make_deb(tmp_path)
    with RealClamd() as mortal:
        assert scan(path, mortal).status is Status.PASS
        assert mortal.process is not None
        mortal.process.kill()
        mortal.process.wait()
        verdict = scan(path, mortal)
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")
    assert "cannot be reached" in verdict.message


def test_a_clamd_that_is_killed_while_it_is_sent_something_is_an_error() -> None:
    with RealClamd() as mortal:

        def chunks() -> Iterator[bytes]:
            yield b"begin"
            assert mortal.process is not None
            mortal.process.kill()
            mortal.process.wait()
            yield bytes(1 << 20)

        engine = Clamd(mortal.socket, 10)
        with pytest.raises(ClamavError, match="it hung up over some file"):
            list(engine.look([Piece("some file", 2 << 20, chunks())], Tally()))


def test_a_package_that_cannot_be_unpacked_is_an_error(tmp_path: Path, clamd: RealClamd) -> None:
    path = make_deb(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    verdict = scan(path, clamd)
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")
    assert "cut short" in verdict.message


def test_signatures_without_a_number_are_no_basis(tmp_path: Path, clamd: RealClamd) -> None:
    _, context = scan_of(make_deb(tmp_path), uploaded=True)
    assert ClamavScanner().basis(replace(context, settings={"socket": str(clamd.socket)})) is None
