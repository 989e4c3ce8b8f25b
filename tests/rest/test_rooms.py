"""The list of rooms that the lobby page shows, and single rooms."""

from typing import Any

import aiohttp
import pytest

from rhythmd.app import Server
from tests.client import Client, Connect
from tests.rest.answers import failure, get

ACTIVE = "/api/v1/rooms/active"


@pytest.fixture
async def clients(server: Server, connect: Connect) -> list[Client]:
    """Three in Salon, one in Café, one in an unlisted and one in a private room."""
    clients = [await connect(server) for _ in range(6)]
    for client in clients[:3]:
        await client.join("Salon")
    await clients[3].join("Café", settings={"stage": "terrace"})
    await clients[4].join("Secret salon", settings={"type": "unlisted"})
    await clients[5].join("Private salon", settings={"type": "private"}, password="secret")
    return clients


async def names(http: aiohttp.ClientSession, **params: str) -> list[str]:
    return [room["name"] for room in (await get(http, ACTIVE, **params))["rooms"]]


async def room_id(http: aiohttp.ClientSession, name: str) -> str:
    (room,) = (await get(http, ACTIVE, text=name))["rooms"]
    id_: str = room["id"]
    return id_


async def test_active_lists_lobbies_and_public_rooms_the_fullest_first(
    http: aiohttp.ClientSession, clients: list[Client]
) -> None:
    answer = await get(http, ACTIVE)
    assert [(room["name"], room["players"]) for room in answer["rooms"]] == [("Salon", 3), ("Café", 1), ("Lobby", 0)]
    assert (answer["total"], answer["page"], answer["size"]) == (3, 0, 20)
    cafe: dict[str, Any] = answer["rooms"][1]
    assert (cafe["settings"]["stage"], cafe["has_password"]) == ("terrace", False)
    assert cafe["owner"] == clients[3].welcome.user.id


async def test_active_filters_by_type_and_text(http: aiohttp.ClientSession, clients: list[Client]) -> None:
    assert await names(http, type="lobby") == ["Lobby"]
    assert await names(http, type="public") == ["Salon", "Café"]
    assert await names(http, text="CAFÉ") == ["Café"]
    assert await names(http, text="a") == ["Salon", "Café"]
    assert await names(http, text="lo", type="public") == ["Salon"]
    assert await names(http, text=".*") == []


async def test_active_pages_do_not_overlap(http: aiohttp.ClientSession, clients: list[Client]) -> None:
    pages = [await get(http, ACTIVE, size="2", page=str(page)) for page in range(3)]
    assert [[room["name"] for room in page["rooms"]] for page in pages] == [["Salon", "Café"], ["Lobby"], []]
    assert {page["total"] for page in pages} == {3}


async def test_active_with_bad_parameters_names_them(http: aiohttp.ClientSession) -> None:
    for field, value in (
        ("type", "private"), ("type", ""), ("type", "nonsense"), ("page", "-1"), ("page", "x"), ("page", "10001"),
        ("page", ""), ("page", "²"), ("size", "0"), ("size", "101"), ("size", "x1"),
    ):  # fmt: skip
        refusal = await failure(http, f"{ACTIVE}?{field}={value}")
        assert (refusal.status, refusal.code, refusal.field) == (400, "invalid-field", field), (field, value)
        assert refusal.message


async def fetch(http: aiohttp.ClientSession, etag: str = "") -> tuple[int, bytes, str]:
    """Status, body and ETag of the list."""
    async with http.get(ACTIVE, headers={"If-None-Match": etag} if etag else {}) as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
        return answer.status, await answer.read(), answer.headers["ETag"]


async def test_active_stays_the_same_until_a_room_changes(http: aiohttp.ClientSession, clients: list[Client]) -> None:
    first = await fetch(http)
    assert await fetch(http) == first
    etag = first[2]
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        assert await fetch(http, known) == (304, b"", etag), known
    await clients[0].ask("chat-message", {"content": "changes nothing that is listed"})
    assert await fetch(http) == first


async def test_active_changes_with_what_is_listed(http: aiohttp.ClientSession, clients: list[Client]) -> None:
    seen = {(await fetch(http))[2]}
    await clients[0].ask("room-update", {"settings": {"name": "Attic"}})
    seen.add((await fetch(http))[2])
    await clients[1].ask("leave-room")
    seen.add((await fetch(http))[2])
    await clients[1].join("New")
    seen.add((await fetch(http))[2])
    await clients[0].ask("transfer-owner", {"user": clients[2].welcome.user.id})
    seen.add((await fetch(http))[2])
    assert len(seen) == 5
    assert (await fetch(http, next(iter(seen - {(await fetch(http))[2]}))))[0] == 200


async def test_active_shows_the_playout_delay_and_the_metronome(
    http: aiohttp.ClientSession, clients: list[Client]
) -> None:
    (salon,) = (await get(http, ACTIVE, text="salon"))["rooms"]
    assert (salon["playout_ms"], salon["metronome"]) == (50, None)
    await clients[1].ask("timing", {"late_ms": 120})
    await clients[0].ask("metronome", {"running": True, "bpm": 90})
    (salon,) = (await get(http, ACTIVE, text="salon"))["rooms"]
    assert (salon["playout_ms"], salon["metronome"]["bpm"]) == (120, 90)


async def test_active_hides_a_room_that_becomes_unlisted(http: aiohttp.ClientSession, clients: list[Client]) -> None:
    await clients[3].ask("room-update", {"settings": {"type": "unlisted"}})
    assert await names(http) == ["Salon", "Lobby"]


async def test_one_room_is_told_by_its_id(http: aiohttp.ClientSession, clients: list[Client]) -> None:
    room = await get(http, f"/api/v1/rooms/{await room_id(http, 'Salon')}")
    assert (room["name"], room["players"]) == ("Salon", 3)
    assert "password" not in room


async def test_one_room_unlisted_is_told_to_who_knows_it(http: aiohttp.ClientSession, clients: list[Client]) -> None:
    room = await get(http, "/api/v1/rooms/Secret%20salon")
    assert room["settings"]["type"] == "unlisted"


async def test_one_room_private_or_unknown_is_not_found(http: aiohttp.ClientSession, clients: list[Client]) -> None:
    for name in ("Private%20salon", "nowhere"):
        refusal = await failure(http, f"/api/v1/rooms/{name}")
        assert (refusal.status, refusal.code) == (404, "room-not-found")
