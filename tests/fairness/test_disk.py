"""Tests of the disk that users' files may fill."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythmd.config import Config
from rhythmd.errors import Refused
from rhythmd.fairness.disk import Disk, KeptFile, account_holder, free_bytes, network_digest
from rhythmd.fairness.shares import Holder
from rhythmd.ports import StoreUnavailable
from tests.server import make_config

SHARE: Final = 104_858  # bytes: a tenth of a MiB, rounded up
HALF: Final = 524_288
ANNA: Final = account_holder("anna")
BERT: Final = account_holder("bert")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return make_config(tmp_path, ["blobs.total_mb=1"])


@pytest.fixture
def disk(config: Config, tmp_path: Path) -> Disk:
    return Disk(config, tmp_path)


async def refused(disk: Disk, size: int, holder: Holder) -> str:
    with pytest.raises(Refused) as error:
        await disk.require(size, holder)
    assert error.value.code is ErrorCode.UPLOAD_LIMIT
    return str(error.value)


async def test_an_account_has_a_share_of_the_disk(disk: Disk) -> None:
    await disk.require(SHARE, ANNA)
    disk.take("one", SHARE, ANNA)
    await refused(disk, 1, ANNA)
    with pytest.raises(Refused):
        disk.take("two", 1, ANNA)
    await disk.require(SHARE, BERT)
    assert disk.kept == SHARE


async def test_accounts_of_one_network_have_one_share_together(disk: Disk) -> None:
    for number in range(8):
        disk.take(str(number), HALF // 8, account_holder(f"user {number}", f"2001:db8::{number + 1}"))
    assert "network" in await refused(disk, 1, account_holder("one more", "2001:db8::9"))
    await disk.require(SHARE, account_holder("another", "2001:db8:0:1::1"))
    await disk.require(SHARE, account_holder("local", "127.0.0.1"))


async def test_guests_of_one_network_have_one_share_together(disk: Disk) -> None:
    guest = Holder(network_digest("192.0.2.1"), guest=True, is_network=True)
    disk.take("one", SHARE, guest)
    assert "guests of your network" in await refused(disk, 1, guest)
    await disk.require(SHARE, account_holder("anna", "192.0.2.1"))


async def test_what_is_removed_is_given_back(disk: Disk) -> None:
    anna = account_holder("anna", "192.0.2.1")
    disk.take("one", SHARE, anna)
    disk.take("one", SHARE, anna)  # it is counted
    for _ in range(2):
        disk.release("one")
    assert disk.kept == 0
    await disk.require(SHARE, anna)


async def test_all_kinds_are_counted_before_the_first_file(disk: Disk) -> None:
    async def annas() -> AsyncIterator[KeptFile]:
        yield KeptFile("sheets/one", SHARE, ANNA)

    async def nobodys() -> AsyncIterator[KeptFile]:
        yield KeptFile("avatars/one", 1_000, None)

    disk.add_kind(annas)
    disk.add_kind(nobodys)
    await refused(disk, 1, ANNA)
    await disk.require(SHARE, BERT)
    assert disk.kept == SHARE + 1_000
    disk.know(KeptFile("sheets/one", SHARE, ANNA))
    await disk.count()
    assert disk.kept == SHARE + 1_000


async def test_a_count_that_the_store_ended_begins_again(disk: Disk) -> None:
    is_away = True

    async def annas() -> AsyncIterator[KeptFile]:
        yield KeptFile("one", 10, ANNA)
        if is_away:
            raise StoreUnavailable("away")
        yield KeptFile("two", 20, ANNA)

    disk.add_kind(annas)
    with pytest.raises(StoreUnavailable):
        await disk.require(1, BERT)
    is_away = False
    await disk.require(1, BERT)
    assert disk.kept == 30


async def test_all_together_have_no_more_than_there_is(disk: Disk) -> None:
    for number in range(10):
        disk.take(str(number), SHARE - 100, account_holder(f"user {number}", f"192.0.{number}.1"))
    await refused(disk, 2_000, account_holder("late"))


async def test_a_full_disk_refuses_files_unless_they_are_elsewhere(disk: Disk, config: Config) -> None:
    with pytest.raises(StoreUnavailable):
        await disk.require(1 << 60, ANNA)
    with pytest.raises(Refused):
        await Disk(config, None).require(1 << 60, ANNA)


def test_a_reserve_is_left_of_the_disk_where_files_are(tmp_path: Path) -> None:
    assert free_bytes(tmp_path, 0) > free_bytes(tmp_path, 1 << 60)
    assert free_bytes(tmp_path / "not" / "yet", 0) > free_bytes(tmp_path, 1 << 60)
    memory, linked = Path("/dev/shm"), tmp_path / "blobs"
    linked.symlink_to(memory)
    assert free_bytes(linked, 1 << 60) != free_bytes(tmp_path, 1 << 60)
