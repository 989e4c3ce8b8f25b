"""Guests of one network leave something of rooms, recordings and the live file to others. Over real sockets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rhythm_protocol.messages import RoomType
from rhythmd.app import Server
from tests.client import Client, Connect, note_on
from tests.hub.people import Register, socket_path
from tests.hub.recordings import ready
from tests.server import AT_ONCE, Serve, make_config, running_server

HOME: Final = "203.0.113.7"
ELSEWHERE: Final = "198.51.100.9"
SHARES: Final = ("limits.guest_share=75", "limits.guest_network_share=50")
LONG: Final = "\N{MUSICAL SYMBOL G CLEF}" * 500
UNRATED: Final = ("limits.messages_per_s=100000", "limits.messages_burst=100000")


def at(address: str) -> Mapping[str, str]:
    return {"X-Forwarded-For": address}


async def came_from(connect: Connect, server: Server, address: str) -> Client:
    """A new guest."""
    return await connect(server, headers=at(address))


async def code_of(client: Client, room: str) -> str:
    """What an attempt to make a room ends with."""
    error = (await client.answer("join-room", {"room": room, "create": True})).error
    return "" if error is None else error.code


# Rooms


async def test_rooms_of_one_network_are_no_more_than_its_share(
    serve: Serve, connect: Connect, register: Register
) -> None:
    """Beside the lobby: two of a network, three of guests, the rest for accounts."""
    server = await serve("rooms.limit=5", "limits.guest_share=60", "limits.guest_network_share=40")
    guests = [await came_from(connect, server, address) for address in (HOME, HOME, HOME, ELSEWHERE, "192.0.2.1")]
    answers = [await code_of(guest, f"Room {number}") for number, guest in enumerate(guests)]
    assert answers == ["", "", "room-limit", "", "room-limit"]
    clara = await (await register(server, "clara")).open()
    assert await code_of(clara, "Salon") == ""


async def opened_by_accounts(register: Register, server: Server, address: str, *usertags: str) -> list[Client]:
    """A socket of each new account."""
    people = [await register(server, usertag) for usertag in usertags]
    paths = [await socket_path(server, await person.principal()) for person in people]
    return [
        await person.connect(server, path=path, headers=at(address)) for person, path in zip(people, paths, strict=True)
    ]


async def test_accounts_of_one_network_leave_rooms_to_others(
    serve: Serve, connect: Connect, register: Register
) -> None:
    """Beside the lobby: two of an account, three of all accounts of a network, whose guests have their own."""
    server = await serve("rooms.limit=6", "limits.guest_network_share=20", "limits.account_network_share=50")
    clients = await opened_by_accounts(register, server, HOME, "clara", "robert", "fanny", "felix")
    answers = [await code_of(client, f"Room {number}") for number, client in enumerate(clients)]
    assert answers == ["", "", "", "room-limit"]
    assert await code_of(await came_from(connect, server, HOME), "Attic") == ""
    (other,) = await opened_by_accounts(register, server, ELSEWHERE, "johannes")
    assert await code_of(other, "Salon") == ""


async def test_kept_room_counts_for_the_network_that_opened_it(serve: Serve, register: Register) -> None:
    server = await serve("rooms.limit=4", "limits.account_network_share=25")
    clara, robert, fanny = await opened_by_accounts(register, server, HOME, "clara", "robert", "fanny")
    assert await code_of(clara, "Salon") == ""
    assert (await robert.refused("join-room", {"room": "Attic", "create": True})).code == "room-limit"
    await clara.ask("leave-room")
    assert await code_of(robert, "Salon") == ""
    assert await code_of(fanny, "Cellar") == "room-limit"
    (other,) = await opened_by_accounts(register, server, ELSEWHERE, "johannes")
    assert await code_of(other, "Cellar") == ""  # nothing is left of the one that was refused


async def test_refusal_tells_whose_share_is_used_up(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.limit=10")
    first, second = [await came_from(connect, server, HOME) for _ in range(2)]
    await first.join("Attic")
    assert "your network" in (await second.refused("join-room", {"room": "Cellar", "create": True})).message


async def test_lobbies_are_made_though_there_are_as_many_rooms_as_may_be(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.limit=2", "rooms.lobby_players=1")
    assert await code_of(await came_from(connect, server, HOME), "Attic") == ""
    assert await code_of(await came_from(connect, server, ELSEWHERE), "Cellar") == "room-limit"
    rooms = [(await (await came_from(connect, server, ELSEWHERE)).join("lobby")).room for _ in range(3)]
    assert [room.id for room in rooms] == ["lobby", "lobby-2", "lobby-3"]
    assert {room.settings.type for room in rooms} == {RoomType.LOBBY}


async def test_empty_rooms_of_a_network_count_and_give_way_to_its_newer_ones(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.limit=5", "limits.guest_network_share=40")
    other, guest = await came_from(connect, server, ELSEWHERE), await came_from(connect, server, HOME)
    await other.join("Others")
    await other.ask("leave-room")
    for number in range(6):
        await guest.join(f"Room {number}")
        await guest.ask("leave-room")
    left = {room.name for room in server.hub.registry}
    assert left == {"Lobby", "Others", "Room 4", "Room 5"}


# Recordings


async def record(client: Client) -> str:
    """Record a note; what that ends with."""
    error = (await client.answer("record", {"on": True})).error
    if error is not None:
        return error.code
    await client.play([note_on()])
    await client.clock()
    await client.ask("record", {"on": False})
    await ready(client)
    return ""


async def recorded_by_new_guests(connect: Connect, server: Server, address: str, count: int) -> list[str]:
    answers: list[str] = []
    for _ in range(count):
        client = await came_from(connect, server, address)
        await client.join(f"Room {client.welcome.user.id}")
        answers.append(await record(client))
    return answers


async def test_recordings_of_new_guests_are_of_their_networks_share_also_after_a_restart(
    tmp_path: Path, connect: Connect
) -> None:
    config = make_config(tmp_path, ["recording.limit=4", *SHARES, AT_ONCE])
    async with running_server(config) as server:
        assert await recorded_by_new_guests(connect, server, HOME, 3) == ["", "", "recording-limit"]
    async with running_server(config) as server:
        assert await recorded_by_new_guests(connect, server, HOME, 1) == ["recording-limit"]
        assert await recorded_by_new_guests(connect, server, ELSEWHERE, 2) == ["", "recording-limit"]


async def test_recordings_of_accounts_are_of_their_networks_share_also_after_a_restart(
    tmp_path: Path, register: Register
) -> None:
    shares = ("limits.guest_network_share=25", "limits.account_network_share=50")
    config = make_config(tmp_path, ["recording.limit=4", *shares, AT_ONCE])

    async def record_as(server: Server, address: str, *usertags: str) -> list[str]:
        clients = await opened_by_accounts(register, server, address, *usertags)
        for client in clients:
            await client.join(f"Room {client.welcome.user.id}")
        return [await record(client) for client in clients]

    async with running_server(config) as server:
        assert await record_as(server, HOME, "clara", "robert", "fanny") == ["", "", "recording-limit"]
    async with running_server(config) as server:
        assert await record_as(server, HOME, "felix") == ["recording-limit"]
        assert await record_as(server, ELSEWHERE, "johannes") == [""]


async def test_recordings_are_left_for_accounts(serve: Serve, connect: Connect, register: Register) -> None:
    server = await serve("recording.limit=4", *SHARES)
    for address in (HOME, ELSEWHERE):
        await recorded_by_new_guests(connect, server, address, 2)
    clara = await (await register(server, "clara")).open()
    await clara.join("Salon")
    assert await record(clara) == ""
    assert (await clara.refused("record", {"on": True})).code == "recording-limit"


async def test_recordings_under_way_count_for_their_network(serve: Serve, connect: Connect) -> None:
    server = await serve("recording.limit=4", *SHARES)
    clients = [await came_from(connect, server, HOME) for _ in range(3)]
    for number, client in enumerate(clients):
        await client.join(f"Room {number}")
    answers = [await client.answer("record", {"on": True}) for client in clients]
    assert [answer.error and answer.error.code for answer in answers] == [None, None, "recording-limit"]
    await clients[0].ask("record", {"on": False})  # silence, which takes no place
    assert await record(clients[2]) == ""


# The live file


async def test_chat_of_a_network_takes_no_more_of_the_live_file_than_its_share(
    serve: Serve, connect: Connect, register: Register
) -> None:
    server = await serve(*UNRATED, "rooms.linger_s=0")
    guest = await came_from(connect, server, HOME)
    await guest.join("lobby")
    for _ in range(100):
        answer = await guest.answer("chat-message", {"content": LONG})
        if answer.error is not None:
            break
    assert answer.error is not None
    assert (answer.error.code, "your network" in answer.error.message) == ("chat-limit", True)
    other = await came_from(connect, server, ELSEWHERE)
    await other.join("lobby")
    await other.ask("chat-message", {"content": LONG})
    clara = await (await register(server, "clara")).open()
    await clara.join("lobby")
    for _ in range(100):  # other lines of the lobby give way, and with them what the guest had taken
        await clara.ask("chat-message", {"content": "good evening"})
    await guest.ask("chat-message", {"content": LONG})


async def test_empty_rooms_give_way_in_the_live_file(serve: Serve, connect: Connect) -> None:
    """Each has half of the share, so the third takes the place of the first."""
    server = await serve(*UNRATED, "limits.guest_network_share=50")
    guest = await came_from(connect, server, HOME)
    for number in range(3):
        await guest.join(f"Full {number}")
        for _ in range(50):
            await guest.ask("chat-message", {"content": LONG})
        await guest.ask("leave-room")
    assert server.hub.registry.get("Full 0") is None
    assert server.hub.registry.get("Full 2") is not None
