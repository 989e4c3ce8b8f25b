"""Lobbies overflow into the next one, and go when they are empty."""

import asyncio

import pytest

from rhythm_protocol.messages import RoomType
from rhythmd.app import Server
from tests.client import Client, Connect
from tests.server import Serve


@pytest.fixture
async def server(serve: Serve) -> Server:
    return await serve("rooms.lobby_players=2")


@pytest.fixture
async def clients(server: Server, connect: Connect) -> list[Client]:
    return [await connect(server) for _ in range(5)]


async def test_join_lobby_has_the_rules_of_lobbies(clients: list[Client]) -> None:
    room = (await clients[0].join("lobby")).room
    assert (room.id, room.name, room.owner) == ("lobby", "Lobby", None)
    assert (room.settings.type, room.settings.max_players) == (RoomType.LOBBY, 2)


async def test_join_lobby_overflows_into_the_next(clients: list[Client]) -> None:
    rooms = [(await client.join("lobby")).room.id for client in clients]
    assert rooms == ["lobby", "lobby", "lobby-2", "lobby-2", "lobby-3"]


async def test_join_lobby_takes_the_first_free_seat(clients: list[Client]) -> None:
    for client in clients[:4]:
        await client.join("lobby")
    await clients[0].ask("leave-room")
    assert (await clients[4].join("Lobby")).room.id == "lobby"


async def test_join_full_lobby_by_its_id_is_refused(clients: list[Client]) -> None:
    for client in clients[:4]:
        await client.join("lobby")
    assert (await clients[4].refused("join-room", {"room": "lobby-2"})).code == "room-full"


async def test_join_lobby_from_a_lobby_is_refused(clients: list[Client]) -> None:
    for client in clients[:3]:
        await client.join("lobby")
    assert (await clients[2].refused("join-room", {"room": "lobby"})).code == "already-in-room"


async def test_empty_overflow_lobby_vanishes_and_the_first_stays(clients: list[Client]) -> None:
    for client in clients[:3]:
        await client.join("lobby")
    for client in clients[:3]:
        await client.ask("leave-room")
    assert (await clients[0].refused("join-room", {"room": "lobby-2"})).code == "room-not-found"
    assert (await clients[0].ask("join-room", {"room": "lobby"}))["slot"] == 3


async def test_overflow_lobby_fills_the_gap_of_one_that_vanished(clients: list[Client]) -> None:
    for client in clients:
        await client.join("lobby")
    await asyncio.gather(*(client.ask("leave-room") for client in clients[2:4]))
    await clients[2].join("Salon")
    assert (await clients[3].join("lobby")).room.id == "lobby-2"


@pytest.mark.parametrize("name", ["Lobby 2", "lobby-2", " LOBBY 17"])
async def test_names_of_lobbies_are_not_for_rooms(clients: list[Client], name: str) -> None:
    error = await clients[0].refused("join-room", {"room": name, "create": True})
    assert (error.code, error.field) == ("invalid-field", "room")
    await clients[0].join("Salon")
    error = await clients[0].refused("room-update", {"settings": {"name": name}})
    assert (error.code, error.field) == ("invalid-field", "settings.name")


async def test_lobby_has_no_owner_to_change_it(clients: list[Client]) -> None:
    await clients[0].join("lobby")
    assert (await clients[0].refused("room-update", {"settings": {"max_players": 3}})).code == "not-owner"
