"""What is in deploy/ can be deployed, as far as that can be told without doing so."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from entrepot.declaration.yaml_text import yaml_library
from entrepot.serverless import handler

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_the_template_is_one_that_cloudformation_takes() -> None:
    code = "import sys; from cfnlint.runner import main; main()"
    done = subprocess.run([sys.executable, "-c", code, DEPLOY / "template.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_template_calls_the_function_that_there_is_and_wants_failures_one_by_one() -> None:
    text = (DEPLOY / "template.yaml").read_text()
    assert f"Handler: entrepot.serverless.{handler.__name__}\n" in text
    assert "FunctionResponseTypes: [ReportBatchItemFailures]" in text
    # CloudFormation reads no anchors.
    assert not [token for token in yaml_library().scan(text) if type(token).__name__ in ("AnchorToken", "AliasToken")]
    timeout, visibility = (int(re.findall(rf" {name}: (\d+)", text)[0]) for name in ("Timeout", "VisibilityTimeout"))
    assert visibility >= 6 * timeout


def test_the_container_starts_the_function() -> None:
    text = (DEPLOY / "Containerfile").read_text()
    assert 'CMD ["entrepot.serverless.handler"]' in text
    assert "ENTREPOT_CACHE=/tmp/" in text


def test_the_same_folder_gives_the_same_zip(tmp_path: Path) -> None:
    spec = spec_from_file_location("function_zip", DEPLOY / "function_zip.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "a" / "__pycache__").mkdir(parents=True)
    for name in ("b.py", "a/c.py", "a/__pycache__/c.pyc"):
        (tmp_path / name).write_text(name)
    for target in ("one.zip", "two.zip"):
        module.pack(tmp_path / "a", tmp_path / target)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert zipfile.ZipFile(tmp_path / "one.zip").namelist() == ["c.py"]
