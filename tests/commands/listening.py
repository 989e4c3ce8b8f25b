"""A listener beside the test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest

from rhythm_protocol.midi import NOTE_OFF, NOTE_ON
from rhythmd.client.listen import Until, listen
from rhythmd.client.recording import Recording
from rhythmd.client.room import RoomAddress
from rhythmd.client.score import ScoreEvent, read_score
from tests.deadline import until, within

__all__ = ["FOREVER", "Listening", "is_whole", "listening"]

FOREVER: Final = Until()


class Listening:
    """A listener in the room Salon at `url`, with what it wrote."""

    def __init__(self, url: str, until: Until) -> None:
        self.lines: list[str] = []
        self.recording = Recording("Salon")
        address = RoomAddress(url, "Salon", name="Robert")
        self.task = asyncio.create_task(listen(address, until, self.recording, self.lines.append))

    async def wrote(self, text: str, times: int = 1) -> None:
        await until(lambda: self.task.done() or sum(text in line for line in self.lines) >= times, f"{text} is written")
        assert sum(text in line for line in self.lines) >= times, self.lines

    async def stop(self, path: Path) -> list[ScoreEvent]:
        """End it as a signal does; what was recorded."""
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(self.task)
        await asyncio.to_thread(self.recording.save, path)
        return (await asyncio.to_thread(read_score, path)).events


@asynccontextmanager
async def listening(url: str, until: Until = FOREVER) -> AsyncIterator[Listening]:
    """A listener that is in the room, as long as the block lasts."""
    listener = Listening(url, until)
    try:
        await listener.wrote("joined: ")
        yield listener
    finally:
        listener.task.cancel()
        await asyncio.gather(listener.task, return_exceptions=True)


def is_whole(score: list[ScoreEvent]) -> bool:
    """Whether every key goes down only when it is up, and up at last."""
    down: set[tuple[int, int]] = set()
    for _, (status, key, velocity) in score:
        pressed = (status & 0x0F, key)
        if status & 0xF0 == NOTE_ON and velocity:
            if pressed in down:
                return False
            down.add(pressed)
        elif status & 0xF0 in (NOTE_ON, NOTE_OFF):
            down.discard(pressed)
    return not down
