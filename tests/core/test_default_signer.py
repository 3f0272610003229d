"""Who signs: GnuPG, unless the settings name a signer that a plugin brings."""

from __future__ import annotations

from pathlib import Path

from entrepot.services import repositories
from support.debs import make_deb
from support.signers import StampSigner
from support.workspaces import NOW, Depot


def test_the_signer_of_a_plugin_signs_what_is_told_to_be_signed_once_it_is_the_default(tmp_path: Path) -> None:
    depot = Depot(tmp_path / "depot")
    settings = (depot.home / "entrepot.toml").read_text()
    depot.workspace.save_settings(f'default_signer = "{StampSigner.name}"\n{settings}')
    assert repositories.set_repository(depot.workspace, "example", {"label": "Same"}).signer is None
    signed = repositories.set_repository(depot.workspace, "example", {}, sign=True)
    assert (signed.signer, signed.sign_with) == (StampSigner.name, StampSigner.fingerprint)
    depot.distribute("stable")
    depot.upload(make_deb(tmp_path), publish=True)
    release = depot.tree / "dists/stable/Release"
    assert release.with_name("Release.gpg").read_bytes() == StampSigner().detach(release.read_bytes(), now=NOW)
    made = repositories.create_repository(depot.workspace, "other", format_name="apt", publish_to="memory://other")
    assert made.signer == StampSigner.name
    depot.close()
