"""A folder of sheet music, an operator's account, and `rhythmd sheets` on them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypeVar

from rhythmd.app import open_blobs, open_store
from rhythmd.cli import main
from rhythmd.ports import BlobStore, Store
from rhythmd.rows import Account, Sheet
from tests.rest.sheets import midi
from tests.server import make_config

__all__ = ["CREATOR", "Desk", "fill"]

CREATOR: Final = Account(id="c1ara", usertag="Clara", username="Clara", nickname="Clara", created=0, updated=0)

T = TypeVar("T")


def fill(folder: Path, count: int) -> None:
    """Make so many MIDI files, each another one, in folders of ten."""
    for number in range(count):
        path = folder / f"{number // 10:03}" / f"piece-{number}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(midi(60 + number % 24, 30 + number // 24, title=f"Piece {number}"))


class Desk:
    """What an operator has before them: the data folder of a server that is not running, with Clara's account.

    Args:
        data: the folder.
        settings: of the server, each as `section.key=value`.
    """

    def __init__(self, data: Path, *settings: str) -> None:
        self.data = data
        self.settings = settings
        self.config = make_config(data, settings)
        self.options = ["--data", str(data), *(part for setting in settings for part in ("--set", setting))]

    async def prepare(self) -> None:
        """Make the account."""
        async with self.open() as (store, _):
            await store.accounts.create(CREATOR)

    def run(self, *arguments: str | Path) -> int:
        """The exit status of `rhythmd sheets`."""
        return main(["sheets", *map(str, arguments), *self.options])

    def take_in(self, folder: Path, *options: str) -> int:
        """The exit status of an import for Clara."""
        return self.run("import", folder, "--as", "clara", *options)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Store, BlobStore]]:
        """The store and the blobs, past the commands."""
        store, blobs = open_store(self.config), open_blobs(self.config)
        await store.start()
        await blobs.start()
        try:
            yield store, blobs
        finally:
            await blobs.close()
            await store.close()

    def ask(self, question: Callable[[Store, BlobStore], Awaitable[T]]) -> T:
        """What comes of a question to the store and the blobs."""

        async def run() -> T:
            async with self.open() as (store, blobs):
                return await question(store, blobs)

        return asyncio.run(run())

    def sheets(self) -> list[Sheet]:
        """All sheets."""
        return self.ask(lambda store, _: store.sheets.sheets(100_000))
