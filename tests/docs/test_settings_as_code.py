"""What docs/settings-as-code.md says of a file can be applied as it stands, but for its keys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from entrepot.declaration import armored, parse_declaration
from entrepot.declaration.reading import DISTRIBUTION, REPOSITORY, SOURCE
from entrepot.services import applying, workspaces
from entrepot.workspace import Workspace

PAGE = (Path(__file__).parents[2] / "docs" / "settings-as-code.md").read_text(encoding="utf-8")


def test_the_file_of_the_page_is_applied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "debian.asc").write_text(armored(b"\x98\x33\x04"))
    (tmp_path / "token").write_text("t\n")
    monkeypatch.setenv("MIRROR_PASSWORD", "p")
    text = (
        text.replace("/run/secrets/mirror-token", "token")
        .replace("/srv/www", "www")
        .replace("s3://bucket/apt", "other")
    )
    text = re.sub(r"sign_with: \w+ .*", "sign: false", text)
    workspace = Workspace(tmp_path / "home")
    workspaces.initialise(workspace)
    declaration = parse_declaration(text, tmp_path / "entrepot.yaml")
    applied = applying.apply(workspace, declaration)
    assert {step.action for step in applied.plan.steps} == {"create"}
    assert len(applied.plan.steps) == 10
    workspace.close()


@pytest.mark.parametrize("keys", [SOURCE, REPOSITORY, DISTRIBUTION], ids=["source", "repository", "distribution"])
def test_every_key_is_named(keys: tuple[str, ...]) -> None:
    table = PAGE.partition("## Keys")[2].partition("\n## ")[0]
    assert [key for key in keys if f"`{key}`" not in table] == []
