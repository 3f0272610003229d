"""Lets pytest show what the assertions of the contract suite compared."""

import pytest

pytest.register_assert_rewrite("entrepot_storage.contract")
