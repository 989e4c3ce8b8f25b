"""What a live state owes the hub, on the memory-mapped file."""

import errno
import os
from pathlib import Path

import pytest

from rhythmd.store.live import BOOT_FILE, DATA_FILE, MappedLiveState, NoLiveState
from tests.conftest import ErrorLog


def opened(folder: Path, size_mb: int = 1) -> MappedLiveState:
    state = MappedLiveState(folder, size_mb)
    state.open()
    return state


def test_values_are_there_for_the_next_process_by_key(tmp_path: Path) -> None:
    state = opened(tmp_path / "live")
    state.apply({"seat/b": b"2", "seat/a": b"1", "seats": b"x", "room/a": b"3"})
    state.apply({"seat/b": None, "seat/none": None, "seat/c": b"4"})
    state.close()
    again = opened(tmp_path / "live")
    assert again.items("seat/") == [("seat/a", b"1"), ("seat/c", b"4")]
    assert again.items("none") == []
    again.clear()
    assert again.items("") == []
    again.close()


def test_folder_of_another_server_is_left_alone(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.apply({"key": b"value"})
    second = opened(tmp_path)
    second.apply({"key": b"other"})
    assert (first.items(""), second.items("")) == ([("key", b"value")], [])
    first.close()
    third = opened(tmp_path)
    assert third.items("") == [("key", b"value")]
    third.close()


def test_state_from_before_the_last_boot_is_forgotten(tmp_path: Path) -> None:
    state = opened(tmp_path)
    state.apply({"key": b"value"})
    state.close()
    (tmp_path / BOOT_FILE).write_text("another boot")
    state = opened(tmp_path)
    assert state.items("") == []
    state.close()


def test_full_file_keeps_what_it_has_and_takes_more_when_there_is_room(tmp_path: Path, errors_logged: ErrorLog) -> None:
    state = opened(tmp_path)
    state.apply({"key": b"value"})
    state.apply({f"big/{number}": bytes(100_000) for number in range(20)})
    assert state.items("") == [("key", b"value")]
    failing = [state.is_failing]
    state.apply({"key": b"other"})
    assert state.items("") == [("key", b"other")]
    assert [*failing, state.is_failing] == [True, False]
    state.close()
    errors_logged.records.clear()


def test_disk_that_is_full_at_the_start_costs_the_state_and_not_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors_logged: ErrorLog
) -> None:
    def no_space(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", no_space)
    state = opened(tmp_path)
    state.apply({"key": b"value"})
    assert state.items("") == []
    assert state.is_failing
    state.close()
    errors_logged.records.clear()


@pytest.mark.parametrize("content", [b"", b"junk" * 10_000])
def test_file_that_is_none_is_begun_anew(tmp_path: Path, errors_logged: ErrorLog, content: bytes) -> None:
    opened(tmp_path).close()
    (tmp_path / DATA_FILE).write_bytes(content)
    state = opened(tmp_path)
    state.apply({"key": b"value"})
    assert state.items("") == [("key", b"value")]
    state.close()
    errors_logged.records.clear()


@pytest.mark.parametrize("size", [1, 100, 5_000, 20_000, 900_000, 2_000_000])
def test_file_of_another_size_is_begun_anew(tmp_path: Path, size: int) -> None:
    state = opened(tmp_path)
    state.apply({"key": b"value"})
    state.close()
    os.truncate(tmp_path / DATA_FILE, size)
    state = opened(tmp_path)
    assert state.items("") == []
    state.apply({"key": b"other"})
    assert state.items("") == [("key", b"other")]
    state.close()


def test_forgetful_state_keeps_nothing() -> None:
    state = NoLiveState()
    state.open()
    state.apply({"key": b"value"})
    assert state.items("") == []
    assert not state.is_failing
    state.clear()
    state.close()
