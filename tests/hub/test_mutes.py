"""A mute is of the person in the room: what ends it, and what does not. Over real sockets."""

from pathlib import Path

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import ChatLine, Error, RoomUpdated, UserTyping, UserUpdated
from rhythmd.app import Server
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Player
from rhythmd.hub.rooms.sanctions import SANCTIONS_LIMIT, SanctionList
from rhythmd.rows import SanctionKind
from tests.client import Client, Connect, note_on
from tests.deadline import until
from tests.hub.people import Register, socket_path
from tests.server import Serve


async def open_guest(server: Server, connect: Connect, token: str) -> Client:
    """A socket of a guest who was here before."""
    principal = await server.auth.authenticator.by_token(token)
    return await connect(server, path=await socket_path(server, principal))


async def assert_muted(client: Client) -> None:
    await client.play([note_on()])
    assert (await client.expect(Error)).code == "notes-muted"
    assert (await client.refused("chat-message", {"content": "hello"})).code == "chat-muted"


async def assert_heard(client: Client) -> None:
    await client.received()
    await client.play([note_on()])
    await client.ask("chat-message", {"content": "hello"})
    assert not [message for message in await client.received() if isinstance(message, Error)]


async def mute(owner: Client, member: Client, *, on: bool = True, **rest: object) -> None:
    await owner.ask("mute", {"user": member.welcome.user.id, "notes": on, "chat": on, **rest})


@pytest.fixture
async def owner(server: Server, connect: Connect, subprotocol: str) -> Client:
    client = await connect(server, subprotocol)
    await client.join("Salon")
    return client


async def test_who_leaves_and_joins_again_stays_muted(server: Server, connect: Connect, owner: Client) -> None:
    member = await connect(server)
    await member.join("Salon")
    await mute(owner, member)
    await assert_muted(member)
    await member.ask("leave-room")
    members = (await member.join("Salon")).members
    assert [(user.notes_muted, user.chat_muted) for user in members] == [(False, False), (True, True)]
    await assert_muted(member)
    await member.join("Attic")
    await assert_heard(member)  # it is of this room
    await member.join("Salon")
    await mute(owner, member, on=False)
    await assert_heard(member)
    await member.ask("leave-room")
    await member.join("Salon")
    await assert_heard(member)


async def test_guest_who_comes_on_another_socket_stays_muted(server: Server, connect: Connect, owner: Client) -> None:
    token = server.auth.sessions.guest().access_token
    first = await open_guest(server, connect, token)
    await first.join("Salon")
    await mute(owner, first)
    second = await open_guest(server, connect, token)
    await second.join("Salon")  # the first socket is put out
    await assert_muted(second)
    await second.close()
    third = await open_guest(server, connect, token)
    await third.join("Salon")
    await assert_muted(third)


async def test_who_resumes_stays_muted(server: Server, connect: Connect, owner: Client) -> None:
    member = await connect(server)
    await member.join("Salon")
    await mute(owner, member)
    member.abort()
    while not (await owner.expect(UserUpdated)).user.reconnecting:
        pass
    again = await connect(server)
    await again.ask("resume", {"session": member.welcome.session, "received": 0})
    await assert_muted(again)


async def test_mute_ends_with_its_seconds_also_for_who_was_away(
    server: Server, connect: Connect, owner: Client
) -> None:
    member = await connect(server)
    await member.join("Salon")
    await mute(owner, member, seconds=1)
    await assert_muted(member)
    await member.ask("leave-room")
    await member.join("Salon")
    while (user := (await owner.expect(UserUpdated)).user).notes_muted or user.chat_muted:
        pass
    await assert_heard(member)


async def test_mute_is_over_when_its_time_is_and_no_sweep_is_needed(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rhythmd.hub.rooms.sanctions.Sanctions.end", lambda _self: None)
    server = await serve()
    owner, member = await connect(server), await connect(server)
    for client in (owner, member):
        await client.join("Salon")
    await mute(owner, member, seconds=1)
    (room,) = (room for room in server.hub.registry if room.name == "Salon")
    await assert_muted(member)
    await until(lambda: not room.sanctions[SanctionKind.CHAT].all(), "the mute is over")
    await assert_heard(member)
    while (user := (await owner.expect(UserUpdated)).user).notes_muted or user.chat_muted:
        pass


async def test_who_is_muted_in_the_chat_says_nothing_in_other_ways(
    server: Server, connect: Connect, owner: Client
) -> None:
    member = await connect(server)
    await member.join("Salon")
    await mute(owner, member)
    await owner.ask("room-update", {"settings": {"allow_replay": True}})
    await owner.received()
    for type_, data in (
        ("user-update", {"name": "You are all fools"}),
        ("user-update", {"status_text": "fools"}),
        ("chat-message", {"content": "/nickname Fools"}),
        ("chat-message", {"content": "/status_text fools"}),
        ("chat-message", {"content": "/me laughs"}),
        ("chat-message", {"content": "fool", "to": owner.welcome.user.id}),
        ("record-last", {"name": "Music of fools"}),
    ):
        assert (await member.refused(type_, data)).code == "chat-muted", type_
    await member.ask("typing", {"typing": True})
    await member.ask("user-update", {"colour": "#010203", "name": member.welcome.user.name, "status_text": ""})
    await member.send("cursor", {"x": 1, "y": 1})
    assert not [message for message in await owner.received() if isinstance(message, ChatLine | UserTyping)]
    await mute(owner, member, on=False)
    await member.ask("user-update", {"name": "Clara"})
    while (await owner.expect(UserUpdated)).user.name != "Clara":
        pass


async def test_mute_stays_over_a_new_name(server: Server, connect: Connect, owner: Client) -> None:
    member = await connect(server)
    await member.join("Salon")
    await mute(owner, member)
    await member.ask("leave-room")
    await member.ask("user-update", {"name": "Somebody else"})
    await member.join("Salon")
    await assert_muted(member)


async def test_who_is_muted_and_gone_can_be_given_the_voice_back_by_the_id(
    server: Server, connect: Connect, owner: Client
) -> None:
    member = await connect(server)
    await member.join("Salon")
    await owner.ask("mute", {"user": member.welcome.user.id, "notes": True})
    await member.ask("leave-room")
    await owner.ask("mute", {"user": member.welcome.user.id, "chat": True})
    listed = (await owner.ask("sanctions"))["sanctions"]
    one = {"user": member.welcome.user.id, "name": member.welcome.user.name, "seconds": None}
    assert listed == [{**one, "kind": "notes"}, {**one, "kind": "chat"}]
    await mute(owner, member, on=False)
    assert (await owner.ask("sanctions"))["sanctions"] == []
    await member.join("Salon")
    await assert_heard(member)
    await member.ask("leave-room")
    error = await owner.refused("mute", {"user": member.welcome.user.id, "chat": False})
    assert error.code == "user-not-found"


async def test_bans_and_mutes_are_listed_for_who_may_impose_them(
    server: Server, connect: Connect, owner: Client
) -> None:
    banned, muted = [await connect(server) for _ in range(2)]
    for client in (banned, muted):
        await client.join("Salon")
    await owner.ask("ban", {"user": banned.welcome.user.id, "seconds": 600})
    await owner.ask("chat-message", {"content": f"/mute #{muted.slot} chat 300"})
    kinds = {one["kind"]: one for one in (await owner.ask("sanctions"))["sanctions"]}
    assert {kind: one["user"] for kind, one in kinds.items()} == {
        "ban": banned.welcome.user.id,
        "chat": muted.welcome.user.id,
    }
    assert 590 < kinds["ban"]["seconds"] <= 600
    assert 290 < kinds["chat"]["seconds"] <= 300
    assert (await muted.refused("sanctions")).code == "not-owner"
    assert (await muted.refused("chat-message", {"content": "/sanctions"})).code == "not-owner"
    for command in ("/mute #2 chat 0", "/mute #2 both", "/mute #2 notes 5 more"):
        assert (await owner.refused("chat-message", {"content": command})).code == "invalid-field"


async def test_mute_in_a_kept_room_is_stored(
    serve: Serve, connect: Connect, register: Register, tmp_path: Path
) -> None:
    server = await serve()
    clara, robert = await register(server, "clara"), await register(server, "robert")
    owner, member = await clara.open(), await robert.open()
    for client in (owner, member):
        await client.join("Salon")
    await mute(owner, member)
    await owner.ask("mute", {"user": robert.id, "notes": False})
    for client in (member, owner):
        await client.ask("leave-room")
    await until(lambda: server.hub.registry.get("Salon") is None, "the room sleeps")
    await member.join("Salon")
    assert (await member.refused("chat-message", {"content": "hello"})).code == "chat-muted"
    await owner.join("Salon")
    (listed,) = (await owner.ask("sanctions"))["sanctions"]
    assert (listed["user"], listed["name"], listed["kind"], listed["seconds"]) == (robert.id, "robert", "chat", None)
    await mute(owner, member, on=False)
    await assert_heard(member)
    await owner.ask("leave-room")
    await member.ask("leave-room")
    await member.join("Salon")
    await assert_heard(member)


async def test_one_who_is_muted_inherits_last_and_does_not_end_it(
    server: Server, connect: Connect, owner: Client
) -> None:
    muted, other = await connect(server), await connect(server)
    for client in (muted, other):
        await client.join("Salon")
    await mute(owner, muted)
    assert (await owner.refused("transfer-owner", {"user": muted.welcome.user.id})).code == "not-permitted"
    await owner.ask("leave-room")
    while (await muted.expect(RoomUpdated)).room.owner != other.welcome.user.id:
        pass
    await other.ask("leave-room")
    while (await muted.expect(RoomUpdated)).room.owner != muted.welcome.user.id:
        pass
    for what, is_on, code in (("notes", True, "invalid-field"), ("notes", False, "not-permitted")):
        assert (await muted.refused("mute", {"user": muted.welcome.user.id, what: is_on})).code == code
    assert (await muted.refused("chat-message", {"content": "hello"})).code == "chat-muted"


def test_mute_of_a_guest_applies_to_the_address_but_loopback() -> None:
    mutes = SanctionList(ErrorCode.MUTE_LIMIT)
    for id_, address in (("a", "203.0.113.7"), ("b", "127.0.0.1")):
        mutes.add(Player(id_, "Guest", "#ffffff", address, guest=True, bot=False), None)
    assert mutes.applies_to(Player("c", "Guest", "#ffffff", "203.0.113.7", guest=True, bot=False))
    assert not mutes.applies_to(Player("d", "Guest", "#ffffff", "127.0.0.1", guest=True, bot=False))


def test_mute_again_from_another_address_is_lifted_whole() -> None:
    mutes = SanctionList(ErrorCode.MUTE_LIMIT)
    for address in ("203.0.113.7", "203.0.113.8"):
        mutes.add(Player("a", "Guest", "#ffffff", address, guest=True, bot=False), None)
    assert mutes.lift("a")
    assert mutes.all() == []


def test_mutes_are_bounded() -> None:
    mutes = SanctionList(ErrorCode.MUTE_LIMIT)
    for number in range(SANCTIONS_LIMIT):
        mutes.add(Player(str(number), "Guest", "#ffffff", "127.0.0.1", guest=True, bot=False), None)
    mutes.add(Player("0", "Guest", "#ffffff", "127.0.0.1", guest=True, bot=False), 60)
    with pytest.raises(Refused) as caught:
        mutes.add(Player("more", "Guest", "#ffffff", "127.0.0.1", guest=True, bot=False), None)
    assert caught.value.code is ErrorCode.MUTE_LIMIT


async def test_mute_of_a_guest_holds_the_next_one_of_its_network_and_spares_those_who_were_there(
    server: Server, connect: Connect
) -> None:
    """A class behind one address is not silenced with one of its members, and the next one can be unmuted."""
    school = {"X-Forwarded-For": "203.0.113.7"}
    owner = await connect(server, headers={"X-Forwarded-For": "198.51.100.1"})
    first, other = [await connect(server, headers=school) for _ in range(2)]
    for client in (owner, first, other):
        await client.join("Salon of one network")
    await owner.ask("mute", {"user": first.welcome.user.id, "chat": True})
    await other.ask("chat-message", {"content": "hello"})
    second = await connect(server, headers=school)
    await second.join("Salon of one network")
    assert (await second.refused("chat-message", {"content": "hello"})).code == "chat-muted"
    await owner.ask("mute", {"user": second.welcome.user.id, "chat": False})
    await second.ask("chat-message", {"content": "hello"})
