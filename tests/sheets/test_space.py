"""Tests of the disk that sheets may fill."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from rhythm_protocol.errors import ErrorCode
from rhythmd.config import Config
from rhythmd.errors import Refused
from rhythmd.ports import Store, StoreUnavailable
from rhythmd.rows import SheetFile
from rhythmd.sheets.space import SheetSpace, Uploader, free_for_sheets
from rhythmd.store.sqlite import SqliteStore
from tests.contracts.rows import make_sheet, make_sheet_file
from tests.server import make_config

SHARE = 104_858  # bytes: a tenth of a MiB, rounded up
HALF = 524_288


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = SqliteStore(tmp_path / "store.sqlite")
    await made.start()
    yield made
    await made.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path, ["sheets.total_mb=1"])


def content(name: str, size: int, midi_size: int = 0) -> SheetFile:
    return structs.replace(make_sheet_file(name), size=size, midi_size=midi_size)


async def refused(space: SheetSpace, size: int, uploader: Uploader) -> str:
    with pytest.raises(Refused) as error:
        await space.require(size, uploader)
    assert error.value.code is ErrorCode.UPLOAD_LIMIT
    return str(error.value)


async def test_an_account_has_a_share_of_the_disk(store: Store, config: Config) -> None:
    space, anna = SheetSpace(store.sheets, config), Uploader("anna")
    await space.require(SHARE, anna)
    space.take(content("one", SHARE - 10, 10), anna)
    await refused(space, 1, anna)
    with pytest.raises(Refused):
        space.take(content("two", 1), anna)
    await space.require(SHARE, Uploader("bert"))
    assert space.kept == SHARE


async def test_accounts_of_one_network_have_one_share_together(store: Store, config: Config) -> None:
    space = SheetSpace(store.sheets, config)
    for number in range(8):
        space.take(content(str(number), HALF // 8), Uploader(f"user {number}", f"2001:db8::{number + 1}"))
    assert "network" in await refused(space, 1, Uploader("one more", "2001:db8::9"))
    await space.require(SHARE, Uploader("another", "2001:db8:0:1::1"))
    await space.require(SHARE, Uploader("local", "127.0.0.1"))


async def test_what_is_removed_is_given_back(store: Store, config: Config) -> None:
    space, anna, one = SheetSpace(store.sheets, config), Uploader("anna", "192.0.2.1"), content("one", SHARE)
    space.take(one, anna)
    for _ in range(2):
        space.release(one.id)
    assert space.kept == 0
    await space.require(SHARE, anna)


async def test_a_restart_counts_what_the_store_has(store: Store, config: Config) -> None:
    one, nobodys = content("one", SHARE), content("nobody's", 1_000)
    for file in (one, nobodys):
        await store.sheets.add_file(file)
    await store.sheets.create(make_sheet(one, creator_id="anna"))
    space = SheetSpace(store.sheets, config)
    await refused(space, 1, Uploader("anna"))
    await space.require(SHARE, Uploader("bert"))
    assert space.kept == SHARE + 1_000
    space.know(one)
    await space.count()
    assert space.kept == SHARE + 1_000


async def test_all_together_have_no_more_than_there_is(store: Store, config: Config) -> None:
    space = SheetSpace(store.sheets, config)
    for number in range(10):
        space.take(content(str(number), SHARE - 100), Uploader(f"user {number}", f"192.0.{number}.1"))
    await refused(space, 2_000, Uploader("late"))


async def test_a_full_disk_refuses_uploads(store: Store, config: Config) -> None:
    with pytest.raises(StoreUnavailable):
        await SheetSpace(store.sheets, config).require(1 << 60, Uploader("anna"))


def test_a_reserve_of_the_disk_is_left(tmp_path: Path) -> None:
    assert free_for_sheets(tmp_path, 0) > free_for_sheets(tmp_path, 1 << 60)
    with pytest.raises(StoreUnavailable):
        free_for_sheets(tmp_path / "nowhere", 0)
