"""What a bad user would try with the library: names that lead elsewhere, others' secrets, races, and half requests."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from rhythmd.app import Server
from rhythmd.rows import Role
from tests.deadline import until, within
from tests.raw import ConnectRaw, RawClient, Response
from tests.rest.api import UNLIMITED, Answer, Api, User, open_api
from tests.rest.conftest import Promote
from tests.rest.sheets import ABC, approve, form, midi, read_status, search, upload, uploaded
from tests.rest.test_uploads import open_scratch
from tests.server import Serve

BOUNDARY: Final = "xYz"
FORM_HEAD: Final = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.mid"\r\n\r\n'.encode()
FORM_END: Final = f"\r\n--{BOUNDARY}--\r\n".encode()


# Names and paths


@pytest.mark.parametrize(
    "sheet_id",
    [
        "..%2F..%2Frhythmd.sqlite3",
        "%2E%2E",
        "%00",
        "%F0%9F%92%A9",
        "%ED%A0%80",
        "%FF",
        "a" * 2_000,
        "' OR '1'='1",
        "{}",
    ],
)
async def test_ids_that_are_none(api: Api, clara: User, sheet_id: str) -> None:
    for path in (f"/sheet_music/{sheet_id}", f"/sheet_music/{sheet_id}/download"):
        assert (await api.call("GET", path, token=clara.access_token)).status in {400, 404}
    assert (await api.call("PUT", f"/sheet_music/{sheet_id}/favorite", token=clara.access_token)).status in {400, 404}
    answer = await api.call("DELETE", f"/sheet_music/{sheet_id}", token=clara.access_token)
    assert answer.status in {400, 404}


@pytest.mark.parametrize(
    "title",
    [
        'a"; filename="evil.exe',
        "../../etc/passwd",
        "a\\..\\b",
        "x" * 200,
        "音" * 200,
        "%0d%0aSet-Cookie: a=b",
        "\u202egpj",
    ],
)
async def test_title_stays_within_the_header_of_its_download(api: Api, clara: User, title: str) -> None:
    sheet = await uploaded(api, clara, title=title)
    download = await api.download(sheet["url"], token=clara.access_token)
    assert download.status == 200
    header = download.headers["Content-Disposition"]
    assert header.startswith('attachment; filename="')
    plain = header.removeprefix('attachment; filename="').partition('"')[0]
    assert not set(plain) & set('"\\/:%;')
    assert "Set-Cookie" not in download.headers


async def test_title_of_several_lines_is_refused(api: Api, clara: User) -> None:
    for title in ("a\r\nSet-Cookie: b=c", "a\nb", "a\x00b", "a\x7fb"):
        answer = await upload(api, clara, midi(), title=title)
        assert (answer.status, answer.field) == (400, "title")


async def test_file_named_like_a_header_or_a_page_is_only_text(api: Api, clara: User) -> None:
    sheet = await uploaded(api, clara, name='"><script>alert(1)</script>.html')
    assert sheet["file_name"].endswith("script>.html")
    download = await api.download(sheet["url"], token=clara.access_token)
    assert download.headers["Content-Type"] == "audio/midi"
    assert download.headers["X-Content-Type-Options"] == "nosniff"


async def test_page_within_a_sheet_is_never_shown_as_one(api: Api, clara: User) -> None:
    content = ABC + b"% <script>alert(1)</script>\n"
    download = await api.download((await uploaded(api, clara, content))["url"], token=clara.access_token)
    assert download.content == content
    assert download.headers["Content-Type"].startswith("text/vnd.abc")
    assert download.headers["Content-Disposition"].startswith("attachment")
    assert "default-src 'none'" in download.headers["Content-Security-Policy"]


# Forms


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tags": ["a", "b", "c", "d"]}, "tags"),
        ({"tags": "x" * 33}, "tags"),
        ({"tags": "a,b"}, "tags"),
        ({"id": "mine"}, "id"),
        ({"approval": "approved"}, "approval"),
        ({"creator_id": "somebody"}, "creator_id"),
        ({"views": "1000000"}, "views"),
        ({"hash": "0" * 64}, "hash"),
        ({"tempo": "nan"}, "tempo"),
        ({"tempo": "1e999"}, "tempo"),
        ({"privacy": "everybody"}, "privacy"),
    ],
)
async def test_fields_that_are_not_the_uploaders(
    api: Api, clara: User, fields: dict[str, str | list[str]], field: str
) -> None:
    answer = await upload(api, clara, midi(), **fields)
    assert (answer.status, (answer.field or "").partition("[")[0]) == (400, field)


async def test_change_without_anything_changes_nothing(api: Api, clara: User) -> None:
    sheet = await uploaded(api, clara, title="Air")
    answer = await api.call("PATCH", f"/sheet_music/{sheet['id']}", token=clara.access_token)
    assert answer.status == 200
    assert {**answer.body, "updated": 0} == {**sheet, "updated": 0}


async def test_hundred_parts_of_one_field(api: Api, clara: User) -> None:
    data = form(midi(), "a.mid", {"tags": [f"tag{number}" for number in range(99)]})
    answer = await api.call("POST", "/sheet_music/upload", data=data, token=clara.access_token)
    assert (answer.status, answer.field) == (400, "tags")


# Half requests


def head(
    user: User, length: int | str, kind: str = f"multipart/form-data; boundary={BOUNDARY}", more: str = ""
) -> bytes:
    """The head of an upload; `length` of "chunked" leaves it open."""
    size = "Transfer-Encoding: chunked" if length == "chunked" else f"Content-Length: {length}"
    return (
        f"POST /api/v1/sheet_music/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user.access_token}\r\n"
        f"Content-Type: {kind}\r\n{size}\r\n{more}\r\n"
    ).encode()


@asynccontextmanager
async def hasty(serve: Serve, upload_s: float = 1.0) -> AsyncIterator[tuple[Server, Api]]:
    """A server with little time for uploads."""
    server = await serve(*UNLIMITED, f"limits.upload_s={upload_s}", "workers.processes=1")
    async with open_api(server) as api:
        yield server, api


async def refused(client: RawClient) -> tuple[int, str]:
    response = await client.response()
    return response.status, orjson.loads(response.body)["error"]["code"]


async def test_body_without_an_end_is_cut_off(serve: Serve, connect_raw: ConnectRaw, tmp_path: Path) -> None:
    async with hasty(serve) as (server, api):
        clara = await api.register()
        client = await connect_raw(server)
        client.write(head(clara, "chunked") + f"{len(FORM_HEAD):x}\r\n".encode() + FORM_HEAD + b"\r\n")
        client.write(b"5\r\naaaaa\r\n" * 10)
        assert await refused(client) == (408, "too-slow")
        assert open_scratch(tmp_path / "data") == 0
        client.reset()


async def test_hundred_slow_uploads_are_ended_and_hold_up_nobody(
    serve: Serve, connect_raw: ConnectRaw, tmp_path: Path
) -> None:
    # Time enough for all hundred to be under way, and for one that is not slow, on a busy machine.
    async with hasty(serve, upload_s=4.0) as (server, api):
        clara, robert = await api.register(), await api.register("Robert")
        clients = [await connect_raw(server) for _ in range(100)]
        for client in clients:
            client.write(head(clara, 1_000_000) + FORM_HEAD + bytes(500))
        await until(lambda: open_scratch(tmp_path / "data") > 50, "they are under way")
        assert (await upload(api, robert, midi())).status == 201
        assert {await refused(client) for client in clients} == {(408, "too-slow")}
        await until(lambda: open_scratch(tmp_path / "data") == 0, "no scratch file is left")
        for client in clients:
            client.reset()


async def test_uploader_that_vanishes_frees_everything(serve: Serve, connect_raw: ConnectRaw, tmp_path: Path) -> None:
    async with hasty(serve) as (server, api):
        clara = await api.register()
        content = midi(*range(40, 80))
        bodies = [FORM_HEAD + content[:-1] + bytes([number]) + FORM_END for number in range(20)]
        for number, body in enumerate(bodies):
            client = await connect_raw(server)
            client.write(head(clara, len(body)) + body[: len(body) if number % 2 else 100])
            await client.drain()
            client.reset()
        answer = await upload(api, clara, content)
        assert answer.status == 201
        await until(lambda: (server.workers.running, server.workers.waiting) == (0, 0), "no job is left")
        await until(lambda: open_scratch(tmp_path / "data") == 0, "no scratch file is left")


async def continued(client: RawClient, request: bytes, body: bytes) -> Response:
    client.write(request)
    answer = await client.response()
    if answer.status == 100:
        client.write(body)
        answer = await client.response()
    return answer


async def test_client_that_asks_whether_to_send(
    patient: Server, api: Api, clara: User, connect_raw: ConnectRaw
) -> None:
    body, expect = FORM_HEAD + midi() + FORM_END, "Expect: 100-continue\r\n"
    taken = await continued(await connect_raw(patient), head(clara, len(body), more=expect), body)
    assert taken.status == 201
    for user, length, status in ((clara, 10**12, 413), (clara._replace(access_token="nobody"), len(body), 401)):
        client = await connect_raw(patient)
        assert (await continued(client, head(user, length, more=expect), b"")).status == status
        client.reset()


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="',
        f"multipart/form-data; boundary={'x' * 201}",
        "multipart/form-data; boundary=other",
        "multipart/mixed; boundary=xYz",
        "application/x-www-form-urlencoded",
        "application/json",
        "",
    ],
)
async def test_body_of_another_kind(patient: Server, api: Api, clara: User, connect_raw: ConnectRaw, kind: str) -> None:
    body = FORM_HEAD + midi() + FORM_END
    client = await connect_raw(patient)
    client.write(head(clara, len(body), kind) + body)
    assert (await client.response()).status in {400, 415}


# Others' secrets


async def facets(api: Api, query: str, user: User | None = None) -> dict[str, Any]:
    answer = await api.call("GET", f"/sheet_music/search{query}", token=user and user.access_token)
    assert answer.status == 200, answer.body
    found = answer.body["facets"]
    assert isinstance(found, dict)
    return found


async def hide(api: Api, clara: User, editor: User) -> dict[str, str]:
    """A sheet of each kind that others must not see, by its title, with words and a tag of its own."""
    ids = {}
    for title, privacy in (
        ("Pending", "public"),
        ("Rejected", "public"),
        ("Unlisted", "unlisted"),
        ("Private", "private"),
    ):
        sheet = await uploaded(api, clara, title=title, tags=["hidden"], privacy=privacy)
        ids[title] = sheet["id"]
    path = f"/sheet_music/{ids['Rejected']}/reject"
    await api.call("POST", path, {"reason": "A secret reason"}, token=editor.access_token)
    return ids


async def test_search_facets_and_cursors_tell_nothing_of_hidden_sheets(
    api: Api, clara: User, robert: User, editor: User
) -> None:
    ids = await hide(api, clara, editor)
    await approve(api, editor, (await uploaded(api, clara, title="Seen"))["id"])
    queries = ["", "?tag=hidden", "?text=pending", "?creator=Clara", "?creator=Clara&tag=hidden", "?sort=viewed"]
    for user in (None, robert):
        for query in queries:
            assert set(await search(api, query, user)) <= {"Seen"}
            counted = await facets(api, query, user)
            assert (counted["total"] <= 1, counted["tags"]) == (True, {})
    for query in ("?approval=pending", "?approval=rejected", "?approval=rejected&creator=Clara"):
        assert await search(api, query, robert) == []
        assert (await facets(api, query, robert))["total"] == 0
    answer = await api.call("GET", f"/sheet_music/{ids['Unlisted']}", token=robert.access_token)
    assert (answer.status, answer.body["rejection"]) == (200, "")


async def test_cursor_of_somebody_elses_search_is_only_a_place(
    api: Api, clara: User, robert: User, editor: User
) -> None:
    await hide(api, clara, editor)
    await approve(api, editor, (await uploaded(api, clara, title="Seen"))["id"])
    answer = await api.call("GET", "/sheet_music/search?creator=Clara&sort=oldest&limit=1", token=clara.access_token)
    cursor = answer.body["next"]
    assert await search(api, f"?sort=oldest&cursor={cursor}", robert) == ["Seen"]
    assert await search(api, f"?sort=oldest&cursor={cursor}&tag=hidden", robert) == []


@pytest.mark.parametrize(
    "place",
    [
        ["newest", 0, 2**63],
        ["newest", 0, -1],
        ["newest", 0, 1.5],
        ["newest", 0, None],
        ["newest", 0, "1 OR 1=1"],
        ["newest", {"$gt": 0}, 1],
        ["viewed", 0, 1],
        ["newest"],
        {},
        "newest",
    ],
)
async def test_forged_cursor_is_refused(api: Api, place: object) -> None:
    cursor = base64.urlsafe_b64encode(
        orjson.dumps(place) if place != ["newest", 0, 2**63] else b'["newest",0,%d]' % 2**63
    )
    answer = await api.call("GET", f"/sheet_music/search?sort=newest&cursor={cursor.decode()}")
    assert answer.status == 400, answer.body


async def test_favorites_are_ones_own(api: Api, clara: User, robert: User, editor: User) -> None:
    sheet = await uploaded(api, clara, title="Air")
    await approve(api, editor, sheet["id"])
    await api.call("PUT", f"/sheet_music/{sheet['id']}/favorite", token=clara.access_token)
    answer = await api.call("GET", "/sheet_music/search?favorites=true&creator=Clara")
    assert (answer.status, answer.code) == (401, "login-required")
    guest = await api.guest()
    answer = await api.call("GET", "/sheet_music/search?favorites=true", token=guest)
    assert answer.status in {401, 403}
    assert await search(api, "?favorites=true&creator=Clara", robert) == []


async def test_head_and_etags_tell_nothing_of_a_private_sheet(api: Api, clara: User, robert: User) -> None:
    sheet = await uploaded(api, clara, privacy="private")
    for headers in ({}, {"If-None-Match": f'"{sheet["hash"]}"'}, {"If-None-Match": "*"}, {"Range": "bytes=0-"}):
        for user in (robert, None):
            found = await api.download(sheet["url"], token=user and user.access_token, headers=headers)
            assert found.status == 404
    for path in (f"/sheet_music/{sheet['id']}", f"/sheet_music/{sheet['id']}/download"):
        assert (await api.call("HEAD", path, token=robert.access_token)).status == 404
        assert (await api.call("HEAD", path, token=clara.access_token)).status == 200


async def test_part_of_a_content_that_was_changed_meanwhile_is_the_whole_new_one(api: Api, clara: User) -> None:
    sheet = await uploaded(api, clara, midi(60))
    etag = (await api.download(sheet["url"], token=clara.access_token)).headers["ETag"]
    new = midi(62, 64)
    data = form(new, "b.mid", {})
    await api.call("PATCH", f"/sheet_music/{sheet['id']}", data=data, token=clara.access_token)
    headers = {"Range": "bytes=10-", "If-Range": etag}
    found = await api.download(sheet["url"], token=clara.access_token, headers=headers)
    assert (found.status, found.content) == (200, new)
    found = await api.download(sheet["url"], token=clara.access_token, headers={"If-None-Match": etag})
    assert (found.status, found.content) == (200, new)


# Rights and races


async def test_only_editors_approve_in_batches(api: Api, clara: User, robert: User) -> None:
    ids = [(await uploaded(api, clara))["id"]]
    for user in (clara, robert):
        for verb, body in (("approve", {"ids": ids}), ("reject", {"ids": ids, "reason": "x"})):
            answer = await api.call("POST", f"/sheet_music/{verb}", body, token=user.access_token)
            assert (answer.status, answer.code) == (403, "not-permitted")
    guest = await api.guest()
    assert (await api.call("POST", "/sheet_music/approve", {"ids": ids}, token=guest)).status == 403
    assert (await api.call("POST", "/sheet_music/approve", {"ids": ids})).status == 401


async def test_text_that_changed_before_the_approval_is_not_approved(api: Api, clara: User, editor: User) -> None:
    sheet = await uploaded(api, clara, title="Harmless")
    path = f"/sheet_music/{sheet['id']}"
    await api.call("PATCH", path, {"title": "Insult"}, token=clara.access_token)
    seen = {"hash": sheet["hash"], "updated": sheet["updated"]}
    for verb, body in (("approve", seen), ("reject", {**seen, "reason": "x"})):
        answer = await api.call("POST", f"{path}/{verb}", body, token=editor.access_token)
        assert (answer.status, answer.code) == (409, "changed")
    assert await search(api, "?text=insult") == []


async def test_approval_and_change_at_once_never_list_what_nobody_saw(api: Api, clara: User, editor: User) -> None:
    for number in range(10):
        sheet = await uploaded(api, clara, title=f"Good {number}")
        path = f"/sheet_music/{sheet['id']}"
        seen = {"updated": sheet["updated"]}
        await asyncio.gather(
            api.call("PATCH", path, {"title": f"Bad {number}"}, token=clara.access_token),
            api.call("POST", f"{path}/approve", seen, token=editor.access_token),
        )
    assert await search(api, "?text=bad") == []


async def test_uploads_of_a_day_are_limited_also_at_once(serve: Serve) -> None:
    async with open_api(await serve(*UNLIMITED, "sheets.uploads_per_day=3")) as api:
        clara = await api.register()
        answers: list[Answer] = await asyncio.gather(*(upload(api, clara, midi(number)) for number in range(40, 52)))
        assert sorted(answer.status for answer in answers) == [201] * 3 + [429] * 9


async def test_busy_answer_is_no_upload_of_the_day(serve: Serve) -> None:
    settings = ("sheets.uploads_per_day=6", "workers.processes=1", "workers.queue=0")
    async with open_api(await serve(*UNLIMITED, *settings)) as api:
        clara = await api.register()

        async def until_taken(number: int) -> int:
            for _ in range(1_000):
                answer = await upload(api, clara, midi(number))
                if answer.status != 503:
                    return answer.status
                await asyncio.sleep(0.02)
            return 503

        answers = await within(asyncio.gather(*(until_taken(number) for number in range(40, 44))))
        assert answers == [201] * 4


async def test_banned_user_can_do_nothing(api: Api, clara: User, promote: Promote) -> None:
    sheet = await uploaded(api, clara)
    admin = await api.register("Adam")
    await promote(admin, Role.ADMIN)
    answer = await api.call("POST", f"/users/{clara.usertag}/ban", {"reason": "spam"}, token=admin.access_token)
    assert answer.status < 300
    assert (await upload(api, clara, midi())).code == "user-banned"
    for method, path, body in (
        ("PATCH", f"/sheet_music/{sheet['id']}", {"title": "x"}),
        ("PUT", f"/sheet_music/{sheet['id']}/favorite", None),
        ("DELETE", f"/sheet_music/{sheet['id']}", None),
    ):
        assert (await api.call(method, path, body, token=clara.access_token)).status == 403
    assert await read_status(api, sheet["id"]) == 200


async def test_favorite_from_two_tabs_that_end_it_and_make_it_is_one_or_none(
    api: Api, clara: User, robert: User
) -> None:
    path = f"/sheet_music/{(await uploaded(api, clara))['id']}"
    calls = [("PUT", "DELETE")[number % 2] for number in range(20)]
    await asyncio.gather(*(api.call(method, f"{path}/favorite", token=robert.access_token) for method in calls))
    body = (await api.call("GET", path, token=robert.access_token)).body
    assert body["favorites"] == int(body["is_favorite"])
