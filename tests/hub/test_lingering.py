"""An empty room of a guest: it stays for a while, for those who come back. Over real sockets."""

import asyncio

import pytest

from rhythm_protocol.messages import RoomUpdated, UserUpdated
from rhythmd.app import Server
from rhythmd.hub.rooms import lingering
from rhythmd.hub.rooms.lingering import Lingering
from tests.client import Client, Connect
from tests.deadline import until
from tests.hub.people import Person
from tests.server import Serve


async def furnish(server: Server, connect: Connect) -> Client:
    """Somebody in a room of theirs, with settings, a password, a ban, a mute and a line of chat."""
    owner, banned, muted = [await connect(server) for _ in range(3)]
    await owner.join("Salon", password="sesame", settings={"stage": "church"})
    for client in (banned, muted):
        await client.join("Salon", password="sesame")
    await owner.ask("ban", {"user": banned.welcome.user.id})
    await owner.ask("mute", {"user": muted.welcome.user.id, "chat": True})
    await owner.ask("chat-message", {"content": "good evening"})
    for client in (muted, owner):
        await client.ask("leave-room")
    await muted.received()
    assert (await banned.refused("join-room", {"room": "Salon", "password": "sesame"})).code == "banned"
    await muted.join("Salon", password="sesame")
    assert (await muted.refused("chat-message", {"content": "hello"})).code == "chat-muted"
    await muted.ask("leave-room")
    return owner


async def test_owner_who_comes_back_finds_the_room_as_it_was(server: Server, connect: Connect) -> None:
    owner = await furnish(server, connect)
    assert (await owner.refused("join-room", {"room": "Salon", "create": True})).code == "wrong-password"
    ack = await owner.join("Salon", password="sesame")
    assert (ack.room.owner, ack.room.settings.stage) == (owner.welcome.user.id, "church")
    assert [line.content for line in ack.chat] == ["good evening"]
    assert len((await owner.ask("sanctions"))["sanctions"]) == 2


async def test_who_comes_first_owns_the_room_until_its_owner_is_back(server: Server, connect: Connect) -> None:
    owner, visitor = [await connect(server) for _ in range(2)]
    await owner.join("Salon")
    await owner.ask("leave-room")
    assert (await visitor.join("Salon")).room.owner == visitor.welcome.user.id
    await visitor.ask("leave-room")  # and takes no claim away
    assert (await visitor.join("Salon")).room.owner == visitor.welcome.user.id
    await visitor.received()
    assert (await owner.join("Salon")).room.owner == owner.welcome.user.id
    assert (await visitor.expect(RoomUpdated)).room.owner == owner.welcome.user.id
    assert (await visitor.refused("kick", {"user": owner.welcome.user.id})).code == "not-owner"
    await owner.ask("leave-room")
    while (await visitor.expect(RoomUpdated)).room.owner != visitor.welcome.user.id:
        pass
    assert (await owner.join("Salon")).room.owner == visitor.welcome.user.id  # who stayed


async def test_room_ends_after_its_time(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.linger_s=0.2")
    owner, stranger = await connect(server), await connect(server)
    await owner.join("Salon", settings={"stage": "church"})
    await owner.ask("leave-room")
    assert server.hub.registry.get("Salon") is not None
    await until(lambda: server.hub.registry.get("Salon") is None, "the room is gone")
    assert (await stranger.join("Salon")).room.settings.stage == ""


async def test_linger_off_ends_a_room_with_its_last_member(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.linger_s=0")
    owner = await connect(server)
    await owner.join("Salon")
    await owner.ask("leave-room")
    assert server.hub.registry.get("Salon") is None


async def test_empty_rooms_give_way_to_those_that_somebody_is_in(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.limit=4")
    client, other = await connect(server), await connect(server)
    for number in range(8):
        await client.join(f"Room {number}")
    await other.join("Salon")
    assert len(server.hub.registry) == 4
    assert server.hub.registry.get("Room 6") is not None  # the one that was left last


def test_empty_rooms_are_bounded_in_all_and_for_each_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LIMIT", 3)
    monkeypatch.setattr(lingering, "LIMIT_PER_OWNER", 2)
    rooms = Lingering()
    assert [rooms.add(id_, owner) for id_, owner in (("a", "x"), ("b", "y"), ("c", "x"))] == [None] * 3
    assert rooms.add("d", "x") == "a"
    rooms.discard("a")
    assert rooms.add("e", "z") == "b"
    for id_ in ("b", "c", "d", "e", "never there"):
        rooms.discard(id_)
    assert rooms.oldest() is None


async def test_kept_room_that_was_deleted_does_not_linger(serve: Serve, connect: Connect, clara: Person) -> None:
    server = clara.server
    owner, guest = await clara.open(), await connect(server)
    for client in (owner, guest):
        room_id = (await client.join("Salon")).room.id
    await server.hub.catalogue.delete(room_id)
    await owner.ask("leave-room")
    while (await guest.expect(RoomUpdated)).room.owner != guest.welcome.user.id:
        pass
    await guest.ask("leave-room")
    assert server.hub.registry.by_id(room_id) is None


# The owner of a room while others are away


async def test_owner_who_leaves_is_followed_by_the_longest_present_who_is_there(
    server: Server, connect: Connect
) -> None:
    owner, away, present, later = [await connect(server) for _ in range(4)]
    for client in (owner, away, present, later):
        await client.join("Salon")
    away.abort()
    while not (await later.expect(UserUpdated)).user.reconnecting:
        pass
    await owner.ask("leave-room")
    while (await later.expect(RoomUpdated)).room.owner != present.welcome.user.id:
        pass
    await present.ask("room-update", {"settings": {"stage": "church"}})


async def test_owner_who_is_away_keeps_the_room_while_the_seat_is_reserved(server: Server, connect: Connect) -> None:
    owner, present = [await connect(server) for _ in range(2)]
    for client in (owner, present):
        await client.join("Salon")
    owner.abort()
    while not (await present.expect(UserUpdated)).user.reconnecting:
        pass
    room = server.hub.registry.get("Salon")
    assert room is not None
    assert room.info().owner == owner.welcome.user.id
    again = await connect(server)
    await again.ask("resume", {"session": owner.welcome.session, "received": 0})
    await again.ask("room-update", {"settings": {"stage": "church"}})


async def test_room_where_all_are_away_belongs_to_the_first_who_is_there(server: Server, connect: Connect) -> None:
    owner, heir = [await connect(server) for _ in range(2)]
    for client in (owner, heir):
        await client.join("Salon")
    heir.abort()
    while not (await owner.expect(UserUpdated)).user.reconnecting:
        pass
    await owner.ask("leave-room")
    await owner.clock()
    newcomer = await connect(server)
    assert (await newcomer.join("Salon")).room.owner == newcomer.welcome.user.id
    await newcomer.ask("leave-room")
    back = await connect(server)
    await back.ask("resume", {"session": heir.welcome.session, "received": 0})
    room = server.hub.registry.get("Salon")
    assert room is not None
    await until(lambda: room.info().owner == heir.welcome.user.id, "the heir owns the room")
    await asyncio.sleep(0)
