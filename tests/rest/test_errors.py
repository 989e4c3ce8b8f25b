"""Every failure has the one shape, and none shows what went wrong inside."""

import logging

import aiohttp
import pytest

from rhythmd.app import Server
from rhythmd.hub.rooms.room import Room
from tests.client import Connect
from tests.conftest import ErrorLog
from tests.rest.answers import failure, get


async def test_unknown_path_is_not_found(http: aiohttp.ClientSession) -> None:
    for path in ("/nowhere", "/api/v1", "/api/v1/rooms", "/ws2", "/wsx/y", "/static/", "/static/a/b"):
        refusal = await failure(http, path)
        assert (refusal.status, refusal.code, refusal.field) == (404, "not-found", None), path


async def test_unknown_method_is_refused_with_those_allowed(http: aiohttp.ClientSession) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        refusal = await failure(http, "/api/v1/auth/providers", method)
        assert (refusal.status, refusal.code) == (405, "method-not-allowed"), method
        async with http.request(method, "/api/v1/auth/providers") as answer:
            assert answer.headers["Allow"] == "GET, HEAD"


async def test_unknown_method_of_a_fixed_path_is_not_a_room_or_user(http: aiohttp.ClientSession) -> None:
    for path in ("rooms/active", "users/settings", "rooms/%61ctive", "rooms/active?page=1"):
        refusal = await failure(http, f"/api/v1/{path}", "DELETE")
        assert (refusal.status, refusal.code) == (405, "method-not-allowed"), path


async def test_variable_part_of_a_path_is_decoded_once(http: aiohttp.ClientSession) -> None:
    for name in ("a%2Fb", "100%25", "%2525"):
        refusal = await failure(http, f"/api/v1/rooms/{name}")
        assert (refusal.status, refusal.code) == (404, "room-not-found"), name


async def test_failure_inside_is_logged_and_not_shown(
    server: Server,
    http: aiohttp.ClientSession,
    monkeypatch: pytest.MonkeyPatch,
    errors_logged: ErrorLog,
) -> None:
    def info(_room: Room) -> object:
        raise RuntimeError("the secret of the handler")

    monkeypatch.setattr(Room, "info", info)
    refusal = await failure(http, "/api/v1/rooms/lobby")
    assert (refusal.status, refusal.code) == (500, "internal-error")
    assert "secret" not in refusal.message
    assert "the secret of the handler" in errors_logged.texts()[0]
    assert errors_logged.records[0].levelno == logging.ERROR
    errors_logged.records.clear()
    monkeypatch.undo()
    assert (await get(http, "/api/v1/rooms/lobby"))["name"] == "Lobby"


async def test_connection_serves_http_again_after_a_failure(http: aiohttp.ClientSession, server: Server) -> None:
    for _ in range(3):
        await failure(http, "/nowhere")
        assert await get(http, "/health/live") == {"status": "live"}


async def test_http_and_websocket_share_the_port(server: Server, connect: Connect, http: aiohttp.ClientSession) -> None:
    client = await connect(server)
    await client.join("lobby")
    assert (await get(http, "/api/v1/rooms/lobby"))["players"] == 1
