"""What a .treeinfo says, and how it is written for a repository of ours."""

from __future__ import annotations

import pytest

from entrepot.errors import IndexFormatError, TrustError
from entrepot_plugins.rpm.treeinfo import MOST_FILES, parse, rewritten

SHA = "a" * 64
TEXT = f"""\
[checksums]
images/install.img = sha256:{"b" * 64}
images/pxeboot/vmlinuz = sha256:{SHA}
repodata/repomd.xml = sha256:{"c" * 64}

[general]
family = Example Linux
version = 9.4
arch = x86_64
repository = .

[images-x86_64]
kernel = images/pxeboot/vmlinuz

[stage2]
mainimage = images/install.img

[tree]
arch = x86_64
variants = BaseOS,AppStream

[variant-AppStream]
id = AppStream
repository = ../../../AppStream/x86_64/os

[variant-BaseOS]
id = BaseOS
repository = .
"""


def read(text: str, **options: bool) -> dict[str, tuple[str, str]]:
    return dict(parse(text.encode(), name="up: .treeinfo", **options).digests)


def test_the_files_of_the_installer_are_known_by_their_digests() -> None:
    found = parse(TEXT.encode(), name="up: .treeinfo")
    assert dict(found.digests) == {
        "images/install.img": ("sha256", "b" * 64),
        "images/pxeboot/vmlinuz": ("sha256", SHA),
    }
    assert found.title == "Example Linux 9.4 x86_64"


@pytest.mark.parametrize(
    "path",
    [
        "../passwd",
        "/etc/passwd",
        "images/../../x",
        "https://example.org/x",
        "repodata/primary.xml",
        "Packages/h/hello.rpm",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(IndexFormatError, match=r"up: \.treeinfo names what cannot be used"):
        read(f"[checksums]\n{path} = sha256:{SHA}\n")


def test_a_file_of_the_installer_without_a_digest_is_refused_by_name() -> None:
    with pytest.raises(TrustError, match=r"no digest of images/pxeboot/vmlinuz"):
        read("[images-x86_64]\nkernel = images/pxeboot/vmlinuz\n")


def test_weak_digests_are_refused_unless_they_are_allowed() -> None:
    text = f"[checksums]\nimages/boot.iso = md5:{'0' * 32}\n"
    with pytest.raises(TrustError, match=r"only MD5 or SHA-1"):
        read(text)
    assert read(text, allow_weak=True) == {"images/boot.iso": ("md5", "0" * 32)}


@pytest.mark.parametrize(
    "text",
    ["<html>", "kernel = x\n", f"[checksums]\nx = sha256:{SHA[1:]}\n", "[a]\nx = 1\nx = 2\n", "[checksums]\nx\n"],
)
def test_what_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(IndexFormatError, match=r"up: \.treeinfo"):
        read(text)


def test_more_files_than_any_installer_has_are_refused() -> None:
    lines = [f"images/{number} = sha256:{SHA}\n" for number in range(MOST_FILES + 1)]
    with pytest.raises(IndexFormatError, match=r"names 201 files"):
        read("".join(["[checksums]\n", *lines]))


def test_it_is_written_with_the_digest_of_our_repomd_and_without_variants_elsewhere() -> None:
    text = rewritten(TEXT.encode(), "d" * 64).decode()
    assert f"repodata/repomd.xml = sha256:{'d' * 64}\n" in text
    assert "AppStream" not in text
    assert "variants = BaseOS\n" in text
    without = TEXT.replace("c" * 64, "d" * 64).replace("BaseOS,AppStream", "BaseOS")
    assert (
        text
        == without.partition("[variant-AppStream]")[0] + "[variant-BaseOS]" + without.partition("[variant-BaseOS]")[2]
    )
    assert read(text) == read(TEXT)
