"""What the operator at the command line, or another server, does to users whose sockets are open here."""

import asyncio
import sys
from pathlib import Path
from typing import Final

from rhythm_protocol.messages import UserUpdated
from rhythmd.app import PING_S
from tests.client import Connect
from tests.deadline import within
from tests.hub.people import ORIGIN, Person, Register
from tests.server import Serve

USER: Final = ("-m", "rhythmd", "user")


async def command(database: Path, *words: str) -> None:
    """`rhythmd user …` beside the running server."""
    data = ("--data", str(database.parent))
    process = await asyncio.create_subprocess_exec(sys.executable, *USER, *words, *data, stdout=asyncio.subprocess.PIPE)
    output, _ = await within(process.communicate())
    assert process.returncode == 0, output


async def test_ban_at_the_command_line_closes_the_sockets(connect: Connect, clara: Person, database: Path) -> None:
    sockets, guest = [await clara.open(), await clara.open()], await connect(clara.server)
    await command(database, "ban", "clara", "--reason", "noise")
    for socket in sockets:
        assert await socket.closed() == (4005, "user-banned")
    await guest.join("lobby")


async def test_role_at_the_command_line_counts_and_is_said_once(
    connect: Connect, clara: Person, database: Path
) -> None:
    socket, listener = await clara.open(), await connect(clara.server)
    for client in (socket, listener):
        await client.join("lobby")
    assert (await socket.refused("clear-chat")).code == "not-owner"
    await command(database, "role", "clara", "member", "moderator")
    assert (await listener.expect(UserUpdated)).user.id == clara.id
    await socket.ask("clear-chat")
    await asyncio.sleep(2 * PING_S)  # asked about again, and found again
    await listener.clock()
    assert not listener.has(UserUpdated)


async def test_ban_and_logout_at_another_server_close_the_sockets(
    serve: Serve, register: Register, clara: Person
) -> None:
    there, robert = await serve(), await register(clara.server, "robert")
    sockets = [await person.open() for person in (clara, robert)]
    await there.auth.moderation.ban(None, "clara", 60, "", ORIGIN)
    await there.auth.sessions.logout(robert.id, robert.grant.session_id, ORIGIN)
    assert await sockets[0].closed() == (4005, "user-banned")
    assert await sockets[1].closed() == (4004, "login-revoked")
