"""What every storage has to do, as tests that the author of a backend runs against it (with pytest)::

    from entrepot_storage.contract import StorageContract

    class TestWebDavStorage(StorageContract):
        def make_storage(self, folder):
            return WebDavStorage(start_server(folder))

To see what an assertion compared, put ``pytest.register_assert_rewrite("entrepot_storage.contract")`` into
``conftest.py`` first. Where ``properties.conditional_writes`` is false, the tests of conditional writes are skipped.
"""

from __future__ import annotations

from entrepot_storage.contract.atomicity import AtomicityContract
from entrepot_storage.contract.copying import CopyContract
from entrepot_storage.contract.keys import KeyContract
from entrepot_storage.contract.objects import ObjectContract

__all__ = ["StorageContract"]


class StorageContract(ObjectContract, AtomicityContract, KeyContract, CopyContract):
    """Inherit, name the class ``Test...`` and say in ``make_storage`` how to make a storage."""
