"""The stores that the contract is held to."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rhythmd.names.looks import look
from rhythmd.ports import Store
from rhythmd.store.documents import MongoStore
from rhythmd.store.sqlite import SqliteStore
from tests.services import S3, Mongod, running_mongod, running_s3

DATABASE = "contracts"

look("")  # the table of what looks alike is read once, which a test in a loop must not be the first to do


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    with running_mongod(tmp_path_factory.mktemp("mongod")) as running:
        yield running


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


def _make_store(driver: str, request: pytest.FixtureRequest, directory: Path) -> Store:
    if driver == "sqlite":
        return SqliteStore(directory / "store.sqlite")
    mongod: Mongod = request.getfixturevalue("mongod")
    mongod.empty(DATABASE)
    return MongoStore(mongod.url, DATABASE, "motor" if driver == "motor" else "pymongo")


@pytest.fixture(params=["sqlite", "motor", "pymongo"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store, started."""
    made = _make_store(request.param, request, tmp_path)
    await made.start()
    try:
        yield made
    finally:
        await made.close()
