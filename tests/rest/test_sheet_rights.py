"""`sheet_music/…`: approved and rejected, liked, and made of recordings, by those who may."""

import asyncio

from rhythmd.app import Server
from rhythmd.rows import Role
from tests.client import Connect
from tests.rest.api import UNLIMITED, Api, User, open_api
from tests.rest.conftest import Promote
from tests.rest.sheets import ABC, approve, form, midi, read_status, search, uploaded
from tests.rest.test_recordings import open_socket, record
from tests.server import Serve

LONG = f"?text={'x' * 201}"


# Judging


async def test_only_editors_judge(api: Api, clara: User, robert: User, moderator: User) -> None:
    sheet = await uploaded(api, clara)
    for user in (clara, robert):
        for path, body in (
            (f"/{sheet['id']}/approve", {}), (f"/{sheet['id']}/reject", {"reason": "x"}),
            ("/approve", {"ids": [sheet["id"]]}), ("/reject", {"ids": [sheet["id"]], "reason": "x"}),
        ):  # fmt: skip
            answer = await api.call("POST", f"/sheet_music{path}", body, token=user.access_token)
            assert (answer.status, answer.code) == (403, "not-permitted")
    await approve(api, moderator, sheet["id"])


async def test_what_was_rejected_is_not_shown_before_it_is_approved(
    api: Api, clara: User, robert: User, editor: User
) -> None:
    sheet = await uploaded(api, clara)
    path = f"/sheet_music/{sheet['id']}"
    await api.call("POST", f"{path}/reject", {"reason": "no"}, token=editor.access_token)
    answer = await api.call("PATCH", path, {"title": "Another"}, token=clara.access_token)
    assert (answer.body["approval"], answer.body["rejection"]) == ("pending", "no")
    assert await read_status(api, sheet["id"], robert) == 404
    assert await read_status(api, sheet["id"], editor) == 200
    await approve(api, editor, sheet["id"])
    assert await read_status(api, sheet["id"], robert) == 200


async def test_approval_needs_no_body(api: Api, clara: User, editor: User) -> None:
    sheet = await uploaded(api, clara)
    answer = await api.call("POST", f"/sheet_music/{sheet['id']}/approve", token=editor.access_token)
    assert (answer.status, answer.body["approval"]) == (200, "approved")


async def test_reject_tells_the_reason_to_the_creator(api: Api, clara: User, editor: User) -> None:
    sheet = await uploaded(api, clara)
    path = f"/sheet_music/{sheet['id']}"
    assert (await api.call("POST", f"{path}/reject", {}, token=editor.access_token)).field == "reason"
    answer = await api.call("POST", f"{path}/reject", {"reason": "Not playable"}, token=editor.access_token)
    assert answer.body["approval"] == "rejected"
    answer = await api.call("GET", path, token=clara.access_token)
    assert (answer.body["approval"], answer.body["rejection"]) == ("rejected", "Not playable")
    await approve(api, editor, sheet["id"])
    assert (await api.call("GET", path, token=clara.access_token)).body["rejection"] == ""


async def test_approval_of_a_content_that_changed_is_refused(api: Api, clara: User, editor: User) -> None:
    sheet = await uploaded(api, clara, ABC)
    data = form(midi(60), "new.mid", {})
    await api.call("PATCH", f"/sheet_music/{sheet['id']}", data=data, token=clara.access_token)
    path = f"/sheet_music/{sheet['id']}/approve"
    answer = await api.call("POST", path, {"hash": sheet["hash"]}, token=editor.access_token)
    assert (answer.status, answer.code) == (409, "changed")


async def test_batches(api: Api, clara: User, editor: User) -> None:
    ids = [(await uploaded(api, clara, title=f"Air {number}"))["id"] for number in range(3)]
    private = (await uploaded(api, clara, privacy="private"))["id"]
    body = {"ids": [ids[0], ids[1], ids[1], "unknown", private]}
    answer = await api.call("POST", "/sheet_music/approve", body, token=editor.access_token)
    assert [sheet["id"] for sheet in answer.body["sheets"]] == ids[:2]
    assert [(failed["id"], failed["code"]) for failed in answer.body["failed"]] == [
        ("unknown", "not-found"),
        (private, "not-found"),
    ]
    assert await search(api, "?sort=oldest") == ["Air 0", "Air 1"]
    rejection = {"ids": ids, "reason": "All bad"}
    answer = await api.call("POST", "/sheet_music/reject", rejection, token=editor.access_token)
    assert [sheet["rejection"] for sheet in answer.body["sheets"]] == ["All bad"] * 3
    assert await search(api) == []
    answer = await api.call("POST", "/sheet_music/approve", {"ids": ["x"] * 101}, token=editor.access_token)
    assert answer.field == "ids"


async def test_what_editors_and_moderators_do_is_in_the_audit(
    api: Api, clara: User, editor: User, moderator: User, promote: Promote
) -> None:
    sheet = await uploaded(api, clara, title="Air")
    path = f"/sheet_music/{sheet['id']}"
    await approve(api, editor, sheet["id"])
    await api.call("POST", f"{path}/reject", {"reason": "Oh no"}, token=editor.access_token)
    assert (await api.call("DELETE", path, token=moderator.access_token)).status == 204
    admin = await api.register("Adam")
    await promote(admin, Role.ADMIN)
    entries = (await api.call("GET", f"/audit?target={sheet['id']}", token=admin.access_token)).body["entries"]
    assert [(entry["action"], entry["actor_id"]) for entry in entries] == [
        ("sheet.taken-down", moderator.id),
        ("sheet.rejected", editor.id),
        ("sheet.approved", editor.id),
    ]
    assert entries[1]["details"]["reason"] == "Oh no"
    assert entries[0]["details"]["creator"] == clara.id


# Favourites


async def test_favorites(api: Api, clara: User, robert: User, editor: User) -> None:
    sheet = await uploaded(api, clara, title="Air")
    other = await uploaded(api, clara, title="Other")
    await approve(api, editor, sheet["id"], other["id"])
    path = f"/sheet_music/{sheet['id']}/favorite"
    for _ in range(2):
        answer = await api.call("PUT", path, token=robert.access_token)
        assert (answer.body["favorites"], answer.body["is_favorite"]) == (1, True)
    assert (await api.call("PUT", path, token=clara.access_token)).body["favorites"] == 2
    answer = await api.call("GET", f"/sheet_music/{sheet['id']}")
    assert (answer.body["favorites"], answer.body["is_favorite"]) == (2, False)
    assert await search(api, "?favorites=true", robert) == ["Air"]
    for _ in range(2):
        answer = await api.call("DELETE", path, token=robert.access_token)
        assert (answer.body["favorites"], answer.body["is_favorite"]) == (1, False)
    assert await search(api, "?favorites=true", robert) == []


async def test_two_tabs_that_race_count_once(api: Api, clara: User, robert: User) -> None:
    sheet = await uploaded(api, clara)
    path = f"/sheet_music/{sheet['id']}/favorite"
    answers = await asyncio.gather(*(api.call("PUT", path, token=robert.access_token) for _ in range(10)))
    assert {answer.body["favorites"] for answer in answers} == {1}


async def test_a_favorite_that_became_private_is_not_shown_and_can_be_ended(
    api: Api, clara: User, robert: User
) -> None:
    sheet = await uploaded(api, clara)
    path = f"/sheet_music/{sheet['id']}"
    await api.call("PUT", f"{path}/favorite", token=robert.access_token)
    await api.call("PATCH", path, {"privacy": "private"}, token=clara.access_token)
    assert await search(api, "?favorites=true", robert) == []
    answer = await api.call("DELETE", f"{path}/favorite", token=robert.access_token)
    assert answer.status == 204
    assert (await api.call("DELETE", f"{path}/favorite", token=robert.access_token)).status == 404


async def test_favorites_are_limited(serve: Serve) -> None:
    async with open_api(await serve(*UNLIMITED, "sheets.favorites=1")) as api:
        clara = await api.register()
        ids = [(await uploaded(api, clara))["id"] for _ in range(2)]
        assert (await api.call("PUT", f"/sheet_music/{ids[0]}/favorite", token=clara.access_token)).status == 200
        answer = await api.call("PUT", f"/sheet_music/{ids[1]}/favorite", token=clara.access_token)
        assert (answer.status, answer.code) == (409, "favorite-limit")


# Recordings


async def test_a_recording_becomes_a_sheet(
    api: Api, patient: Server, connect: Connect, clara: User, robert: User
) -> None:
    recording = await record(await open_socket(api, patient, connect, clara.access_token), "Evening")
    path = f"/recordings/{recording.id}/sheet"
    answer = await api.call("POST", path, {"tags": ["live"]}, token=clara.access_token)
    assert answer.status == 201, answer.body
    sheet = answer.body
    assert (sheet["title"], sheet["category"], sheet["notes"], sheet["tags"]) == ("Evening", "midi", 1, ["live"])
    assert (await api.call("POST", path, {}, token=robert.access_token)).code == "not-found"
    file = await api.download(f"/api/v1/recordings/{recording.id}/file", token=clara.access_token)
    assert (await api.download(sheet["url"], token=clara.access_token)).content == file.content
