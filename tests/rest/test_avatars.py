"""Avatars over HTTP: uploaded, shown, shared, replaced, taken down, and gone when nobody shows them."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from rhythmd.app import BLOBS_FOLDER, Server, open_blobs
from rhythmd.rows import Role
from tests.conftest import ErrorLog
from tests.deadline import until, within
from tests.mutation import mutated
from tests.pictures import BAD, GOOD, halves, opened, saved
from tests.processes import children
from tests.rest.api import UNLIMITED, Answer, Api, Download, User, open_api
from tests.rest.conftest import Promote
from tests.server import Serve, make_config

PNG: Final = GOOD["png"]
OTHER: Final = GOOD["grey jpeg"]
FREE: Final = (*UNLIMITED, "limits.uploads_per_minute=1000000")
MUTATIONS: Final = 150


@pytest.fixture
async def patient(serve: Serve) -> Server:
    """A server that counts neither requests nor uploads."""
    return await serve(*FREE)


async def put(api: Api, user: User, content: bytes, kind: str = "image/png") -> Answer:
    return await api.call(
        "PUT", "/users/avatar", token=user.access_token, data=BytesIO(content), headers={"Content-Type": kind}
    )


async def upload(api: Api, user: User, content: bytes = PNG) -> str:
    """The path of a new avatar."""
    answer = await put(api, user, content)
    assert answer.status == 200, answer.body
    return avatar_in(answer)


def avatar_in(answer: Answer) -> str:
    url: str = answer.body["profile"]["avatar"]
    return url


async def shown(api: Api, user: User) -> str:
    """The avatar that others see."""
    return avatar_in(await api.call("GET", f"/users/{user.usertag}"))


async def status(api: Api, path: str) -> int:
    return (await api.download(path)).status


def kept(data: Path) -> set[str]:
    """The names of the files of avatars."""
    folder = data / "data" / BLOBS_FOLDER / "avatars"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


async def test_upload_is_shown_to_everybody_and_cached_for_ever(api: Api, clara: User) -> None:
    path = await upload(api, clara)
    assert await shown(api, clara) == path
    answer: Download = await api.download(path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/webp")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert opened(answer.content).size == (256, 256)
    again = await api.download(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.content) == (304, b"")
    part = await api.download(path, headers={"Range": "bytes=0-3"})
    assert (part.status, part.content) == (206, b"RIFF")


@pytest.mark.parametrize("kind", GOOD)
async def test_picture_of_any_kind_is_taken(api: Api, clara: User, kind: str) -> None:
    assert await status(api, await upload(api, clara, GOOD[kind])) == 200


async def test_form_of_a_browser_is_taken(api: Api, clara: User) -> None:
    form = aiohttp.FormData()
    form.add_field("file", PNG, filename="../me.exe", content_type="application/x-msdownload")
    payload = form()
    headers = {"Authorization": f"Bearer {clara.access_token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{api.url}/api/v1/users/avatar", data=payload, headers=headers) as answer,
    ):
        assert answer.status == 200
        assert (await answer.json())["profile"]["avatar"].startswith("/api/v1/avatars/")


@pytest.mark.parametrize("kind", BAD)
async def test_what_is_no_picture_is_refused(api: Api, clara: User, kind: str) -> None:
    answer = await put(api, clara, BAD[kind][0])
    assert (answer.status, answer.code) == (422, "invalid-file")
    assert await shown(api, clara) == ""


async def test_type_that_is_claimed_does_not_matter(api: Api, clara: User) -> None:
    assert (await put(api, clara, PNG, "image/webp")).status == 200
    answer = await put(api, clara, b"<script>", "image/png")
    assert (answer.status, answer.code) == (422, "invalid-file")
    answer = await put(api, clara, PNG, "image/gif")
    assert (answer.status, answer.code) == (415, "unsupported-media-type")


async def test_upload_over_a_megabyte_is_refused(api: Api, clara: User) -> None:
    answer = await put(api, clara, PNG + bytes(1_048_577 - len(PNG)))
    assert (answer.status, answer.code) == (413, "too-large")
    assert (await put(api, clara, PNG + bytes(1_048_576 - len(PNG)))).status == 200


async def test_upload_without_an_account_is_refused(api: Api) -> None:
    answer = await api.call("PUT", "/users/avatar", data=PNG, headers={"Content-Type": "image/png"})
    assert (answer.status, answer.code) == (401, "login-required")
    guest = User("", "", "", await api.guest(), "")
    answer = await put(api, guest, PNG)
    assert (answer.status, answer.code) == (403, "not-permitted")


async def test_uploads_are_counted_apart(serve: Serve) -> None:
    async with open_api(await serve(*UNLIMITED, "limits.uploads_per_minute=2")) as api:
        user = await api.register()
        assert [(await put(api, user, PNG)).status for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("digest", ["x", "0" * 64, "0" * 63, "A" * 64, "%2e%2e", "a%2Fb", "0" * 64 + ".webp"])
async def test_avatar_unknown_is_not_found(api: Api, digest: str) -> None:
    answer = await api.call("GET", f"/avatars/{digest}")
    assert (answer.status, answer.code) == (404, "not-found")


# As long as somebody shows it


async def test_avatar_that_is_replaced_is_deleted(api: Api, clara: User, tmp_path: Path) -> None:
    first, second = await upload(api, clara, PNG), await upload(api, clara, OTHER)
    assert first != second
    assert (await status(api, first), await status(api, second)) == (404, 200)
    assert kept(tmp_path) == {f"{second.rpartition('/')[2]}.webp"}


async def test_avatar_that_is_uploaded_again_stays(api: Api, clara: User) -> None:
    assert await upload(api, clara) == (path := await upload(api, clara))
    assert await status(api, path) == 200


async def test_avatar_of_two_users_is_kept_once_until_both_are_done(api: Api, clara: User, tmp_path: Path) -> None:
    robert = await api.register("Robert")
    path = await upload(api, clara)
    assert await upload(api, robert) == path
    assert len(kept(tmp_path)) == 1
    answer = await api.call("DELETE", "/users/avatar", token=clara.access_token)
    assert (answer.status, avatar_in(answer)) == (200, "")
    assert (await shown(api, robert), await status(api, path)) == (path, 200)
    await api.call("DELETE", "/users/avatar", token=robert.access_token)
    assert await status(api, path) == 404
    assert kept(tmp_path) == set()


async def test_address_elsewhere_takes_the_place_of_an_upload(api: Api, clara: User, tmp_path: Path) -> None:
    await upload(api, clara)
    change = {"avatar": "https://example.org/me.png", "bio": "piano"}
    answer = await api.call("PATCH", "/users/profile", change, token=clara.access_token)
    assert avatar_in(answer) == "https://example.org/me.png"
    assert kept(tmp_path) == set()
    path = await upload(api, clara)
    assert await shown(api, clara) == path
    answer = await api.call("PATCH", "/users/profile", {"bio": "forte"}, token=clara.access_token)
    assert (avatar_in(answer), await status(api, path)) == (path, 200)


async def test_profile_cannot_name_another_ones_upload(api: Api, clara: User) -> None:
    path = await upload(api, clara)
    robert = await api.register("Robert")
    answer = await api.call("PATCH", "/users/profile", {"avatar": path}, token=robert.access_token)
    assert (answer.status, answer.field) == (400, "avatar")


async def test_moderator_takes_an_avatar_down(api: Api, clara: User, promote: Promote) -> None:
    moderator, robert = await api.register("Moderator"), await api.register("Robert")
    await promote(moderator, Role.MODERATOR)
    path = await upload(api, clara)
    for user, code in ((robert, "not-permitted"), (clara, "not-permitted")):
        answer = await api.call("DELETE", "/users/Clara/avatar", token=user.access_token)
        assert (answer.status, answer.code) == (403, code)
    answer = await api.call("DELETE", "/users/clara/avatar", token=moderator.access_token)
    assert (answer.status, answer.body["usertag"], avatar_in(answer)) == (200, "Clara", "")
    assert await status(api, path) == 404
    answer = await api.call("DELETE", "/users/nobody/avatar", token=moderator.access_token)
    assert (answer.status, answer.code) == (404, "not-found")
    await promote(robert, Role.ADMIN)
    [entry] = (await api.call("GET", "/audit?action=avatar.taken-down", token=robert.access_token)).body["entries"]
    assert (entry["actor_id"], entry["target"], entry["details"]) == (moderator.id, clara.id, {"avatar": path})


async def test_moderator_has_no_power_over_an_admins_avatar(api: Api, clara: User, promote: Promote) -> None:
    moderator = await api.register("Moderator")
    await promote(moderator, Role.MODERATOR)
    await promote(clara, Role.ADMIN)
    path = await upload(api, clara)
    answer = await api.call("DELETE", "/users/Clara/avatar", token=moderator.access_token)
    assert (answer.status, answer.code) == (403, "not-permitted")
    assert await status(api, path) == 200


async def act(api: Api, user: User, dice: random.Random) -> None:
    """Do something with one's picture, or with the rest of the profile."""
    match dice.randrange(4):
        case 0:
            await api.call("DELETE", "/users/avatar", token=user.access_token)
        case 1:
            await api.call("PATCH", "/users/profile", {"bio": str(dice.random())}, token=user.access_token)
        case _:
            await upload(api, user, dice.choice((PNG, OTHER)))


async def act_often(apis: list[Api], users: list[User], dice: random.Random) -> set[str]:
    """All users at once, each at all servers. What they show then, all of which must be there."""

    async def act_as(user: User, api: Api) -> None:
        for _ in range(8):
            await act(api, user, dice)

    await within(asyncio.gather(*(act_as(user, api) for user in users for api in (*apis, *apis))), 60)
    profiles = [await apis[0].call("GET", "/users/profile", token=user.access_token) for user in users]
    paths = {path for profile in profiles if (path := avatar_in(profile))}
    assert [await status(apis[0], path) for path in paths] == [200] * len(paths)
    return {f"{path.rpartition('/')[2]}.webp" for path in paths}


async def test_what_is_shown_is_there_whatever_many_do_at_once(api: Api, tmp_path: Path) -> None:
    users = await asyncio.gather(*(api.register(f"user-{number}") for number in range(6)))
    names = await act_often([api], users, random.Random(1))
    assert kept(tmp_path) == names


async def test_what_is_shown_is_there_also_with_two_servers(serve: Serve, tmp_path: Path) -> None:
    servers = [await serve(*FREE, "hub.live_mb=0") for _ in range(2)]
    async with open_api(servers[0]) as one, open_api(servers[1]) as other:
        users = await asyncio.gather(*(one.register(f"user-{number}") for number in range(4)))
        names = await act_often([one, other], users, random.Random(2))
    assert names <= kept(tmp_path)
    for server in servers:
        await server.stop()
    await serve(*FREE, "hub.live_mb=0")
    await until(lambda: kept(tmp_path) == names, "what nobody shows is swept")


async def content() -> AsyncIterator[bytes]:
    yield b"RIFF"


async def test_file_that_a_killed_process_left_is_swept_at_the_next_start(serve: Serve, tmp_path: Path) -> None:
    server = await serve(*FREE)
    async with open_api(server) as api:
        path = await upload(api, await api.register())
    await server.stop()
    blobs = open_blobs(make_config(tmp_path / "data"))
    await blobs.put(f"avatars/{'0' * 64}.webp", content())
    await blobs.put("avatars/something-else", content())
    await serve(*FREE)
    name = f"{path.rpartition('/')[2]}.webp"
    await until(lambda: kept(tmp_path) == {name, "something-else"}, "the orphan is gone")


# Trouble


async def test_mutated_pictures_never_fail_the_server(
    api: Api, clara: User, patient: Server, errors_logged: ErrorLog
) -> None:
    dice = random.Random(1)
    kinds = [GOOD[kind] for kind in ("png", "jpeg", "webp", "animated webp", "png with a palette", "cmyk jpeg")]
    statuses: set[int] = set()
    before = children()
    for _ in range(MUTATIONS):
        statuses.add((await put(api, clara, mutated(dice, dice.choice(kinds)))).status)
    assert statuses == {200, 422}
    assert len(children() - before) <= 2
    assert await status(api, await upload(api, clara)) == 200
    assert (patient.workers.running, patient.workers.waiting) == (0, 0)


async def test_upload_whose_worker_is_killed_is_refused_alone(api: Api, clara: User, patient: Server) -> None:
    picture, before = saved(halves(4_900, 5_000), "PNG"), children()
    uploads = [asyncio.create_task(put(api, clara, picture)) for _ in range(6)]
    await until(lambda: patient.workers.running == 2, "workers are at it")
    os.kill((children() - before).pop(), signal.SIGKILL)
    answers: list[Any] = [(answer.status, answer.body) for answer in await within(asyncio.gather(*uploads))]
    refused = [body["error"]["code"] for status, body in answers if status != 200]
    assert refused in ([], ["file-too-costly"]), "a worker that had not begun is replaced"
    assert await status(api, await upload(api, clara)) == 200


async def test_metrics_tell_of_workers(api: Api) -> None:
    metrics = (await api.download("/metrics")).content
    assert b"rhythmd_worker_jobs 0.0" in metrics
    assert b"rhythmd_worker_queue 0.0" in metrics


async def test_no_worker_is_left_when_the_server_stops(serve: Serve) -> None:
    before = children()
    server = await serve(*FREE)
    async with open_api(server) as api:
        await upload(api, await api.register())
        assert children() > before
    await server.stop()
    assert children() <= before
