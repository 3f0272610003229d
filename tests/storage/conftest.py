"""Lets pytest show what the assertions of the contract suite compared; the services that tests of S3 work on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import radosgw
from support.s3_buckets import use_credentials
from support.s3_moto import MotoService

pytest.register_assert_rewrite("entrepot_storage.contract")


@pytest.fixture(scope="session")
def moto_service() -> Iterator[MotoService]:
    """An S3 service in this process."""
    with MotoService() as service:
        yield service


@pytest.fixture
def moto(moto_service: MotoService, monkeypatch: pytest.MonkeyPatch) -> MotoService:
    """An S3 service in this process, with nothing wrong yet, and credentials for it."""
    use_credentials(monkeypatch)
    moto_service.forget()
    return moto_service


@pytest.fixture
def radosgw_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """A real S3 service, and credentials for it."""
    if missing := radosgw.missing_programs():
        pytest.skip(f"not installed: {', '.join(missing)}")
    use_credentials(monkeypatch, radosgw.ACCESS_KEY, radosgw.SECRET_KEY)
    return radosgw.service().url
