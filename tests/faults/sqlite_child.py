"""A process that writes to a SQLite store until it is killed. `python -m tests.faults.sqlite_child`.

Each line on standard input is a job, `write PATH` or `migrate PATH`, and is done in a fork. The fork's process id
comes back as the first line, then one line for each write that the store has acknowledged, then `gone`.
"""

import asyncio
import itertools
import os
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from rhythmd.store.sqlite import SqliteStore
from rhythmd.store.sqlite.engine import Engine
from rhythmd.store.sqlite.schema import Migration
from tests.contracts.rows import make_account, make_entry, make_line

__all__ = ["ROWS_A_STEP", "STEPS"]

WRITERS: Final = 8
ROWS_A_STEP: Final = 3_000

STEPS: Final[tuple[Migration, ...]] = tuple(
    (
        f"CREATE TABLE step{step} (n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
        f"""
        INSERT INTO step{step} (text)
        WITH RECURSIVE rows (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE n < {ROWS_A_STEP})
        SELECT hex(randomblob(20)) FROM rows
        """,
        f"CREATE INDEX step{step}_by_text ON step{step} (text)",
    )
    for step in range(1, 21)
)


def _say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def _write_rows(store: SqliteStore) -> None:
    for n in itertools.count():
        account = make_account()
        await store.accounts.create(account)
        _say("accounts", account.id)
        entry = make_entry(str(n))
        await store.audit.append([entry])
        _say("audit", entry.id)
        [line] = await store.chat.append("room", [make_line(uuid.uuid4().hex)], 1_000_000)
        _say("chat", line.id)


async def _write(path: Path) -> None:
    store = SqliteStore(path)
    await store.start()
    await asyncio.gather(*(_write_rows(store) for _ in range(WRITERS)))


async def _migrate(path: Path) -> None:
    engine = Engine(path, migrations=STEPS)
    await engine.start()
    await engine.close()


_JOBS: Final[Mapping[str, Callable[[Path], Awaitable[None]]]] = {"write": _write, "migrate": _migrate}


async def _do(job: str, path: str) -> None:
    await _JOBS[job](Path(path))


def main() -> None:
    for command in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(_do(*command.split()))
            os._exit(0)
        _say(child)
        os.waitpid(child, 0)
        _say("gone")


if __name__ == "__main__":
    main()
