"""The whole server on each store: from a new account to a line of chat."""

from pathlib import Path

import pytest

from rhythm_protocol.messages import ChatLine
from tests.client import Client, Connect, note_off, note_on
from tests.rest.api import PASSWORD, UNLIMITED, Answer, Api, User, open_api
from tests.server import ServerProcess, Spawn, running_process
from tests.services import Mongod

DATABASE = "whole"
SECRET = "open sesame"


@pytest.fixture(params=["sqlite", "motor", "pymongo"])
def settings(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Those of a server on an empty store."""
    if request.param == "sqlite":
        return UNLIMITED
    mongod: Mongod = request.getfixturevalue("mongod")
    mongod.empty(DATABASE)
    mongo = (f"mongo.url={mongod.url}", f"mongo.database={DATABASE}", f"mongo.driver={request.param}")
    return (*UNLIMITED, "store.backend=mongo", *mongo)


async def take_seat(api: Api, room: str, user: User, password: str) -> Answer:
    return await api.call("POST", f"/rooms/{room}/join", {"password": password}, token=user.access_token)


async def enter(connect: Connect, server: ServerProcess, api: Api, room: str, user: User) -> Client:
    """`user` in `room`, by way of a reserved seat and its ticket."""
    seat = await take_seat(api, room, user, SECRET)
    assert (seat.status, seat.body["room"]["name"]) == (200, "Salon")
    client = await connect(server, path=f"/ws?ticket={seat.body['ticket']}")
    assert client.welcome.user.id == user.id
    await client.join(room)
    return client


async def prepare(api: Api) -> tuple[list[User], str]:
    """Two users, one with a profile, and a room with a password."""
    await api.register("Clara")
    clara, robert = await api.login("Clara"), await api.register("Robert")
    changed = await api.call("PATCH", "/users/profile", {"bio": "plays"}, token=clara.access_token)
    assert (changed.status, changed.body["profile"]["bio"]) == (200, "plays")
    created = await api.call("POST", "/rooms/create", {"name": "Salon", "password": SECRET}, token=clara.access_token)
    assert created.status == 201, created.body
    return [clara, robert], created.body["id"]


async def test_account_room_seat_socket_and_chat(spawn: Spawn, connect: Connect, settings: tuple[str, ...]) -> None:
    server = await spawn(*settings)
    async with open_api(server) as api:
        users, room = await prepare(api)
        assert (await take_seat(api, room, users[1], "wrong")).code == "wrong-password"
        clara, robert = [await enter(connect, server, api, room, user) for user in users]
        await clara.ask("chat-message", {"content": "Good evening"})
        assert (await robert.expect(ChatLine)).content == "Good evening"
        await robert.play([note_on(), note_off()])
        assert len(await clara.events(2)) == 2
    assert "Traceback" not in server.log()


async def test_all_is_there_after_a_restart(tmp_path: Path, connect: Connect, settings: tuple[str, ...]) -> None:
    async with running_process(tmp_path, settings) as server, open_api(server) as api:
        users, room = await prepare(api)
        clara = await enter(connect, server, api, room, users[0])
        await clara.ask("chat-message", {"content": "Good evening"})
    async with running_process(tmp_path, settings) as server, open_api(server) as api:
        profile = (await api.call("GET", "/users/Clara")).body["profile"]
        assert profile["bio"] == "plays"
        assert (await api.call("POST", "/auth/login", {"user": "Robert", "password": PASSWORD})).status == 200
        seat = await take_seat(api, room, users[1], SECRET)
        robert = await connect(server, path=f"/ws?ticket={seat.body['ticket']}")
        assert [line.content for line in (await robert.join(room)).chat] == ["Good evening"]
