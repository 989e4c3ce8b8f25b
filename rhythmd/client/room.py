"""Into a room, ready to play or to listen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from rhythm_protocol.messages import JoinAck, JoinRoom
from rhythmd.client.connection import Connection, open_connection

__all__ = ["RoomAddress", "enter_room"]


@dataclass(frozen=True, slots=True)
class RoomAddress:
    """Where to go, and as whom.

    Attributes:
        url: of the server, `ws://` or `wss://`.
        room: its id or name; `lobby` finds a lobby.
        password: of the room, if it has one.
        create: whether to make the room if there is none.
        name: what to be called; None leaves the server's choice.
        bot: whether to call oneself one.
    """

    url: str
    room: str
    password: str | None = None
    create: bool = True
    name: str | None = None
    bot: bool = False


@asynccontextmanager
async def enter_room(address: RoomAddress) -> AsyncIterator[tuple[Connection, JoinAck]]:
    """Connect and join. Raises Unreachable, RequestRefused or ConnectionEnded."""
    async with open_connection(address.url, bot=address.bot) as connection:
        if address.name is not None:
            await connection.ask("user-update", {"name": address.name})
        request = JoinRoom(address.room, address.password, address.create)
        yield connection, msgspec.convert(await connection.ask("join-room", request), JoinAck)
