"""Rooms that are kept, while the database takes nothing."""

from pathlib import Path
from typing import Final, NamedTuple

import pytest

from rhythm_protocol.messages import ChatCleared
from rhythmd.app import Server
from tests.client import Client, Connect, note_on
from tests.conftest import ErrorLog
from tests.hub.people import Register
from tests.hub.rooms import find, until_asleep
from tests.server import Serve
from tests.sqlite import locked

IMPATIENT: Final = "store.timeout_s=1"  # enough for a busy machine whose database is there


class Salon(NamedTuple):
    """A kept room and the sockets of both who are in it. `robert` is the id of the one who owns nothing."""

    server: Server
    owner: Client
    noisy: Client
    robert: str


@pytest.fixture
async def salon(serve: Serve, register: Register) -> Salon:
    server = await serve(IMPATIENT)
    clara, robert = await register(server, "clara"), await register(server, "robert")
    owner, noisy = await clara.open(), await robert.open()
    await owner.join("Salon")
    await find(noisy, "Salon")
    return Salon(server, owner, noisy, robert.id)


async def test_database_that_takes_nothing_stops_chat_but_not_music(
    serve: Serve, connect: Connect, register: Register, database: Path, errors_logged: ErrorLog
) -> None:
    server = await serve("hub.flush_max_ms=0", IMPATIENT)
    clara = await register(server, "clara")
    owner, guest, other = await clara.open(), await connect(server), await connect(server)
    await owner.join("Salon")
    await find(guest, "Salon")
    await owner.ask("chat-message", {"content": "before"})
    with locked(database):
        for type_, data in (
            ("chat-message", {"content": "lost"}),
            ("room-update", {"settings": {"name": "Attic"}}),
            ("clear-chat", {}),
        ):
            assert (await owner.refused(type_, data)).code == "unavailable"
        await guest.play([note_on()])
        await owner.events(1)
        for client in (other, guest):
            await client.join("lobby")
        await other.ask("chat-message", {"content": "still here"})
    assert not any(isinstance(message, ChatCleared) for message in await owner.received())
    while (await owner.answer("chat-message", {"content": "after"})).error:
        pass
    ack = await find(guest, "Salon")
    assert (ack.room.name, [line.content for line in ack.chat]) == ("Salon", ["before", "after"])
    errors_logged.records.clear()


async def test_unban_that_cannot_be_stored_can_be_repeated(
    salon: Salon, database: Path, errors_logged: ErrorLog
) -> None:
    _, owner, noisy, robert = salon
    await owner.ask("ban", {"user": robert})
    with locked(database):
        assert (await owner.refused("unban", {"user": robert})).code == "unavailable"
        assert (await noisy.refused("join-room", {"room": "Salon"})).code == "banned"
    while (await owner.answer("unban", {"user": robert})).error:
        pass
    await find(noisy, "Salon")
    errors_logged.records.clear()


async def test_ban_that_cannot_be_stored_is_in_force_and_can_be_repeated(
    salon: Salon, database: Path, errors_logged: ErrorLog
) -> None:
    server, owner, noisy, robert = salon
    with locked(database):
        assert (await owner.refused("ban", {"user": "robert"})).code == "unavailable"
        assert (await noisy.refused("join-room", {"room": "Salon"})).code == "banned"
    while (await owner.answer("ban", {"user": robert, "reason": "noise"})).error:
        pass
    await owner.ask("leave-room")
    await until_asleep(server)
    await find(owner, "Salon")
    assert (await noisy.refused("join-room", {"room": "Salon"})).code == "banned"
    errors_logged.records.clear()
