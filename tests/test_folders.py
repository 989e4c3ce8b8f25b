"""What other users of the machine may see of the server's files: nothing."""

import logging
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from rhythmd.folders import close_to_others, make_private, warn_if_open
from tests.rest.api import open_api
from tests.server import Serve


@pytest.fixture(autouse=True)
def generous() -> Iterator[None]:
    """The umask of most machines."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_make_private_makes_all_that_is_missing_for_the_owner_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(tmp_path / "srv" / "data")
    assert (mode(tmp_path), mode(tmp_path / "srv"), mode(tmp_path / "srv" / "data")) == (0o755, 0o700, 0o700)
    make_private(tmp_path / "srv" / "data")


def test_make_private_leaves_a_folder_that_is_there_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o750)
    make_private(tmp_path / "data")
    assert mode(tmp_path / "data") == 0o750


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o700), (0o777, 0o700), (0o2750, 0o2700), (0o700, 0o700)])
def test_close_to_others_closes_what_an_older_version_left_open(tmp_path: Path, before: int, after: int) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs").chmod(before)
    close_to_others(tmp_path / "blobs")
    assert mode(tmp_path / "blobs") == after


def test_warn_if_open_says_so_of_open_folders_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, bits in (("open", 0o755), ("closed", 0o700)):
        (tmp_path / name).mkdir(mode=bits)
        with caplog.at_level(logging.WARNING):
            warn_if_open(tmp_path / name)
    warn_if_open(tmp_path / "missing")
    assert [record.getMessage().split(" ")[0] for record in caplog.records] == [str(tmp_path / "open")]


async def test_server_makes_nothing_that_others_may_read(serve: Serve, tmp_path: Path) -> None:
    server = await serve()
    async with open_api(server) as api:
        await api.register()
        await server.blobs.put("0" * 32, _parts())
    made = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
    assert {"blobs", "live"} <= {path.name for path in made}
    for path in made:
        if path.is_dir():
            assert mode(path) == 0o700, path
    assert mode(tmp_path / "data" / "rhythmd.sqlite3") == 0o600


async def _parts() -> AsyncIterator[bytes]:
    yield b"content"
