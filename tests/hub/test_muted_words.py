"""One who may say nothing is read nowhere else: in rooms, reasons, names and sheets, over sockets and REST."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from rhythm_protocol.messages import RoomLeft
from rhythmd.app import Server
from rhythmd.rows import Role
from tests.client import Client, Connect
from tests.hub.people import ORIGIN, Register
from tests.rest.api import open_api
from tests.server import Serve

WORDS: Final = "something bad"


@pytest.fixture
async def muted_owner(server: Server, connect: Connect, register: Register) -> tuple[Client, Client]:
    """A guest who owns a room and is muted in it by a moderator, and a member."""
    owner, member = await connect(server), await connect(server)
    judge = await register(server, "judge")
    await judge.become(Role.MODERATOR)
    moderator = await judge.open()
    for client in (owner, member, moderator):
        await client.join("Salon of words")
    await moderator.ask("mute", {"user": owner.welcome.user.id, "chat": True})
    return owner, member


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("room-update", {"settings": {"stage": WORDS}}),
        ("room-update", {"settings": {"welcome_message": WORDS}}),
        ("room-update", {"settings": {"name": WORDS}}),
        ("kick", {"user": "#2", "reason": WORDS}),
        ("ban", {"user": "#2", "reason": WORDS}),
        ("chat-message", {"content": f"/kick #2 {WORDS}"}),
        ("chat-message", {"content": f"/ban #2 60 {WORDS}"}),
        ("chat-message", {"content": f"/nickname {WORDS}"}),
        ("chat-message", {"content": f"/status_text {WORDS}"}),
        ("chat-message", {"content": f"/me {WORDS}"}),
        ("chat-message", {"content": WORDS, "to": "#2"}),
        ("sheet-play", {"sheet": "any"}),
        ("record", {"on": True, "name": WORDS}),
    ],
)
async def test_muted_owner_gives_nobody_anything_to_read(
    muted_owner: tuple[Client, Client], type_: str, data: Mapping[str, Any]
) -> None:
    owner, _ = muted_owner
    assert (await owner.refused(type_, data)).code == "chat-muted"


async def test_muted_owner_goes_on_ruling_without_words(muted_owner: tuple[Client, Client]) -> None:
    owner, member = muted_owner
    await owner.ask("room-update", {"settings": {"max_players": 7, "stage": "", "name": "Salon of words"}})
    await owner.ask("kick", {"user": member.welcome.user.id})
    assert (await member.expect(RoomLeft)).message == ""


async def test_muted_member_comes_back_with_the_name_of_before_and_no_text(
    server: Server, connect: Connect, muted_owner: tuple[Client, Client]
) -> None:
    owner, _ = muted_owner
    await owner.ask("leave-room")
    await owner.ask("user-update", {"name": WORDS, "status_text": WORDS})
    ack = await owner.join("Salon of words")
    (user,) = [user for user in ack.members if user.id == owner.welcome.user.id]
    assert (user.name, user.status_text, user.chat_muted) == (owner.welcome.user.name, "", True)
    elsewhere = await owner.join("Attic of words")
    await owner.ask("user-update", {"name": "Free here"})
    assert not elsewhere.members[0].chat_muted


async def test_guest_who_comes_after_a_mute_of_the_network_has_no_name_of_their_own(
    server: Server, connect: Connect
) -> None:
    home = {"X-Forwarded-For": "203.0.113.7"}
    owner, culprit = await connect(server), await connect(server, headers=home)
    for client in (owner, culprit):
        await client.join("Salon of names")
    await owner.ask("mute", {"user": culprit.welcome.user.id, "chat": True})
    again = await connect(server, headers=home)
    await again.ask("user-update", {"name": WORDS, "status_text": WORDS})
    (user,) = [user for user in (await again.join("Salon of names")).members if user.id == again.welcome.user.id]
    assert user.name.startswith("Guest ")
    assert user.status_text == ""


async def test_account_that_is_muted_everywhere_names_nothing_over_sockets_and_rest(
    serve: Serve, register: Register
) -> None:
    server = await serve()
    person = await register(server, "culprit")
    async with open_api(server) as api:
        kept = await api.call("POST", "/rooms/create", {"name": "Kept"}, token=person.token)
        await server.auth.moderation.mute(None, "culprit", None, ORIGIN)
        client = await person.open()
        for type_, data in (
            ("user-update", {"name": WORDS}),
            ("user-update", {"status_text": WORDS}),
            ("join-room", {"room": WORDS, "create": True}),
        ):
            assert (await client.refused(type_, data)).code == "chat-muted"
        await client.ask("user-update", {"colour": "#123456", "status_text": ""})
        for method, path, body in (
            ("POST", "/rooms/create", {"name": WORDS}),
            ("PATCH", f"/rooms/{kept.body['id']}", {"stage": WORDS}),
            ("PATCH", "/users/profile", {"nickname": WORDS}),
            ("PATCH", "/users/profile", {"status_text": WORDS}),
            ("PATCH", "/users/profile", {"bio": WORDS}),
        ):
            answer = await api.call(method, path, body, token=person.token)
            assert (answer.status, answer.code) == (403, "chat-muted"), (path, answer.body)
        same = {"nickname": "culprit", "colour": "#123456"}
        assert (await api.call("PATCH", "/users/profile", same, token=person.token)).status == 200


async def test_owner_who_is_muted_in_a_kept_room_does_not_write_there_over_rest(
    serve: Serve, register: Register
) -> None:
    server = await serve()
    clara, judge = await register(server, "clara"), await register(server, "judge")
    await judge.become(Role.MODERATOR)
    owner, moderator = await clara.open(), await judge.open()
    room = (await owner.join("Kept")).room.id
    await moderator.join("Kept")
    await moderator.ask("mute", {"user": clara.id, "chat": True})
    async with open_api(server) as api:
        answer = await api.call("PATCH", f"/rooms/{room}", {"stage": WORDS}, token=clara.token)
        assert (answer.status, answer.code) == (403, "chat-muted")
        assert (await api.call("PATCH", f"/rooms/{room}", {"max_players": 5}, token=clara.token)).status == 200
