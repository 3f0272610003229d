"""What an index says of a package is checked before it is published with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.errors import PackageError
from entrepot_plugins.rpm.header import RpmReader
from entrepot_plugins.rpm.raw import pack, unpack
from support.rpms import make_rpm


@pytest.fixture(scope="module")
def rpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_rpm(tmp_path_factory.mktemp("rpms"), name="hello", files={"/usr/bin/hello": b"x"})


def test_elements_that_are_right_are_published_as_they_came(rpm: Path) -> None:
    primary, filelists, other = unpack(RpmReader().read([rpm], None).raw)
    upstream = pack(primary.replace(b"<packager>", b"<packager> "), filelists + b" ", other)
    assert RpmReader().read([rpm], upstream).raw == upstream


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b"</package>", b"", "cannot be used: no element found"),
        (b"</package>", b"</package><package/>", "cannot be used: junk after document element"),
        (b"</package>", b"&nothing;</package>", "cannot be used: undefined entity"),
        (b"</package>", b"\x0b</package>", "cannot be used: not well-formed"),
        (b'pkgid="', b'pkgid="0', "is of another package"),
        (b"package", b"bundle", "is of another package"),
    ],
)
@pytest.mark.parametrize("kind", ["filelists", "other"])
def test_elements_that_are_not_are_refused(rpm: Path, kind: str, before: bytes, after: bytes, message: str) -> None:
    ours = unpack(RpmReader().read([rpm], None).raw)
    theirs = ours._replace(**{kind: getattr(ours, kind).replace(before, after)})
    with pytest.raises(PackageError, match=f"its element in the index's {kind} {message}"):
        RpmReader().read([rpm], pack(*theirs))
