"""A user who joins a room on a second socket: the newer one takes the older one's place."""

from rhythm_protocol.messages import RoomLeft, UserLeft
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
    assert (await guest.expect(UserLeft)).reason == "replaced"
    assert len(await guest.events(1)) == 1
    assert (ack.room.players, ack.room.owner) == (2, clara.id)
    await older.join("lobby")


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
