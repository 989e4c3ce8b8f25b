"""`recordings/…`: listed, downloaded and deleted by those who may."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from rhythm_protocol.messages import RecordingInfo, RecordingReady
from rhythmd.app import BLOBS_FOLDER, SQLITE_FILE, Server
from rhythmd.rows import Role
from tests.client import Client, Connect, note_off, note_on
from tests.deadline import until
from tests.midifiles import parse
from tests.rest.api import UNLIMITED, Api, User, open_api
from tests.rest.conftest import Promote
from tests.server import Serve

NAME = 'Für "Elise" /../ 🎹'


async def open_socket(api: Api, server: Server, connect: Connect, token: str) -> Client:
    client = await connect(server, path=await api.socket_path(token))
    await client.join("Salon")
    return client


async def record(client: Client, name: str = NAME) -> RecordingInfo:
    """A recording of one note that `client` plays."""
    await client.ask("record", {"on": True, "name": name})
    await client.play([note_on(), note_off(offset_ms=250)])
    await client.clock()
    await client.ask("record", {"on": False})
    return (await client.expect(RecordingReady)).recording


async def listed(api: Api, token: str, query: str = "") -> dict[str, Any]:
    answer = await api.call("GET", f"/recordings{query}", token=token)
    assert answer.status == 200, answer.body
    assert isinstance(answer.body, dict)
    return answer.body


async def test_list_has_what_one_was_present_at(
    api: Api, patient: Server, connect: Connect, clara: User, robert: User
) -> None:
    owner = await open_socket(api, patient, connect, clara.access_token)
    first = await record(owner, "First")
    await open_socket(api, patient, connect, robert.access_token)
    second = await record(owner, "Second")
    assert [item["id"] for item in (await listed(api, clara.access_token))["recordings"]] == [second.id, first.id]
    [item] = (await listed(api, robert.access_token))["recordings"]
    assert (item["id"], item["name"], item["room"], item["owner"]) == (second.id, "Second", "Salon", clara.id)
    assert (item["players"], item["duration_ms"], item["bytes"]) == (1, 250, second.bytes)
    assert item["expires"] > item["created"]


async def test_list_comes_in_pages(api: Api, patient: Server, connect: Connect, clara: User) -> None:
    owner = await open_socket(api, patient, connect, clara.access_token)
    ids = [(await record(owner)).id for _ in range(3)]
    page = await listed(api, clara.access_token, "?limit=2")
    rest = await listed(api, clara.access_token, f"?limit=2&cursor={page['next']}")
    assert {item["id"] for item in page["recordings"] + rest["recordings"]} == set(ids)
    assert rest["next"] is None
    answer = await api.call("GET", "/recordings?cursor=x", token=clara.access_token)
    assert (answer.status, answer.field) == (400, "cursor")


async def test_list_needs_a_login(api: Api) -> None:
    assert (await api.call("GET", "/recordings")).code == "login-required"


async def test_file_is_the_music(api: Api, patient: Server, connect: Connect, clara: User) -> None:
    owner = await open_socket(api, patient, connect, clara.access_token)
    info = await record(owner)
    answer = await api.download(f"/api/v1/recordings/{info.id}/file", token=clara.access_token)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/midi")
    assert int(answer.headers["Content-Length"]) == len(answer.content) == info.bytes
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="F_r _Elise_ _.._ _.mid"; '
        "filename*=UTF-8''F%C3%BCr%20%22Elise%22%20%2F..%2F%20%F0%9F%8E%B9.mid"
    )
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    title, [track] = parse(answer.content)
    assert title == NAME
    assert track.events == [(0, (0x90, 60, 100)), (250, (0x80, 60, 0))]


async def test_file_that_one_has_is_not_sent_again(api: Api, patient: Server, connect: Connect, clara: User) -> None:
    info = await record(await open_socket(api, patient, connect, clara.access_token))
    path = f"/api/v1/recordings/{info.id}/file"
    first = await api.download(path, token=clara.access_token)
    known = {"If-None-Match": first.headers["ETag"]}
    second = await api.download(path, token=clara.access_token, headers=known)
    assert (second.status, second.content) == (304, b"")
    assert (await api.download(path, headers=known)).status == 404


async def test_recording_is_not_there_for_who_was_absent(
    api: Api, patient: Server, connect: Connect, clara: User, robert: User
) -> None:
    info = await record(await open_socket(api, patient, connect, clara.access_token))
    late = await open_socket(api, patient, connect, robert.access_token)
    assert late.slot
    wrong_key = f"?key={'x' * 43}"
    for token in (None, robert.access_token, await api.guest()):
        for path in ("", "/file", wrong_key, f"/file{wrong_key}"):
            answer = await api.call("GET", f"/recordings/{info.id}{path}", token=token)
            assert (answer.status, answer.code) == (404, "not-found")
    assert (await api.call("DELETE", f"/recordings/{info.id}", token=robert.access_token)).status == 404
    assert (await listed(api, robert.access_token))["recordings"] == []


async def test_key_opens_one_recording_to_anybody(api: Api, patient: Server, connect: Connect, clara: User) -> None:
    owner = await open_socket(api, patient, connect, clara.access_token)
    info, other = await record(owner), await record(owner)
    assert (await api.download(info.url)).status == 200
    key = info.url.partition("?")[2]
    answer = await api.call("GET", f"/recordings/{info.id}?{key}")
    assert (answer.status, answer.body["id"]) == (200, info.id)
    assert key.removeprefix("key=") not in str(answer.body)
    assert (await api.call("GET", f"/recordings/{other.id}?{key}")).status == 404
    assert (await api.call("DELETE", f"/recordings/{info.id}?{key}")).code == "login-required"


async def test_guest_with_a_login_has_a_list(api: Api, patient: Server, connect: Connect) -> None:
    token = await api.guest()
    info = await record(await open_socket(api, patient, connect, token))
    assert [item["id"] for item in (await listed(api, token))["recordings"]] == [info.id]
    assert (await api.call("DELETE", f"/recordings/{info.id}", token=token)).status == 204


async def test_delete_is_for_who_asked_for_it(
    api: Api, patient: Server, connect: Connect, clara: User, robert: User, tmp_path: Path
) -> None:
    owner = await open_socket(api, patient, connect, clara.access_token)
    await open_socket(api, patient, connect, robert.access_token)
    info = await record(owner)
    path = f"/recordings/{info.id}"
    answer = await api.call("DELETE", path, token=robert.access_token)
    assert (answer.status, answer.code) == (403, "not-owner")
    assert (await api.call("DELETE", path, token=clara.access_token)).status == 204
    for method in ("GET", "DELETE"):
        assert (await api.call(method, path, token=clara.access_token)).status == 404
    assert (await api.download(info.url)).status == 404
    assert files(tmp_path) == []


def files(folder: Path) -> list[Path]:
    """The files of recordings on disk."""
    return [path for path in (folder / "data" / BLOBS_FOLDER).rglob("*") if path.is_file()]


async def test_delete_is_audited(api: Api, patient: Server, connect: Connect, clara: User, promote: Promote) -> None:
    info = await record(await open_socket(api, patient, connect, clara.access_token))
    await api.call("DELETE", f"/recordings/{info.id}", token=clara.access_token)
    admin = await api.register("Admin")
    await promote(admin, Role.ADMIN)
    answer = await api.call("GET", "/audit?action=recording.deleted", token=admin.access_token)
    [entry] = answer.body["entries"]
    assert (entry["actor_id"], entry["target"], entry["details"]["name"]) == (clara.id, info.id, NAME)


async def test_ban_does_not_take_what_one_was_present_at(
    api: Api, patient: Server, connect: Connect, clara: User, robert: User
) -> None:
    owner = await open_socket(api, patient, connect, clara.access_token)
    await open_socket(api, patient, connect, robert.access_token)
    info = await record(owner)
    await owner.ask("ban", {"user": robert.id})
    answer = await api.download(f"/api/v1/recordings/{info.id}/file", token=robert.access_token)
    assert answer.status == 200


async def test_recording_is_deleted_when_it_has_expired(serve: Serve, connect: Connect, tmp_path: Path) -> None:
    server = await serve("store.expire_every_s=0.1", *UNLIMITED)
    async with open_api(server) as api:
        clara = await api.register("Clara")
        owner = await open_socket(api, server, connect, clara.access_token)
        old, new = await record(owner), await record(owner)
        expire(tmp_path / "data" / SQLITE_FILE, old)
        assert (await api.download(old.url)).status == 404
        await until(lambda: [path.stem for path in files(tmp_path)] == [new.id], "the file is gone")
        assert [item["id"] for item in (await listed(api, clara.access_token))["recordings"]] == [new.id]


def expire(database: Path, info: RecordingInfo) -> None:
    """Let the time of a recording be over."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE recordings SET expires = 1 WHERE id = ?", (info.id,))
