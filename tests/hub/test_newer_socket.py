"""A user who joins a room on a second socket: the newer one takes the older one's place."""

from rhythm_protocol.messages import ChatLine, RoomLeft, UserJoined, UserLeft, UserUpdated
from rhythmd.app import Server
from tests.client import Connect, note_on
from tests.hub.people import Person, socket_path
from tests.hub.rooms import find


async def test_newer_socket_of_a_member_takes_the_place_of_the_older(
    server: Server, connect: Connect, clara: Person, subprotocol: str
) -> None:
    older, guest = await clara.open(), await connect(server, subprotocol)
    await older.join("Salon")
    await find(guest, "Salon")
    await older.play([note_on()])
    await guest.events(1)
    newer = await clara.open(subprotocol)
    ack = await find(newer, "Salon")
    left = await older.expect(RoomLeft)
    assert (left.room, left.reason) == (ack.room.id, "replaced")
    assert len(await guest.events(1)) == 1, "what the older socket held is released"
    assert (ack.room.players, ack.room.owner) == (2, clara.id)
    await older.join("lobby")
    await newer.play([note_on()])
    assert len(await guest.events(1)) == 1
    await newer.ask("chat-message", {"content": "still me"})
    assert (await guest.expect(ChatLine)).content == "still me"
    assert not guest.has(UserLeft)
    assert not guest.has(UserJoined)


async def test_socket_that_takes_its_place_back_again_and_again_is_heard_of_no_more_than_once_in_a_moment(
    server: Server, connect: Connect
) -> None:
    """A guest has another name on each socket, so there is news each time."""
    token = server.auth.sessions.guest().access_token
    principal = await server.auth.authenticator.by_token(token)
    one, other = [await connect(server, path=await socket_path(server, principal)) for _ in range(2)]
    witness = await connect(server)
    slot = (await one.join("Salon")).slot
    await witness.join("Salon")
    for _ in range(40):
        assert (await other.join("Salon")).slot == slot
        assert (await one.join("Salon")).slot == slot
    await one.ask("chat-message", {"content": "the end"})
    heard = [type(message) for message in await witness.received()]
    assert not {UserLeft, UserJoined} & set(heard)
    assert 0 < heard.count(UserUpdated) < 80


async def test_newer_socket_of_the_only_member_is_in_the_same_room(
    server: Server, connect: Connect, clara: Person, subprotocol: str
) -> None:
    older, newer, guest = await clara.open(subprotocol), await clara.open(), await connect(server)
    first = await older.join("Salon")
    assert (await newer.join("Salon")).room.id == first.room.id
    assert (await older.expect(RoomLeft)).reason == "replaced"
    assert (await find(guest, "Salon")).room.players == 2
    await newer.play([note_on()])
    await guest.events(1)


async def test_newer_socket_of_a_guest_keeps_the_ownership(server: Server, connect: Connect) -> None:
    token = server.auth.sessions.guest().access_token
    principal = await server.auth.authenticator.by_token(token)
    older, newer = [await connect(server, path=await socket_path(server, principal)) for _ in range(2)]
    other = await connect(server)
    await older.join("Salon")
    await other.join("Salon")
    assert (await newer.join("Salon")).room.owner == principal.user_id
    await newer.ask("kick", {"user": other.welcome.user.id})
