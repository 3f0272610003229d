"""What the scanner makes of answers that no healthy clamd gives, of old signatures, and of no ClamAV at all."""

from __future__ import annotations

import datetime as dt
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import SettingsError
from entrepot.models import Basis, Status, Verdict
from entrepot.services import scanning
from entrepot.services.scanning import ScanRequest
from entrepot_plugins.scanners.clamav import ClamavScanner
from entrepot_plugins.scanners.clamav.settings import ClamavSettings, clamav_settings
from support.clamd import answering, drained, pretending
from support.debs import make_deb
from support.scans import scan_of
from support.toy import make_toy
from support.toybox import ToyBox

VERSION = b"ClamAV 1.4.3/27860/Tue Dec 30 08:30:00 2025\0"
OK = b"stream: OK\0"


def scan(folder: Path, **settings: Any) -> Verdict:
    artifact, context = scan_of(make_deb(folder), uploaded=True)
    return ClamavScanner().scan(artifact, replace(context, settings=settings))


def test_versions_of_engine_and_signatures_are_told(tmp_path: Path) -> None:
    with pretending(answering(VERSION, OK)) as path:
        verdict = scan(tmp_path, socket=str(path))
    assert (verdict.status, verdict.tool_version, verdict.database_version) == (
        Status.PASS,
        "1.4.3",
        "27860 2025-12-30",
    )
    assert verdict.evidence["signatures_days"] == 1


def test_they_are_what_a_verdict_depends_on(tmp_path: Path) -> None:
    _, context = scan_of(make_deb(tmp_path), uploaded=True)
    with pretending(answering(VERSION, OK)) as path:
        settings = {"socket": str(path)}
        assert ClamavScanner().basis(replace(context, settings=settings)) == Basis("1.4.3", "27860 2025-12-30")
    assert ClamavScanner().basis(replace(context, settings=settings)) is None


@pytest.mark.isolated
def test_what_was_clean_is_told_again_once_the_signatures_are_old(tmp_path: Path) -> None:
    found = []
    with pretending(answering(VERSION, OK)) as path:
        box = ToyBox(tmp_path, settings=f'[scanners.clamav]\nsocket = "{path}"\n')
        box.clock.time = dt.datetime(2025, 12, 30, 12, tzinfo=dt.UTC)
        box.upload(make_toy(box.folder))
        for days in (0, 7, 1, 1):
            box.clock.advance(days=days)
            scan = scanning.scan(box.workspace, ScanRequest(scanners=["clamav"])).distributions[0]
            found.append((scan.settled, [finding.id for package in scan.packages for _, finding in package.findings]))
        box.workspace.close()
    assert found == [(0, []), (1, []), (0, ["signatures-old"]), (1, [])]


@pytest.mark.parametrize(("days", "status"), [(7, Status.WARN), (40, Status.PASS), (0, Status.PASS)])
def test_old_signatures_warn(tmp_path: Path, days: int, status: Status) -> None:
    with pretending(answering(VERSION.replace(b"Tue Dec 30", b"Mon Dec  1"), OK)) as path:
        verdict = scan(tmp_path, socket=str(path), max_age_days=days)
    assert (verdict.status, verdict.reason) == (status, "clean")
    assert [finding.id for finding in verdict.findings] == (["signatures-old"] if status is Status.WARN else [])


@pytest.mark.parametrize(
    ("answer", "signature"),
    [
        (b"stream: Win.Test.EICAR_HDB-1 FOUND\0", "Win.Test.EICAR_HDB-1"),
        (b"stream: Eicar(44d88612fea8a8f36de82e1278abb02f:68) FOUND\0", "Eicar(44d88612fea8a8f36de82e1278abb02f:68)"),
    ],
)
def test_what_is_found_is_told_by_its_signature(tmp_path: Path, answer: bytes, signature: str) -> None:
    with pretending(answering(VERSION, answer)) as path:
        verdict = scan(tmp_path, socket=str(path))
    assert verdict.status is Status.BLOCK
    assert {finding.id for finding in verdict.findings} == {signature}


@pytest.mark.parametrize(
    "answer", [b"stream: Heuristics.Encrypted.Zip FOUND\0", b"stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND\0"]
)
def test_what_could_not_be_looked_into_is_not_malware(tmp_path: Path, answer: bytes) -> None:
    with pretending(answering(VERSION, answer)) as path:
        verdict = scan(tmp_path, socket=str(path))
    assert verdict.reason == "skipped"
    assert {finding.id for finding in verdict.findings} == {"not-scanned"}
    assert verdict.status is Status.REVIEW


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"stream: OK",
        b"\0",
        b"OK\0",
        b"stream:OK\0",
        b"stream: ok\0",
        b"stream: OK\0stream: OK\0",
        b"stream: OK\n",
        b"stream: a b FOUND\0",
        b"stream:  FOUND\0",
        b"stream: \x1b[2J FOUND\0",
        b"stream: Can't allocate memory ERROR\0",
        b"/etc/passwd: OK\0",
        b"UNKNOWN COMMAND\0",
        b"\xff" * 9000 + b"\0",
    ],
)
def test_any_other_answer_is_an_error(tmp_path: Path, answer: bytes) -> None:
    with pretending(answering(VERSION, answer)) as path:
        verdict = scan(tmp_path, socket=str(path))
    assert (verdict.status, verdict.reason, verdict.findings) == (Status.ERROR, "error", ())
    assert verdict.message.isprintable()
    assert len(verdict.message) < 1000


@pytest.mark.parametrize("version", [b"", b"PONG\0", b"ClamAV 1.4/x/y\0", b"ClamAV 1.4/1/no date\0", b"ClamAV \x1b\0"])
def test_a_version_that_is_none_is_an_error(tmp_path: Path, version: bytes) -> None:
    with pretending(answering(version, OK)) as path:
        verdict = scan(tmp_path, socket=str(path))
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")


def test_a_clamd_that_says_nothing_is_an_error_after_a_time(tmp_path: Path) -> None:
    def silent(connection: socket.socket, command: bytes) -> None:
        if command == b"zVERSION\0":
            connection.sendall(VERSION)
        else:
            drained(connection)
            connection.recv(1)  # until the other side gives up

    with pretending(silent) as path:
        verdict = scan(tmp_path, socket=str(path), timeout=0.2)
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")
    assert "did not answer within 0.2 seconds" in verdict.message


def test_a_clamd_that_hangs_up_is_an_error(tmp_path: Path) -> None:
    def fleeing(connection: socket.socket, command: bytes) -> None:
        if command == b"zVERSION\0":
            connection.sendall(VERSION)

    with pretending(fleeing) as path:
        verdict = scan(tmp_path, socket=str(path))
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")
    assert "hung up" in verdict.message


# ------------------------------------------------------------------------------------------------------ not set up


def test_without_clamav_it_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    verdict = scan(tmp_path, config=str(tmp_path / "none.conf"))
    assert (verdict.status, verdict.reason) == (Status.SKIPPED, "skipped")
    assert "install clamav-daemon" in verdict.message


def test_a_package_that_nobody_set_up_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "echo unused")
    monkeypatch.setenv("PATH", str(tmp_path))
    config = tmp_path / "clamd.conf"
    config.write_text(f"# LocalSocket /x\nLocalSocket {tmp_path}/none\nDatabaseDirectory {tmp_path}/database\n")
    (tmp_path / "database").mkdir()
    verdict = scan(tmp_path, config=str(config))
    assert (verdict.status, verdict.reason) == (Status.SKIPPED, "skipped")
    assert "run freshclam" in verdict.message


@pytest.mark.parametrize(
    "settings",
    [
        {"socket": "/nowhere/clamd.ctl"},
        {"tcp": "127.0.0.1:1"},
        {"engine": "clamd", "config": "/nowhere/clamd.conf"},
        {"engine": "clamscan", "clamscan": "no-such-program"},
        {"database": "/nowhere", "clamscan": "no-such-program", "config": "/nowhere/clamd.conf"},
    ],
    ids=["socket", "tcp", "clamd", "clamscan", "database"],
)
def test_one_that_was_asked_for_and_is_not_there_is_an_error(tmp_path: Path, settings: dict[str, str]) -> None:
    verdict = scan(tmp_path, **settings)
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")


def test_a_stale_socket_is_an_error(tmp_path: Path) -> None:
    with pretending(answering(VERSION, OK)) as path:
        config = tmp_path / "clamd.conf"
        config.write_text(f"LocalSocket {path}\n")
        assert scan(tmp_path, config=str(config)).status is Status.PASS
        # The server has one life; the file stays until the context ends.
        stale = path.with_name("stale")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(stale))
        config.write_text(f"LocalSocket {stale}\n")
        assert scan(tmp_path, config=str(config)).status is Status.ERROR


def program(folder: Path, text: str) -> Path:
    """A program ``clamscan`` that does what a shell script says."""
    path = folder / "clamscan"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


VERSIONED = 'test "$1" = --version && echo ClamAV 1.4.3 && exit 0\nfor folder; do :; done\n'


@pytest.mark.parametrize(
    "text",
    [
        "exit 1",
        "exit 2",
        "kill -9 $$",
        "echo something else; exit 0",
        'for file in "$folder"/*; do echo "$file: OK"; done; exit 1',
        'for file in "$folder"/*; do echo "$file: Sig FOUND"; done; exit 0',
        'for file in "$folder"/*; do echo "$file: a b FOUND"; done; exit 1',
        'for file in "$folder"/*; do echo "$file: OK"; echo "$file: OK"; done; exit 0',
        'echo "$folder/000000: OK"; exit 0',
    ],
)
def test_whatever_else_clamscan_does_is_an_error(tmp_path: Path, text: str) -> None:
    path = program(tmp_path, VERSIONED + text)
    verdict = scan(tmp_path, engine="clamscan", clamscan=str(path))
    assert verdict.status in (Status.ERROR, Status.BLOCK)
    assert verdict.status is Status.ERROR or "Sig" in text


def test_clamscan_that_does_not_end_is_an_error(tmp_path: Path) -> None:
    path = program(tmp_path, VERSIONED + "exec sleep 60")
    verdict = scan(tmp_path, engine="clamscan", clamscan=str(path), timeout=1)
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")
    assert "did not end within 1 seconds" in verdict.message


# -------------------------------------------------------------------------------------------------------- settings


def test_settings_are_read() -> None:
    found = clamav_settings({"tcp": "[::1]:3310", "max_file_mb": 2, "oversize": "warn", "timeout": 5})
    assert found == ClamavSettings(tcp=("::1", 3310), max_file_size=2 << 20, oversize="warn", timeout=5.0)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"sockets": "/x"}, "scanners.clamav.sockets is not known; known are clamscan, config"),
        ({"socket": "x"}, "scanners.clamav.socket must be a full path"),
        ({"socket": 3}, "scanners.clamav.socket must be a text"),
        ({"tcp": "3310"}, "scanners.clamav.tcp must be a host and a port"),
        ({"tcp": "host:99999"}, "scanners.clamav.tcp must be a host and a port"),
        ({"tcp": "host:1", "socket": "/x"}, "scanners.clamav.tcp and socket are two places"),
        ({"engine": "other"}, "scanners.clamav.engine must be one of auto, clamd, clamscan"),
        ({"oversize": "pass"}, "scanners.clamav.oversize must be one of review, warn, error"),
        ({"timeout": 0}, "scanners.clamav.timeout must be a number from 0.1"),
        ({"max_file_mb": True}, "scanners.clamav.max_file_mb must be a number"),
        ({"max_age_days": -1}, "scanners.clamav.max_age_days must be a whole number"),
        ({"database": ""}, "scanners.clamav.database must be a text"),
    ],
)
def test_settings_that_cannot_be_used_are_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        clamav_settings(table)
