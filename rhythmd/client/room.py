"""Into a room, ready to play or to listen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec

from rhythm_protocol.close import RESTARTING
from rhythm_protocol.messages import JoinAck, JoinRoom, Message, ResumeAck, RoomLeft
from rhythmd.client.errors import RemovedFromRoom, SessionLost
from rhythmd.client.session import Session, open_session

__all__ = ["RoomAddress", "check_place", "enter_room"]


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
async def enter_room(address: RoomAddress) -> AsyncIterator[tuple[Session, JoinAck]]:
    """Connect and join. Raises Unreachable, RequestRefused or ConnectionEnded."""
    async with open_session(address.url, bot=address.bot) as session:
        if address.name is not None:
            await session.ask("user-update", {"name": address.name})
        request = JoinRoom(address.room, address.password, address.create)
        yield session, msgspec.convert(await session.ask("join-room", request), JoinAck)


def check_place(message: Message) -> None:
    """Whether we are still in the room after `message`.

    Raises:
        RemovedFromRoom: the owner kicked or banned us.
        SessionLost: the session was resumed, outside of the room.
    """
    match message:
        case RoomLeft():
            raise RemovedFromRoom(message)
        case ResumeAck(recovered=False, join=None):
            raise SessionLost(RESTARTING, "the place in the room is lost")
        case _:
            pass
