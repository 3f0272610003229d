"""Contract of storages: all of a write or nothing of it, and of several writers one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entrepot.contracts import Storage
from entrepot.errors import PreconditionError, UsageError
from entrepot_storage.contract.base import ContractBase, at_once, broken_body, content, keys


class AtomicityContract(ContractBase):
    """What fails half-way, and what happens at once."""

    def test_a_body_that_fails_leaves_the_old_object(self, storage: Storage) -> None:
        etag = storage.write("pool/a", b"old").etag
        with pytest.raises(ZeroDivisionError):
            storage.write("pool/a", broken_body())
        found = storage.stat("pool/a")
        assert found is not None
        assert found.etag == etag
        assert content(storage, "pool/a") == b"old"

    def test_a_body_that_fails_leaves_nothing_where_nothing_was(self, storage: Storage) -> None:
        with pytest.raises(ZeroDivisionError):
            storage.write("pool/a", broken_body())
        assert storage.stat("pool/a") is None
        assert keys(storage) == []

    def test_an_object_shows_when_its_body_has_ended(self, storage: Storage) -> None:
        seen: list[object] = []

        def body() -> Iterator[bytes]:
            yield b"x" * 1_000_000
            seen.extend((storage.stat("a"), keys(storage)))

        storage.write("a", body())
        assert seen == [None, []]

    def test_readers_of_an_object_that_is_replaced_see_one_of_its_contents(self, storage: Storage) -> None:
        bodies = [bytes([65 + number]) * 300_000 for number in range(4)]
        storage.write("a", bodies[0])

        def task(number: int) -> bool:
            if number < len(bodies):
                for _ in range(10):
                    storage.write("a", bodies[number])
                return True
            return all(content(storage, "a") in bodies for _ in range(10))

        assert at_once(task, 8) == 8

    def test_writing_beside_what_is_deleted_loses_nothing(self, storage: Storage) -> None:
        def task(number: int) -> bool:
            key = f"pool/shared/{number}"
            for round_ in range(20):
                storage.write(key, str(round_).encode())
                if content(storage, key) != str(round_).encode():
                    return False
                storage.delete(key)
            storage.write(key, b"end")
            return True

        assert at_once(task, 8) == 8
        assert keys(storage) == [f"pool/shared/{number}" for number in range(8)]

    def test_if_absent_writes_where_nothing_is(self, conditional: Storage) -> None:
        info = conditional.write("a/b", b"first", if_absent=True)
        found = conditional.stat("a/b")
        assert found is not None
        assert found.etag == info.etag
        assert content(conditional, "a/b") == b"first"

    def test_if_absent_refuses_to_replace(self, conditional: Storage) -> None:
        conditional.write("a", b"first")
        with pytest.raises(PreconditionError, match="a"):
            conditional.write("a", b"second", if_absent=True)
        assert content(conditional, "a") == b"first"

    def test_if_absent_writes_again_after_a_delete(self, conditional: Storage) -> None:
        conditional.write("a", b"first", if_absent=True)
        conditional.delete("a")
        conditional.write("a", b"second", if_absent=True)
        assert content(conditional, "a") == b"second"

    def test_if_match_replaces_what_was_read(self, conditional: Storage) -> None:
        first = conditional.write("a", b"first")
        second = conditional.write("a", b"second", if_match=first.etag)
        conditional.write("a", b"third", if_match=second.etag)
        assert content(conditional, "a") == b"third"

    @pytest.mark.parametrize("condition", ["old", "unknown"])
    def test_if_match_refuses_another_state(self, conditional: Storage, condition: str) -> None:
        old = conditional.write("a", b"first").etag
        conditional.write("a", b"other")
        with pytest.raises(PreconditionError, match="a"):
            conditional.write("a", b"second", if_match=old if condition == "old" else "no-such-etag")
        assert content(conditional, "a") == b"other"

    def test_if_match_refuses_where_nothing_is(self, conditional: Storage) -> None:
        etag = conditional.write("a", b"first").etag
        conditional.delete("a")
        with pytest.raises(PreconditionError):
            conditional.write("a", b"second", if_match=etag)
        assert conditional.stat("a") is None

    def test_both_conditions_at_once_are_refused(self, conditional: Storage) -> None:
        with pytest.raises(UsageError):
            conditional.write("a", b"a", if_absent=True, if_match="x")

    def test_of_many_writers_if_absent_one_wins(self, conditional: Storage) -> None:
        winners: list[int] = []

        def task(number: int) -> bool:
            try:
                conditional.write("lock", str(number).encode(), if_absent=True)
            except PreconditionError:
                return False
            winners.append(number)
            return True

        assert at_once(task) == 1
        assert content(conditional, "lock") == str(winners[0]).encode()

    def test_of_many_writers_if_match_one_wins(self, conditional: Storage) -> None:
        etag = conditional.write("lock", b"free").etag

        def task(number: int) -> bool:
            try:
                conditional.write("lock", str(number).encode(), if_match=etag)
            except PreconditionError:
                return False
            return True

        assert at_once(task) == 1

    def test_of_a_delete_and_a_write_if_match_one_is_last(self, conditional: Storage) -> None:
        for _ in range(10):
            etag = conditional.write("lock", b"free").etag

            def task(number: int, etag: str = etag) -> bool:
                if number == 0:
                    conditional.delete("lock")
                    return False
                try:
                    conditional.write("lock", b"taken", if_match=etag)
                except PreconditionError:
                    return False
                return True

            wins = at_once(task, 4)
            assert wins <= 1
            assert conditional.stat("lock") is None, "written after the delete, although conditioned on what was before"
