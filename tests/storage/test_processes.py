"""Local storages that several processes use, and one that is killed."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from entrepot_storage.contract.base import content, keys
from entrepot_storage.local import LocalStorage
from support.children import run_all, start_python

BEGIN = """
import json, sys
from pathlib import Path
from entrepot.errors import PreconditionError
from entrepot_storage.local import LocalStorage
storage = LocalStorage(Path(sys.argv[1]))
print("ready", flush=True)
"""
PROCESSES = 4


def test_counting_with_if_match_in_several_processes_loses_no_step(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "root")
    storage.write("counter", b"0")
    code = f"""{BEGIN}
sys.stdin.readline()
for _ in range(25):
    while True:
        before = storage.stat("counter")
        with storage.read("counter") as stream:
            number = int(stream.read())
        try:
            storage.write("counter", str(number + 1).encode(), if_match=before.etag)
            break
        except PreconditionError:
            pass
"""
    run_all(code, [(str(tmp_path / "root"),)] * PROCESSES)
    assert content(storage, "counter") == str(25 * PROCESSES).encode()


def test_each_key_written_if_absent_by_several_processes_has_one_winner(tmp_path: Path) -> None:
    code = f"""{BEGIN}
sys.stdin.readline()
won = []
for number in range(100):
    try:
        storage.write(f"lease/{{number % 10}}/{{number}}", sys.argv[2].encode(), if_absent=True)
        won.append(number)
    except PreconditionError:
        pass
print(json.dumps(won))
"""
    outputs = run_all(code, [(str(tmp_path / "root"), name) for name in "abcd"])
    won = {name: json.loads(output) for name, output in zip("abcd", outputs, strict=True)}
    assert sorted(number for numbers in won.values() for number in numbers) == list(range(100))
    storage = LocalStorage(tmp_path / "root")
    for name, numbers in won.items():
        for number in numbers:
            assert content(storage, f"lease/{number % 10}/{number}") == name.encode()


def test_writing_and_deleting_in_several_processes_below_one_folder_never_fails(tmp_path: Path) -> None:
    code = f"""{BEGIN}
sys.stdin.readline()
for number in range(100):
    storage.write(f"pool/shared/{{sys.argv[2]}}", b"x")
    storage.delete(f"pool/shared/{{sys.argv[2]}}")
storage.write(f"pool/shared/{{sys.argv[2]}}", b"end")
"""
    run_all(code, [(str(tmp_path / "root"), name) for name in "abcd"])
    assert keys(LocalStorage(tmp_path / "root")) == [f"pool/shared/{name}" for name in "abcd"]


@pytest.mark.parametrize("condition", ["", "if_absent=True"])
def test_a_writer_that_is_killed_leaves_the_old_state(tmp_path: Path, condition: str) -> None:
    storage = LocalStorage(tmp_path / "root")
    storage.write("pool/old", b"old")
    key = "pool/new" if condition else "pool/old"
    code = f"""{BEGIN}
def body():
    yield b"x" * 3_000_000
    print("half-way", flush=True)
    sys.stdin.readline()
storage.write({key!r}, body(), {condition})
"""
    child = start_python(code, str(tmp_path / "root"))
    try:
        assert child.stdout is not None
        assert [child.stdout.readline(), child.stdout.readline()] == ["ready\n", "half-way\n"]
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert content(storage, "pool/old") == b"old"
    assert keys(storage) == ["pool/old"]
    left = [path for path in (tmp_path / "root").rglob("*") if path.is_file() and path.stat().st_size >= 1_000_000]
    assert [path.parent.name for path in left] == [".tmp"]
    assert storage.write("pool/new", b"new", if_absent=True).size == 3


def test_the_unfinished_file_of_a_dead_writer_goes_when_it_is_old(tmp_path: Path) -> None:
    first = LocalStorage(tmp_path)
    first.write("a", b"a")
    unfinished = tmp_path / ".tmp" / "part-0123456789abcdef"
    unfinished.write_bytes(b"half of it")
    LocalStorage(tmp_path).write("b", b"b")
    assert unfinished.exists(), "a file of today may have a living writer"
    LocalStorage(tmp_path, stale_after=-1).write("c", b"c")
    assert not unfinished.exists()
    assert keys(first) == ["a", "b", "c"]


LIMITED = f"""{BEGIN}
import resource
from entrepot.errors import StorageError
sys.stdin.readline()
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    storage.write("pool/a", [b"x" * 100_000] * 20)
except StorageError as error:
    print(json.dumps([str(error), error.data["key"]]))
"""


def test_a_file_that_cannot_grow_is_an_error_that_names_the_key_and_leaves_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("pool/a", b"old")
    (output,) = run_all(LIMITED, [(str(tmp_path),)])
    message, key = json.loads(output)
    assert key == "pool/a"
    assert message == f"pool/a: cannot be written in {tmp_path}: File too large"
    assert content(storage, "pool/a") == b"old"
    assert not list((tmp_path / ".tmp").glob("part-*"))


FORBIDDEN = f"""{BEGIN}
import os
from entrepot.errors import StorageError
sys.stdin.readline()
if os.geteuid() == 0:
    os.setuid(65534)
for attempt in (
    lambda: storage.write("pool/a", b"a"),
    lambda: storage.read("secret/a"),
    lambda: storage.stat("secret/a"),
    lambda: list(storage.list()),
):
    try:
        attempt()
    except StorageError as error:
        print(json.dumps([str(error), error.hint]))
"""


def test_what_the_permissions_forbid_is_an_error_that_names_the_key_and_the_way_out(tmp_path: Path) -> None:
    root = tmp_path / "root"
    storage = LocalStorage(root)
    storage.write("secret/a", b"a")
    closed = [root / "secret", root]
    # The folders that pytest made are closed to others, and the child gives up being root where it is.
    opened = [path for path in tmp_path.parents if path.stat().st_mode & 0o777 == 0o700]
    for path in (tmp_path, *opened):
        path.chmod(0o711)
    try:
        closed[0].chmod(0)
        closed[1].chmod(0o555)
        (root / ".tmp").chmod(0)
        (output,) = run_all(FORBIDDEN, [(str(root),)])
    finally:
        for path in (root, root / ".tmp", closed[0], tmp_path, *opened):
            path.chmod(0o700)
    errors = [json.loads(line) for line in output.splitlines()]
    named = ["pool/a", "secret/a", "secret/a", "secret"]
    assert len(errors) == len(named)
    for key, (message, hint) in zip(named, errors, strict=True):
        assert key in message
        assert "Permission denied" in message
        assert str(root) in hint
