"""SQLite in a process that is killed at any moment: what was acknowledged is there when the file is opened again."""

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from rhythmd.store.sqlite import SqliteStore
from tests.faults.sqlite_child import ROWS_A_STEP, STEPS

ROUNDS = 50
MOST_ATTEMPTS = 50  # to meet a migration in the middle, on machines of any speed


class Victim:
    """A process that does a job and is killed in it."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin = stdin
        self._stdout = stdout

    def begin(self, job: str, path: Path) -> int:
        """The id of the process that has begun."""
        self._stdin.write(f"{job} {path}\n")
        self._stdin.flush()
        return int(self._stdout.readline())

    def acknowledged(self) -> list[list[str]]:
        """What the process said until it was gone, each line in words."""
        return [line.split() for line in iter(self._stdout.readline, "gone\n")]


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.faults.sqlite_child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Victim(process.stdin, process.stdout)


def kill_after(pid: int, seconds: float) -> None:
    time.sleep(seconds)  # The moment is what is tried out.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kept_ids(connection: sqlite3.Connection, table: str) -> set[str]:
    return {str(row_id) for (row_id,) in connection.execute(f"SELECT id FROM {table}")}


async def problems(path: Path) -> list[str]:
    """What the store finds wrong with its file when it is opened again."""
    store = SqliteStore(path)
    await store.start()
    found = await store.check()
    await store.close()
    return found


def test_kill_under_load_loses_nothing_acknowledged(victim: Victim, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    moments = random.Random(1)
    acknowledged: list[list[str]] = []
    for _ in range(ROUNDS):
        pid = victim.begin("write", path)
        kill_after(pid, moments.uniform(0.0, 0.08))
        acknowledged += victim.acknowledged()
        assert asyncio.run(problems(path)) == []
        with contextlib.closing(sqlite3.connect(path)) as connection:
            kept = {table: kept_ids(connection, table) for table in ("accounts", "audit", "chat")}
        assert [(table, row_id) for table, row_id in acknowledged if row_id not in kept[table]] == []
    assert len(acknowledged) > 10 * ROUNDS


def test_kill_in_migrations_leaves_whole_steps(victim: Victim, tmp_path: Path) -> None:
    moments = random.Random(2)
    versions: list[int] = []
    for attempt in range(MOST_ATTEMPTS):
        path = tmp_path / f"{attempt}.sqlite"
        finished = False
        while not finished:
            pid = victim.begin("migrate", path)
            kill_after(pid, moments.uniform(0.0, 0.1))
            victim.acknowledged()
            versions.append(check_steps(path))
            finished = versions[-1] == len(STEPS)
        if len(set(versions)) > 3:
            return
    pytest.fail("all kills came too early or too late to show anything")


def check_steps(path: Path) -> int:
    """The version that the file has; fails unless each step up to it is there whole, and nothing of the next."""
    path.touch()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        [(version,)] = connection.execute("PRAGMA user_version")
        assert [text for (text,) in connection.execute("PRAGMA integrity_check")] == ["ok"]
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        assert {name for (name,) in tables} == {f"step{step}" for step in range(1, version + 1)}
        for (name,) in tables:
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchall() == [(ROWS_A_STEP,)]
    return int(version)
