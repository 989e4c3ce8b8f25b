"""The key file: made once, private, rotated."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rhythmd.auth.keys import ROTATION_GRACE_MS, KeyFile, follow_key_file
from rhythmd.errors import ConfigError
from tests.auth.parts import ManualClock
from tests.deadline import until

LIFETIME_MS = 900_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


def open_keys(path: Path, clock: ManualClock) -> KeyFile:
    return KeyFile(path, LIFETIME_MS, clock)


def test_open_first_time_makes_a_file_for_its_owner_only(path: Path, clock: ManualClock) -> None:
    open_keys(path, clock)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_open_second_time_finds_the_same_key(path: Path, clock: ManualClock) -> None:
    assert open_keys(path, clock).current.kid == open_keys(path, clock).current.kid


def test_open_by_several_at_once_agrees_on_one_key(path: Path, clock: ManualClock) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: open_keys(path, clock).current.kid, range(8)))) == 1
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", ["", "{}", '{"kid": 1}', "\xff"])
def test_open_damaged_file_is_refused(path: Path, clock: ManualClock, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"keys\.json"):
        open_keys(path, clock)


def test_open_where_nothing_can_be_written_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        open_keys(tmp_path / "file" / "keys.json", clock)


def test_rotate_keeps_the_old_key_until_its_last_token_is_dead(path: Path, clock: ManualClock) -> None:
    keys = open_keys(path, clock)
    old = keys.current.kid
    new = keys.rotate()
    last = clock.now + LIFETIME_MS + ROTATION_GRACE_MS
    assert keys.current.kid == new != old
    assert keys.find(old, last - 1) is not None
    assert keys.find(old, last) is None
    assert keys.find(new, last) is not None


def test_rotate_again_after_that_drops_it_from_the_file(path: Path, clock: ManualClock) -> None:
    keys = open_keys(path, clock)
    old = keys.current.kid
    keys.rotate()
    clock.advance((LIFETIME_MS + ROTATION_GRACE_MS) / 1_000)
    keys.rotate()
    assert old not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_follow_notices_a_rotation_by_another_process(path: Path, clock: ManualClock) -> None:
    keys, other = await asyncio.to_thread(lambda: (open_keys(path, clock), open_keys(path, clock)))
    following = asyncio.create_task(follow_key_file(keys, 0.005))
    new = await asyncio.to_thread(other.rotate)
    await until(lambda: keys.current.kid == new, "the new key")
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
