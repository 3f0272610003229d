"""``entrepot apply`` and ``entrepot export``."""

from __future__ import annotations

from pathlib import Path

from entrepot.cli import main
from support.program import Program

TEXT = """
policies:
  prod: {inherits: strict}
repositories:
  shop:
    format: apt
    publish_to: tree
    sign: false
    distributions:
      window: {keep: 2}
"""


def test_a_file_is_planned_applied_exported_and_piped_into_another_workspace(tmp_path: Path) -> None:
    first, second = Program(tmp_path / "first"), Program(tmp_path / "second")
    for program in (first, second):
        program("init")
    file = tmp_path / "entrepot.yaml"
    file.write_text(TEXT)
    planned = first("apply", file, "--dry-run").stdout
    assert "+ policy prod\n    inherits: strict\n+ repository shop\n    format: apt\n" in planned
    assert "\n    sign: false\n" in planned
    assert "keep_days" not in planned
    assert first.json("repo", "list") == []
    assert [step["state"] for step in first.json("apply", file)["steps"]] == ["done"] * 3
    assert first("apply", file).stderr == "nothing to do\n"
    file.write_text(TEXT.replace("keep: 2", "keep: 3"))
    assert first("apply", file).stdout == "~ distribution shop/window\n    keep: 2 -> 3\n"
    file.write_text("repositories: {}\n")
    assert "not described, and left as it is: distribution shop/window, repository shop" in first("apply", file).stderr
    refused = first("apply", file, "--prune", code=2)
    assert "would remove distribution shop/window, repository shop" in refused.stderr
    assert "--yes" in refused.stderr

    exported = first("export").stdout
    done = second.runner.invoke(main, ["--home", str(second.home), "apply", "-"], input=exported)
    assert done.exit_code == 0, done.output
    assert second("export").stdout == exported
    first("export", tmp_path / "out.yaml")
    assert second("apply", tmp_path / "out.yaml").stderr == "nothing to do\n"
    first("apply", file, "--prune", "--yes")
    assert first.json("repo", "list") == []


def test_a_mistake_ends_with_exit_code_2_and_tells_where_it_is(tmp_path: Path) -> None:
    program, file = Program(tmp_path / "home"), tmp_path / "entrepot.toml"
    program("init")
    file.write_text('[sources.a]\nformat = "apt"\nurl = "https://mirror.example.org/"\nsecrets.password = "s3cret"\n')
    document = program.json("apply", file, code=2)
    assert (document["key"], document["line"]) == ("sources.a.secrets.password", 4)
    assert "s3cret" not in str(document)
