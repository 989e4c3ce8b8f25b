"""Profiles and settings, and what moderators and admins do."""

import asyncio
from typing import Any

import pytest

from rhythmd.app import Server
from rhythmd.rows import Role
from tests.client import Connect
from tests.deadline import within
from tests.rest.api import PASSWORD, Api, User
from tests.rest.conftest import Promote


async def test_profile_changes_only_what_is_given(api: Api) -> None:
    user = await api.register()
    before = (await api.call("GET", "/users/profile", token=user.access_token)).body
    change = {"nickname": "C. Wieck", "colour": "#aabbcc", "bio": "piano"}
    after = (await api.call("PATCH", "/users/profile", change, token=user.access_token)).body
    assert (after["nickname"], after["colour"], after["profile"]["bio"]) == ("C. Wieck", "#aabbcc", "piano")
    assert after["username"] == before["username"]
    again = (await api.call("PATCH", "/users/profile", {"location": "Leipzig"}, token=user.access_token)).body
    assert again["profile"] == {"avatar": "", "bio": "piano", "location": "Leipzig"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"nickname": ""}, "nickname"),
        ({"nickname": "a\nb"}, "nickname"),
        ({"avatar": "javascript:alert(1)"}, "avatar"),
        ({"avatar": "http://example.org/a.png"}, "avatar"),
        ({"bio": "x" * 1_001}, "bio"),
        ({"roles": ["admin"]}, "roles"),
        ({"id": "x"}, "id"),
    ],
)
async def test_profile_with_a_bad_field_names_it(api: Api, change: dict[str, Any], field: str) -> None:
    user = await api.register()
    answer = await api.call("PATCH", "/users/profile", change, token=user.access_token)
    assert (answer.status, answer.code, answer.field) == (400, "invalid-field", field)
    assert "regex" not in answer.body["error"]["message"]


async def test_settings_change_only_what_is_given(api: Api) -> None:
    user = await api.register()
    assert (await api.call("PATCH", "/users/settings", {"theme": "dark"}, token=user.access_token)).status == 200
    settings = (await api.call("GET", "/users/settings", token=user.access_token)).body
    assert settings == {"theme": "dark", "notifications": True, "privacy": "public"}


@pytest.mark.parametrize(
    ("privacy", "nobody", "guest", "member"),
    [("public", True, True, True), ("members", False, False, True), ("private", False, False, False)],
)
async def test_user_shows_the_profile_to_whom_they_want(
    api: Api, privacy: str, nobody: bool, guest: bool, member: bool
) -> None:
    clara, robert = await api.register("Clara"), await api.register("Robert")
    await api.call("PATCH", "/users/settings", {"privacy": privacy}, token=clara.access_token)
    for token, seen in (
        (None, nobody), (await api.guest(), guest), (robert.access_token, member), (clara.access_token, True),
    ):  # fmt: skip
        person = (await api.call("GET", "/users/clara", token=token)).body
        assert person["usertag"] == "Clara"
        assert (person["profile"] is not None) is seen
        assert "email" not in person


async def test_user_unknown_is_not_found(api: Api) -> None:
    answer = await api.call("GET", "/users/nobody")
    assert (answer.status, answer.code) == (404, "not-found")


@pytest.fixture
async def moderator(api: Api, promote: Promote) -> User:
    user = await api.register("Moderator")
    await promote(user, Role.MODERATOR)
    return user


@pytest.fixture
async def admin(api: Api, promote: Promote) -> User:
    user = await api.register("Admin")
    await promote(user, Role.ADMIN)
    return user


async def test_ban_ends_login_and_sockets_at_once(api: Api, patient: Server, connect: Connect, moderator: User) -> None:
    clara = await api.register()
    ticket = (await api.call("POST", "/auth/ticket", token=clara.access_token)).body["ticket"]
    client = await connect(patient, path=f"/ws?ticket={ticket}")
    body = {"seconds": 3_600, "reason": "noise"}
    assert (await api.call("POST", "/users/Clara/ban", body, token=moderator.access_token)).status == 200
    assert (await client.closed()).code >= 4_000
    login = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": PASSWORD})
    assert (login.status, login.code) == (403, "user-banned")
    assert "noise" in login.body["error"]["message"]
    assert (await api.call("DELETE", "/users/Clara/ban", token=moderator.access_token)).status == 200
    await api.login()


async def test_mute_and_unmute_are_seen_by_the_user(api: Api, moderator: User) -> None:
    clara = await api.register()
    await api.call("POST", "/users/Clara/mute", {"seconds": 60}, token=moderator.access_token)
    assert (await api.call("GET", "/users/profile", token=clara.access_token)).body["muted_until"] is not None
    await api.call("DELETE", "/users/Clara/mute", token=moderator.access_token)
    assert (await api.call("GET", "/users/profile", token=clara.access_token)).body["muted_until"] is None


async def test_moderation_by_others_is_refused(api: Api) -> None:
    clara = await api.register("Clara")
    await api.register("Robert")
    for method, path, body in (
        ("POST", "/users/Robert/ban", {}),
        ("DELETE", "/users/Robert/ban", None),
        ("POST", "/users/Robert/mute", {}),
        ("PUT", "/users/Clara/roles", {"roles": ["admin"]}),
        ("GET", "/audit", None),
    ):
        answer = await api.call(method, path, body, token=clara.access_token)
        assert (answer.status, answer.code) == (403, "not-permitted"), path


async def test_moderator_has_no_power_over_an_admin(api: Api, moderator: User, admin: User) -> None:
    answer = await api.call("POST", "/users/Admin/ban", {}, token=moderator.access_token)
    assert (answer.status, answer.code) == (403, "not-permitted")


async def test_roles_count_at_once(api: Api, admin: User) -> None:
    clara = await api.register()
    await api.register("Robert")
    assert (await api.call("POST", "/users/Robert/mute", {}, token=clara.access_token)).status == 403
    body = {"roles": ["member", "moderator"]}
    answer = await api.call("PUT", "/users/Clara/roles", body, token=admin.access_token)
    assert answer.body["roles"] == ["member", "moderator"]
    assert (await api.call("POST", "/users/Robert/mute", {}, token=clara.access_token)).status == 200


async def test_audit_tells_who_did_what_to_whom_from_where(api: Api, admin: User) -> None:
    clara = await api.register()
    await api.call("POST", "/users/Clara/ban", {"reason": "noise"}, token=admin.access_token)
    await api.call("POST", "/auth/login", {"usertag": "Clara", "password": "wrong horse"})

    async def entries(query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await api.call("GET", f"/audit?{query}", token=admin.access_token)).body[
            "entries"
        ]
        return found

    async def until_written() -> dict[str, Any]:
        while True:
            if found := await entries(f"action=account.banned&target={clara.id}"):
                return found[0]
            await asyncio.sleep(0.01)

    entry = await within(until_written())
    assert (entry["actor_id"], entry["target"], entry["address"]) == (admin.id, clara.id, "127.0.0.1")
    assert entry["details"]["reason"] == "noise"
    assert await entries(f"actor={clara.id}&action=account.banned") == []
    assert await entries(f"target={clara.id}&until={entry['time']}&action=account.banned") == []


async def test_audit_pages_do_not_overlap(api: Api, admin: User) -> None:
    for _ in range(3):
        await api.login("Admin")
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api.call("GET", f"/audit?limit=1{cursor}", token=admin.access_token)).body
        seen += [entry["id"] for entry in page["entries"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) >= 1
