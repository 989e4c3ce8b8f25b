"""The whole server on each store: from a new account to a line of chat."""

import sys
from pathlib import Path

import pytest

from rhythm_protocol.messages import ChatLine, RecordingReady
from rhythmd.app import open_blobs
from rhythmd.config import load_config
from rhythmd.errors import ConfigError
from tests.client import Client, Connect, note_off, note_on
from tests.rest.api import PASSWORD, UNLIMITED, Answer, Api, User, open_api
from tests.server import Serve, ServerProcess, Spawn, running_process
from tests.services import S3, Mongod

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


@pytest.fixture(params=["directory", "gridfs", "s3"])
def file_settings(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Those of a server that keeps its files there."""
    backend = f"blobs.backend={request.param}"
    if request.param == "s3":
        s3: S3 = request.getfixturevalue("s3")
        keys = ("blobs.s3_access_key=k", "blobs.s3_secret_key=s")
        return (*UNLIMITED, backend, f"blobs.s3_endpoint={s3.url}", f"blobs.s3_bucket={s3.BUCKET}", *keys)
    if request.param == "gridfs":
        mongod: Mongod = request.getfixturevalue("mongod")
        return (*UNLIMITED, backend, f"mongo.url={mongod.url}", f"mongo.database={DATABASE}")
    return (*UNLIMITED, backend)


async def test_recording_is_downloaded_in_parts_from_each_place(
    serve: Serve, connect: Connect, file_settings: tuple[str, ...]
) -> None:
    server = await serve(*file_settings)
    async with open_api(server) as api:
        clara = await api.register("Clara")
        client = await connect(server, path=await api.socket_path(clara.access_token))
        await client.join("Salon")
        await client.ask("record", {"on": True})
        await client.play([note_on(), note_off(offset_ms=250)])
        await client.clock()
        await client.ask("record", {"on": False})
        info = (await client.expect(RecordingReady)).recording
        whole = await api.download(info.url)
        assert (whole.status, whole.content[:4], len(whole.content)) == (200, b"MThd", info.bytes)
        part = await api.download(info.url, headers={"Range": "bytes=4-9"})
        assert (part.status, part.content) == (206, whole.content[4:10])
        path = f"/recordings/{info.id}"
        assert (await api.call("DELETE", path, token=clara.access_token)).status == 204
        assert (await api.download(info.url)).status == 404


@pytest.mark.parametrize(
    ("backend", "library", "extra"), [("s3", "obstore", r"rhythmd\[s3\]"), ("gridfs", "motor", r"rhythmd\[mongo\]")]
)
def test_missing_extra_is_named(backend: str, library: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("rhythmd.store.mongo", "rhythmd.store.blobs."))]:
        monkeypatch.delitem(sys.modules, name)
    for name in (library, f"{library}.motor_asyncio"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=extra):
        open_blobs(load_config(None, {}, [f"blobs.backend={backend}", "blobs.s3_bucket=b"]))
