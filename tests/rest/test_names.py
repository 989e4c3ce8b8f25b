"""Names of users and rooms on their way in through the REST API, and a deleted room in which a seat is reserved."""

from typing import Final

import pytest

from tests.rest.api import Api, User

HIDING: Final = ("Clara\u200b", "\u3164", "\u202earalC", "Z\u0335\u0336\u0337")


@pytest.mark.parametrize("name", HIDING, ids=ascii)
async def test_name_that_hides_something_is_refused(api: Api, clara: User, name: str) -> None:
    for field in ("nickname", "username", "status_text"):
        answer = await api.call("PATCH", "/users/profile", {field: name}, token=clara.access_token)
        assert (answer.status, answer.code, answer.field) == (400, "invalid-field", field)
    answer = await api.call("POST", "/rooms/create", {"name": name}, token=clara.access_token)
    assert (answer.status, answer.code, answer.field) == (400, "invalid-field", "name")


async def test_room_that_looks_like_another_or_like_a_lobby_is_refused(api: Api, clara: User) -> None:
    made = await api.call("POST", "/rooms/create", {"name": " Salon  1 "}, token=clara.access_token)
    assert (made.status, made.body["name"]) == (201, "Salon 1")
    other = await api.call("POST", "/rooms/create", {"name": "Attic"}, token=clara.access_token)
    for name, status, code in (("SaIon l", 409, "taken"), ("Iobby", 400, "invalid-field")):
        answer = await api.call("POST", "/rooms/create", {"name": name}, token=clara.access_token)
        assert (answer.status, answer.code, answer.field) == (status, code, "name")
        change = await api.call("PATCH", f"/rooms/{other.body['id']}", {"name": name}, token=clara.access_token)
        assert (change.status, change.code, change.field) == (status, code, "name")


async def test_texts_are_cleaned(api: Api, clara: User) -> None:
    wild, line, lines = "a\u202e\r\nb\x07 👩\u200d🎤", "a b 👩\u200d🎤", "a\nb 👩\u200d🎤"
    change = {"bio": wild, "location": wild}
    answer = await api.call("PATCH", "/users/profile", change, token=clara.access_token)
    assert (answer.body["profile"]["bio"], answer.body["profile"]["location"]) == (lines, line)
    settings = {"stage": wild, "welcome_message": wild}
    room = {"name": "Salon of texts", "settings": settings}
    made = await api.call("POST", "/rooms/create", room, token=clara.access_token)
    assert (made.body["settings"]["stage"], made.body["settings"]["welcome_message"]) == (line, lines)
    update = {"stage": wild * 2}
    changed = await api.call("PATCH", f"/rooms/{made.body['id']}", update, token=clara.access_token)
    assert changed.body["settings"]["stage"] == line * 2
    for nothing in ("\u200b", "\x07"):
        answer = await api.call("PATCH", "/users/settings", {"theme": nothing}, token=clara.access_token)
        assert (answer.status, answer.code, answer.field) == (400, "invalid-field", "theme")
    deep = await api.call(
        "PATCH", "/users/profile", {"bio": "Z" + "\u0335" * 5 + "\u0336" * 900}, token=clara.access_token
    )
    assert deep.body["profile"]["bio"] == "Z\u0335\u0336"


@pytest.mark.parametrize("bio", [b'"\\ud800"', b'"\xed\xa0\x80"'])
async def test_half_a_character_is_refused(api: Api, clara: User, bio: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await api.call(
        "PATCH", "/users/profile", data=b'{"bio": ' + bio + b"}", headers=headers, token=clara.access_token
    )
    assert answer.status == 400


async def test_deleted_room_goes_with_its_reserved_seats(api: Api, clara: User) -> None:
    room_id = (await api.call("POST", "/rooms/create", {"name": "Salon"}, token=clara.access_token)).body["id"]
    assert (await api.call("POST", f"/rooms/{room_id}/join", {}, token=clara.access_token)).status == 200
    assert (await api.call("DELETE", f"/rooms/{room_id}", token=clara.access_token)).status == 204
    assert (await api.call("GET", f"/rooms/{room_id}")).status == 404
