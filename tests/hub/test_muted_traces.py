"""The mute of an account holds on to its network and browser, as a ban does, and spares who was there before."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rhythmd.app import Server
from rhythmd.auth.values import Client as Whereabouts
from tests.client import Client, Connect
from tests.deadline import until
from tests.hub.people import ORIGIN, PASSWORD, Register
from tests.server import Serve, make_config, running_server

HOME: Final = {"X-Forwarded-For": "203.0.113.7"}
ELSEWHERE: Final = {"X-Forwarded-For": "198.51.100.1"}


async def open_account(server: Server, connect: Connect, register: Register, usertag: str) -> Client:
    person = await register(server, usertag)
    return await connect(server, headers=HOME | {"Authorization": f"Bearer {person.token}"})


async def says(client: Client) -> str | None:
    """The code of the refusal of a line, in the lobby."""
    error = (await client.answer("chat-message", {"content": "hello"})).error
    return None if error is None else error.code


async def guest(server: Server, connect: Connect, headers: Mapping[str, str]) -> Client:
    client = await connect(server, headers=headers)
    await client.join("lobby")
    return client


async def own_name(client: Client) -> str:
    """What the lobby calls one who comes."""
    ack = await client.join("lobby")
    return next(user.name for user in ack.members if user.id == client.welcome.user.id)


async def test_muted_account_comes_back_as_a_guest_as_a_new_account_or_on_a_spare_socket(
    serve: Serve, connect: Connect, register: Register
) -> None:
    server = await serve()
    culprit = await open_account(server, connect, register, "culprit")
    await culprit.join("lobby")
    classmate = await guest(server, connect, HOME)
    pupil = await open_account(server, connect, register, "pupil")
    spare = await connect(server, headers=HOME)
    await server.auth.moderation.mute(None, "culprit", 3_600, ORIGIN)
    again = await guest(server, connect, HOME)
    other = await open_account(server, connect, register, "other")
    await spare.join("lobby")
    assert (await own_name(other)).startswith("Guest ")  # a new account may have its name only to be read
    assert await own_name(pupil) == "pupil"
    assert [await says(client) for client in (culprit, again, other, spare)] == ["chat-muted"] * 4
    assert (await again.refused("user-update", {"name": "something bad"})).code == "chat-muted"
    for client in (classmate, pupil, await guest(server, connect, ELSEWHERE)):
        assert await says(client) is None
    await server.auth.moderation.unmute(None, "culprit", ORIGIN)
    for client in (culprit, again, other, spare):
        assert await says(client) is None
    assert await says(await guest(server, connect, HOME)) is None


async def test_mute_leaves_a_network_alone_when_the_operator_says_so(
    serve: Serve, connect: Connect, register: Register
) -> None:
    server = await serve("rooms.ban_network_minutes=0")
    culprit = await open_account(server, connect, register, "culprit")
    spare = await connect(server, headers=HOME)
    await server.auth.moderation.mute(None, "culprit", None, ORIGIN)
    await culprit.join("lobby")
    await spare.join("lobby")
    assert await says(culprit) == "chat-muted"
    for client in (spare, await guest(server, connect, HOME)):
        assert await says(client) is None


async def test_account_that_was_muted_before_the_start_is_noticed_when_it_comes(
    serve: Serve, connect: Connect, register: Register
) -> None:
    server = await serve()
    person = await register(server, "culprit")
    await server.auth.moderation.mute(None, "culprit", None, ORIGIN)  # from where nobody has been yet
    assert await says(await guest(server, connect, HOME)) is None
    await connect(server, headers=HOME | {"Authorization": f"Bearer {person.token}"})
    assert await says(await guest(server, connect, HOME)) == "chat-muted"


async def test_mute_holds_on_to_the_network_over_a_restart(
    tmp_path: Path, connect: Connect, register: Register
) -> None:
    config = make_config(tmp_path / "data")
    async with running_server(config) as server:
        await register(server, "culprit")
        await server.auth.accounts.login("culprit", PASSWORD, Whereabouts(address=HOME["X-Forwarded-For"]))
        await server.auth.moderation.mute(None, "culprit", None, ORIGIN)
        pupil = await register(server, "pupil")
    async with running_server(config) as restarted:
        await until(lambda: len(restarted.auth.traces), "what was muted before is known")
        again = await guest(restarted, connect, HOME)
        later = await connect(restarted, headers=HOME | {"Authorization": f"Bearer {pupil.token}"})
        elsewhere = await guest(restarted, connect, ELSEWHERE)
        await later.join("lobby")
        assert [await says(client) for client in (again, later, elsewhere)] == ["chat-muted"] * 2 + [None]
        await restarted.auth.moderation.unmute(None, "culprit", ORIGIN)
        assert await says(again) is None
