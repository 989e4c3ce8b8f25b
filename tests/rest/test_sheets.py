"""`sheet_music/…`: found, uploaded, changed and downloaded by those who may."""

import asyncio
import hashlib
import io

import mido
import pytest

from rhythmd.app import Server
from rhythmd.fairness import disk
from tests.deadline import DEADLINE_S, POLL_S
from tests.rest.api import UNLIMITED, Api, User, open_api
from tests.rest.sheets import ABC, approve, form, midi, read_status, search, upload, uploaded
from tests.server import Serve

LONG = f"?text={'x' * 201}"


# Uploading


async def test_upload_says_what_the_file_says(api: Api, clara: User) -> None:
    sheet = await uploaded(api, clara, ABC)
    assert (sheet["title"], sheet["artist"], sheet["category"]) == ("Air in G", "Trad.", "abc")
    assert (sheet["tempo"], sheet["key"], sheet["time_signature"]) == (90, "G major", "3/4")
    assert (sheet["notes"], sheet["parts"], sheet["duration_ms"]) == (6, 1, 6_000)
    assert (sheet["approval"], sheet["privacy"], sheet["difficulty"]) == ("pending", "public", "unknown")
    assert (sheet["creator"], sheet["creator_id"], sheet["bytes"]) == ("Clara", clara.id, len(ABC))
    assert sheet["hash"] == hashlib.sha256(ABC).hexdigest()


async def test_what_the_uploader_says_counts(api: Api, clara: User) -> None:
    sheet = await uploaded(
        api, clara, ABC, title="Mine", artist="Me", album="Mine too", description="a\nb", tags=["Jazz", "SLOW", "jazz"],
        difficulty="expert", privacy="unlisted", tempo="61.5", key="E minor", time_signature="6/8", category="abc",
    )  # fmt: skip
    assert (sheet["title"], sheet["artist"], sheet["album"], sheet["description"]) == ("Mine", "Me", "Mine too", "a\nb")
    assert sheet["tags"] == ["jazz", "slow"]
    assert (sheet["difficulty"], sheet["privacy"], sheet["tempo"]) == ("expert", "unlisted", 61.5)
    assert (sheet["key"], sheet["time_signature"]) == ("E minor", "6/8")


async def test_the_content_tells_the_format(api: Api, clara: User) -> None:
    sheet = await uploaded(api, clara, midi(), name="score.musicxml")
    assert (sheet["category"], sheet["file_name"]) == ("midi", "score.musicxml")
    answer = await upload(api, clara, midi(), category="abc")
    assert (answer.status, answer.code, answer.field) == (400, "invalid-field", "category")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\songs\\air.mid", "air.mid"),
        ("air\u202e\u0085.mid", "air .mid"),
        ("b\u2028c\ufeff.mid", "b c.mid"),
        ("\U0001f469\u200d\U0001f3a4.mid", "\U0001f469\u200d\U0001f3a4.mid"),
        ("  air\u202etail/..\u202d", ".."),
        ("..", ".."),
        ("x" * 500, "x" * 200),
    ],
)
async def test_a_file_name_is_only_a_name(api: Api, clara: User, name: str, kept: str) -> None:
    sheet = await uploaded(api, clara, midi(), name=name)
    assert sheet["file_name"] == kept


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": "x" * 201}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"tags": ["a", "b", "c", "d"]}, "tags"),
        ({"tags": ["x" * 33]}, "tags[0]"),
        ({"difficulty": "easy"}, "difficulty"),
        ({"tempo": "fast"}, "tempo"),
        ({"tempo": "nan"}, "tempo"),
        ({"approval": "approved"}, None),
        ({"description": "x" * 4_001}, "description"),
    ],
)
async def test_what_is_said_is_checked(
    api: Api, clara: User, fields: dict[str, str | list[str]], field: str | None
) -> None:
    answer = await upload(api, clara, midi(), **fields)
    assert (answer.status, answer.code) == (400, "invalid-field")
    if field is not None:
        assert answer.field == field


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"difficulty": "easy"}, "Expected one of: unknown, beginner, intermediate, advanced, expert"),
        ({"tags": "a,b"}, "Expected a tag without a comma; `tags` may be there once for each"),
    ],
)
async def test_a_refused_field_says_what_is_allowed(
    api: Api, clara: User, fields: dict[str, str | list[str]], message: str
) -> None:
    answer = await upload(api, clara, midi(), **fields)
    assert answer.body["error"]["message"] == message


async def test_upload_needs_an_account(api: Api) -> None:
    guest = await api.guest()
    for token, code in ((None, "login-required"), (guest, "not-permitted")):
        answer = await api.call("POST", "/sheet_music/upload", data=form(midi(), "a.mid", {}), token=token)
        assert answer.code == code


async def test_what_is_no_sheet_music_is_refused_with_the_reason(api: Api, clara: User) -> None:
    for content in (b"", b"\x89PNG\r\n\x1a\n" + bytes(100), midi()[:24], b"MThd" + bytes(10), b"<html></html>"):
        answer = await upload(api, clara, content)
        assert (answer.status, answer.code) == (422, "invalid-file"), (content, answer.body)
        assert answer.body["error"]["message"]


async def test_large_files_are_refused(serve: Serve) -> None:
    async with open_api(await serve(*UNLIMITED, "sheets.max_bytes=1024")) as api:
        clara = await api.register()
        answer = await upload(api, clara, midi(*range(30, 100)) + bytes(2_000))
        assert (answer.status, answer.code) == (413, "too-large")


async def test_uploads_of_a_day_are_limited(serve: Serve) -> None:
    async with open_api(await serve(*UNLIMITED, "sheets.uploads_per_day=2")) as api:
        clara, robert = await api.register(), await api.register("Robert")
        await uploaded(api, clara)
        assert (await upload(api, clara, b"\x00")).code == "invalid-file"
        answer = await upload(api, clara, midi())
        assert (answer.status, answer.code) == (429, "upload-limit")
        await uploaded(api, robert)


async def test_one_account_does_not_fill_the_disk(serve: Serve) -> None:
    settings = ("blobs.total_mb=1", "limits.guest_network_share=1")
    async with open_api(await serve(*UNLIMITED, *settings)) as api:
        clara, robert = await api.register(), await api.register("Robert")
        large = midi(title="x" * 9_000)
        await uploaded(api, clara, large)
        answer = await upload(api, clara, midi(title="y" * 9_000))
        assert (answer.status, answer.code) == (429, "upload-limit")
        await uploaded(api, clara, large)  # it is kept already
        await uploaded(api, robert, midi(title="y" * 9_000))


async def test_lost_content_is_not_put_back_on_a_full_disk(
    api: Api, patient: Server, clara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await uploaded(api, clara)
    (key,) = [key async for key in patient.blobs.keys("sheets")]
    await patient.blobs.delete(key)
    with monkeypatch.context() as full:
        full.setattr(disk, "free_bytes", lambda *_: 0)
        assert (await upload(api, clara, midi())).status == 503
        assert [key async for key in patient.blobs.keys("sheets")] == []
    await uploaded(api, clara)
    assert [key async for key in patient.blobs.keys("sheets")] == [key]


async def test_uploads_of_a_minute_are_limited(serve: Serve) -> None:
    async with open_api(await serve("limits.uploads_per_minute=2")) as api:
        clara = await api.register()
        answers = [await upload(api, clara, midi()) for _ in range(3)]
        assert [answer.status for answer in answers] == [201, 201, 429]


async def test_one_content_is_stored_once(api: Api, patient: Server, clara: User, robert: User) -> None:
    first, second = await uploaded(api, clara, title="One"), await uploaded(api, robert, title="Two")
    assert first["hash"] == second["hash"]
    keys = [key async for key in patient.blobs.keys("sheets")]
    assert len(keys) == 1
    await api.call("DELETE", f"/sheet_music/{first['id']}", token=clara.access_token)
    download = await api.download(second["url"], token=robert.access_token)
    assert download.content == midi()


async def test_the_same_file_many_times_at_once(api: Api, patient: Server, clara: User) -> None:
    sheets = await asyncio.gather(*(uploaded(api, clara, ABC) for _ in range(8)))
    assert len({sheet["id"] for sheet in sheets}) == 8
    keys = [key async for key in patient.blobs.keys("sheets")]
    assert len(keys) == 2  # the file and its MIDI
    assert (await api.download(sheets[7]["url"], token=clara.access_token)).content == ABC


# Finding


async def test_a_public_sheet_is_listed_once_it_is_approved(api: Api, clara: User, editor: User) -> None:
    sheet = await uploaded(api, clara, title="Air")
    assert await search(api) == []
    assert await search(api, "?creator=clara", clara) == ["Air"]
    assert await search(api, "?approval=pending", clara) == ["Air"]
    assert await search(api, "?approval=pending", editor) == ["Air"]
    await approve(api, editor, sheet["id"])
    assert await search(api) == ["Air"]
    assert await search(api, "?text=air") == ["Air"]
    assert await search(api, "?approval=pending", editor) == []


async def test_search_filters_and_pages(api: Api, clara: User, editor: User) -> None:
    for number in range(5):
        tags = ["odd" if number % 2 else "even", "air"]
        difficulty = "expert" if number else "beginner"
        sheet = await uploaded(api, clara, title=f"Air {number}", tags=tags, difficulty=difficulty)
        await approve(api, editor, sheet["id"])
    first = (await api.call("GET", "/sheet_music/search?text=air&sort=oldest&limit=2")).body
    assert [sheet["title"] for sheet in first["sheets"]] == ["Air 0", "Air 1"]
    assert first["facets"] == {
        "total": 5, "complete": True, "category": {"midi": 5}, "difficulty": {"beginner": 1, "expert": 4},
        "tags": {"air": 5, "even": 3, "odd": 2},
    }  # fmt: skip
    second = (await api.call("GET", f"/sheet_music/search?text=air&sort=oldest&limit=2&cursor={first['next']}")).body
    assert [sheet["title"] for sheet in second["sheets"]] == ["Air 2", "Air 3"]
    assert second["facets"] is None
    assert await search(api, "?tag=ODD&sort=oldest") == ["Air 1", "Air 3"]
    assert await search(api, "?difficulty=beginner") == ["Air 0"]
    assert await search(api, "?creator=CLARA&category=midi&sort=newest&limit=1") == ["Air 4"]
    assert await search(api, "?creator=nobody") == []
    assert await search(api, "?creator=%00%22") == []


@pytest.mark.parametrize(
    "query",
    ["?sort=title", "?limit=0", "?limit=101", "?cursor=x", "?category=pdf", "?favorites=yes", "?x=1", LONG],
)
async def test_search_checks_what_it_gets(api: Api, query: str) -> None:
    answer = await api.call("GET", f"/sheet_music/search{query}")
    assert (answer.status, answer.code) == (400, "invalid-field")


async def test_search_for_what_is_ones_own_needs_a_login(api: Api) -> None:
    for query in ("?favorites=true", "?approval=pending", "?approval=rejected"):
        answer = await api.call("GET", f"/sheet_music/search{query}")
        assert (answer.status, answer.code) == (401, "login-required")


# Reading


async def test_who_may_read(api: Api, clara: User, robert: User, editor: User, moderator: User) -> None:
    public, unlisted, private = [
        (await uploaded(api, clara, privacy=privacy))["id"] for privacy in ("public", "unlisted", "private")
    ]
    rejected = (await uploaded(api, clara))["id"]
    await api.call("POST", f"/sheet_music/{rejected}/reject", {"reason": "no"}, token=editor.access_token)
    for user, readable in (
        (None, {public, unlisted}),
        (robert, {public, unlisted}),
        (clara, {public, unlisted, private, rejected}),
        (editor, {public, unlisted, rejected}),
        (moderator, {public, unlisted, private, rejected}),
    ):
        for sheet_id in (public, unlisted, private, rejected):
            expected = 200 if sheet_id in readable else 404
            assert await read_status(api, sheet_id, user) == expected
            token = user and user.access_token
            assert (await api.download(f"/api/v1/sheet_music/{sheet_id}/download", token=token)).status == expected
    assert await search(api, "?creator=clara", robert) == []


@pytest.mark.parametrize("path", ["x", "%00", "..%2f..", "%F0%9F%8E%B9", "search%20", "a" * 300])
async def test_what_is_not_there_is_not_found(api: Api, clara: User, path: str) -> None:
    for method, body, suffix in (
        ("GET", None, ""), ("GET", None, "/download"), ("PATCH", {}, ""), ("DELETE", None, ""),
        ("PUT", None, "/favorite"), ("DELETE", None, "/favorite"),
    ):  # fmt: skip
        answer = await api.call(method, f"/sheet_music/{path}{suffix}", body, token=clara.access_token)
        assert (answer.status, answer.code) == (404, "not-found"), (method, suffix)


async def test_views_are_counted_once_for_each_viewer(api: Api, clara: User, robert: User) -> None:
    sheet = await uploaded(api, clara)
    for user in (clara, clara, robert, None, None):
        await read_status(api, sheet["id"], user)
    answer = await api.call("GET", f"/sheet_music/{sheet['id']}", token=clara.access_token)
    assert answer.body["views"] == 3


async def test_views_are_written_when_the_server_stops(serve: Serve) -> None:
    server = await serve(*UNLIMITED)
    async with open_api(server) as api:
        clara = await api.register()
        sheet = await uploaded(api, clara)
        await read_status(api, sheet["id"])
    await server.stop()
    async with open_api(await serve(*UNLIMITED)) as api:
        await read_status(api, sheet["id"], clara)

        path = f"/sheet_music/{sheet['id']}"
        async with asyncio.timeout(DEADLINE_S):
            # It may be in the middle of being written.
            while (await api.call("GET", path, token=clara.access_token)).body["views"] != 2:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)


# Downloading


async def test_download_gives_the_file_and_its_midi(api: Api, clara: User) -> None:
    sheet = await uploaded(api, clara, ABC, title='Air "in" /../ Gé')
    original = await api.download(sheet["url"], token=clara.access_token)
    assert (original.status, original.content) == (200, ABC)
    assert original.headers["Content-Type"].startswith("text/vnd.abc")
    assert original.headers["Content-Disposition"] == (
        "attachment; filename=\"Air _in_ _.._ G_.abc\"; filename*=UTF-8''Air%20%22in%22%20%2F..%2F%20G%C3%A9.abc"
    )
    assert original.headers["X-Content-Type-Options"] == "nosniff"
    converted = await api.download(sheet["midi_url"], token=clara.access_token)
    assert converted.headers["Content-Type"] == "audio/midi"
    assert converted.headers["ETag"] != original.headers["ETag"]
    messages = mido.MidiFile(file=io.BytesIO(converted.content))
    notes = [message.note for message in messages if message.type == "note_on" and message.velocity]
    assert notes == [67, 69, 71, 72, 74, 71]


async def test_download_takes_ranges_and_etags(api: Api, clara: User) -> None:
    sheet = await uploaded(api, clara, ABC)
    part = await api.download(sheet["url"], headers={"Range": "bytes=2-5"})
    assert (part.status, part.content) == (206, ABC[2:6])
    etag = part.headers["ETag"]
    assert (await api.download(sheet["url"], headers={"If-None-Match": etag})).status == 304
    assert (await api.download(sheet["url"], headers={"Range": "bytes=9999-"})).status == 416
    midi_part = await api.download(sheet["midi_url"], headers={"Range": "bytes=0-3"})
    assert (midi_part.status, midi_part.content) == (206, b"MThd")


async def test_a_midi_file_is_its_own_midi(api: Api, clara: User) -> None:
    content = midi(60, 62, title="Étude")
    sheet = await uploaded(api, clara, content)
    for url in (sheet["url"], sheet["midi_url"]):
        assert (await api.download(url)).content == content


# Changing


async def test_change_what_is_said(api: Api, clara: User) -> None:
    sheet = await uploaded(api, clara, ABC, title="Mine", album="Gone", tags=["a"])
    changes = {"title": "", "album": "", "artist": "Me", "tags": ["B", "b", "c"], "difficulty": "beginner", "tempo": 60}
    answer = await api.call("PATCH", f"/sheet_music/{sheet['id']}", changes, token=clara.access_token)
    body = answer.body
    assert (body["title"], body["album"], body["artist"], body["tags"]) == ("Air in G", "", "Me", ["b", "c"])
    assert (body["difficulty"], body["tempo"], body["key"]) == ("beginner", 60, "G major")
    assert body["updated"] >= sheet["updated"]


async def test_change_the_content(api: Api, clara: User, editor: User) -> None:
    sheet = await uploaded(api, clara, ABC, title="Mine")
    await approve(api, editor, sheet["id"])
    data = form(midi(60, tempo=150), "new.mid", {"difficulty": "expert"})
    answer = await api.call("PATCH", f"/sheet_music/{sheet['id']}", data=data, token=clara.access_token)
    assert answer.status == 200, answer.body
    body = answer.body
    assert (body["title"], body["category"], body["notes"], body["tempo"]) == ("Mine", "midi", 1, 150)
    assert (body["approval"], body["file_name"], body["difficulty"]) == ("pending", "new.mid", "expert")
    assert (await api.download(body["url"], token=clara.access_token)).content == midi(60, tempo=150)
    assert await search(api) == []


@pytest.mark.parametrize(
    ("changes", "approval"),
    [
        ({"title": "Spam"}, "pending"),
        ({"description": "Spam"}, "pending"),
        ({"title": "Mine"}, "approved"),
        ({"difficulty": "expert"}, "approved"),
        ({"privacy": "unlisted"}, "approved"),
        ({"key": "Spam"}, "pending"),
        ({}, "approved"),
    ],
)
async def test_an_approved_sheet_that_changes_is_looked_at_again(
    api: Api, clara: User, editor: User, changes: dict[str, str], approval: str
) -> None:
    sheet = await uploaded(api, clara, title="Mine")
    await approve(api, editor, sheet["id"])
    answer = await api.call("PATCH", f"/sheet_music/{sheet['id']}", changes, token=clara.access_token)
    assert answer.body["approval"] == approval


async def test_nobody_changes_anothers_sheet(api: Api, clara: User, robert: User, moderator: User) -> None:
    sheet = await uploaded(api, clara, title="Mine")
    private = await uploaded(api, clara, privacy="private")
    for user in (robert, moderator):
        answer = await api.call("PATCH", f"/sheet_music/{sheet['id']}", {"title": "x"}, token=user.access_token)
        assert (answer.status, answer.code) == (403, "not-owner")
    answer = await api.call("PATCH", f"/sheet_music/{private['id']}", {"title": "x"}, token=robert.access_token)
    assert answer.status == 404
    answer = await api.call("PATCH", f"/sheet_music/{sheet['id']}", {"approval": "approved"}, token=clara.access_token)
    assert answer.status == 400


async def test_delete(api: Api, clara: User, robert: User) -> None:
    sheet = await uploaded(api, clara)
    path = f"/sheet_music/{sheet['id']}"
    assert (await api.call("DELETE", path, token=robert.access_token)).code == "not-owner"
    assert (await api.call("DELETE", path, token=clara.access_token)).status == 204
    assert (await api.call("DELETE", path, token=clara.access_token)).status == 404
