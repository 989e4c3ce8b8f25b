"""Listens to a room: prints what happens there and, if asked to, records its music."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from rhythmd.client.errors import ConnectionEnded, RequestRefused, SessionLost, Unreachable
from rhythmd.client.recording import Recording
from rhythmd.client.room import RoomAddress, enter_room
from rhythmd.client.session import Backoff
from rhythmd.client.visit import Visit

__all__ = ["Until", "listen"]


@dataclass(frozen=True, slots=True)
class Until:
    """When to stop listening: after so many seconds in all, or so many after the last note. None: never."""

    seconds: float | None = None
    quiet_s: float | None = None


async def listen(address: RoomAddress, until: Until, recording: Recording | None, write: Callable[[str], None]) -> None:
    """Listen until it is time to stop, or until cancelled. Comes back by itself after a lost connection.

    Args:
        recording: gets the music; what is held at the end is released in it.
        write: called with each line to print.

    Raises:
        ClientError: the room cannot be entered, or the server sent us away for good.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(until.seconds), asyncio.timeout(None) as quiet:

            def put_off() -> None:
                if until.quiet_s is not None:
                    quiet.reschedule(asyncio.get_running_loop().time() + until.quiet_s)

            await _Listener(address, recording, write, put_off).run()


class _Listener:
    """Goes into the room, and again when the session is over."""

    def __init__(
        self,
        address: RoomAddress,
        recording: Recording | None,
        write: Callable[[str], None],
        on_note: Callable[[], None],
    ) -> None:
        self._address = address
        self._recording = recording
        self._write = write
        self._on_note = on_note
        self._backoff = Backoff()
        self._was_there = False

    async def run(self) -> None:
        """Listen; only an error ends it."""
        while True:
            try:
                await self._visit()
            except SessionLost as lost:
                self._write(f"{lost}; joining anew")
            except (ConnectionEnded, RequestRefused, Unreachable) as trouble:
                await self._wait(trouble)

    async def _visit(self) -> None:
        async with enter_room(self._address) as (session, ack):
            self._was_there = True
            self._backoff.reset()
            visit = Visit(session, self._recording, self._write, self._on_note)
            try:
                await visit.stay(ack)
            finally:
                visit.end()

    async def _wait(self, trouble: ConnectionEnded | RequestRefused | Unreachable) -> None:
        """Wait as the close table says. Raises `trouble` when that is not to come back, or at the very beginning."""
        wait_s = self._backoff.next_wait(trouble.rule)
        if wait_s is None or not (self._was_there or isinstance(trouble, ConnectionEnded)):
            raise trouble
        self._write(f"{trouble}; coming back in {wait_s:.1f} s")
        await asyncio.sleep(wait_s)
