"""What an owner may do to the members, and who may not."""

import asyncio

import pytest

from rhythm_protocol.control import SUBPROTOCOL_JSON
from rhythm_protocol.messages import Error, RoomLeft, UserLeft, UserUpdated
from rhythmd.app import Server
from tests.client import Client, Connect, Music, note_off, note_on
from tests.deadline import within
from tests.server import Serve


@pytest.fixture
async def people(server: Server, connect: Connect) -> list[Client]:
    """The owner, one who speaks JSON, one more."""
    clients = [await connect(server), await connect(server, SUBPROTOCOL_JSON), await connect(server)]
    for client in clients:
        await client.join("Salon")
    for client in clients:
        await client.received()
    return clients


async def test_kick_takes_out_and_tells_everybody(people: list[Client]) -> None:
    owner, member, third = people
    await owner.ask("kick", {"user": member.welcome.user.id, "reason": "noise"})
    assert (await member.expect(RoomLeft)).reason == "kicked"
    for client in (owner, third):
        assert await client.expect(UserLeft) == UserLeft(member.slot, member.welcome.user.id, "kicked")
    assert (await member.refused("chat-message", {"content": "hello"})).code == "not-in-room"
    await member.join("Salon")


async def test_ban_ends_after_its_seconds(people: list[Client]) -> None:
    owner, member, _ = people
    await owner.ask("ban", {"user": member.welcome.user.id, "seconds": 1})
    assert (await member.expect(RoomLeft)).seconds == 1
    assert (await member.refused("join-room", {"room": "Salon"})).code == "banned"

    async def let_in() -> None:
        while True:
            if (await member.answer("join-room", {"room": "Salon"})).error is None:
                return
            await asyncio.sleep(0.1)  # more often would be flooding

    await within(let_in())


async def test_unban_lets_in_again(people: list[Client]) -> None:
    owner, member, _ = people
    id_ = member.welcome.user.id
    await owner.ask("ban", {"user": id_})
    await owner.ask("unban", {"user": id_})
    await member.join("Salon")
    error = await owner.refused("unban", {"user": id_})
    assert (error.code, error.field) == ("user-not-found", "user")


async def test_ban_ends_with_its_room(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.linger_s=0")
    owner, member = [await connect(server) for _ in range(2)]
    for client in (owner, member):
        await client.join("Salon")
    await owner.ask("ban", {"user": member.welcome.user.id})
    await owner.ask("leave-room")
    assert (await member.join("Salon")).room.owner == member.welcome.user.id


async def test_mute_of_notes_silences_until_it_is_taken_back(people: list[Client]) -> None:
    owner, member, third = people
    await owner.ask("mute", {"user": member.welcome.user.id, "notes": True})
    assert (await third.expect(UserUpdated)).user.notes_muted
    await member.play([note_on()])
    assert (await member.expect(Error)).code == "notes-muted"
    await member.play([note_off()])
    await member.ask("chat-message", {"content": "what?"})
    assert Music not in map(type, await third.received())
    await owner.ask("mute", {"user": member.welcome.user.id, "notes": False})
    await member.play([note_on(72)])
    assert await third.events(1) == [(member.slot, note_on(72))]


async def test_mute_sets_what_is_named_and_leaves_the_rest(people: list[Client]) -> None:
    owner, member, _ = people
    seen = []
    for mute in ({"notes": True}, {"chat": True}, {"notes": False}, {}):
        await owner.ask("mute", {"user": member.welcome.user.id, **mute})
        user = (await member.expect(UserUpdated)).user
        seen.append((user.notes_muted, user.chat_muted))
    assert seen == [(True, False), (True, True), (False, True), (False, True)]


async def test_mute_by_the_owner_is_not_lifted_by_mute_self(people: list[Client]) -> None:
    owner, member, third = people
    await owner.ask("mute", {"user": member.welcome.user.id, "notes": True})
    for _ in range(2):
        await member.ask("chat-message", {"content": "/mute_self"})
    await member.play([note_on()])
    await member.clock()
    assert Music not in map(type, await third.received())


async def test_moderation_is_the_owners(people: list[Client]) -> None:
    owner, member, third = people
    for type_ in ("kick", "ban", "unban", "mute"):
        assert (await member.refused(type_, {"user": third.welcome.user.id})).code == "not-owner", type_
    assert await third.received() == []
    assert await owner.received() == []


async def test_moderation_of_oneself_or_of_nobody_is_refused(people: list[Client]) -> None:
    owner = people[0]
    for type_ in ("kick", "ban", "mute"):
        error = await owner.refused(type_, {"user": owner.welcome.user.id})
        assert (error.code, error.field) == ("invalid-field", "user"), type_
        error = await owner.refused(type_, {"user": "nobody"})
        assert (error.code, error.field) == ("user-not-found", "user"), type_


async def test_moderation_outside_of_a_room_is_refused(server: Server, connect: Connect) -> None:
    client = await connect(server)
    for type_ in ("kick", "ban", "unban", "mute", "transfer-owner"):
        assert (await client.refused(type_, {"user": "somebody"})).code == "not-in-room", type_
    assert (await client.refused("clear-chat")).code == "not-in-room"
