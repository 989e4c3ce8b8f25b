"""Every failure has the one shape, and none shows what went wrong inside."""

import logging
from collections.abc import Iterator

import aiohttp
import pytest

from rhythm_protocol.errors import ErrorCode, Side
from rhythmd.app import Server
from rhythmd.auth.errors import AuthError, InvalidTicket, OAuthError
from rhythmd.errors import Refused
from rhythmd.hub.rooms.room import Room
from rhythmd.rest.serving.envelope import translate
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


@pytest.mark.parametrize("code", ErrorCode)
def test_refusal_keeps_its_code_and_gets_the_status_of_its_row(code: ErrorCode) -> None:
    told = translate(Refused(code, "not now", "name"))
    assert (told.code, told.message, told.field) == (code, "not now", "name")
    assert told.response("1").status == code.status


def every_auth_error(root: type[AuthError] = AuthError) -> Iterator[type[AuthError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from every_auth_error(kind)


@pytest.mark.parametrize("kind", [kind for kind in every_auth_error() if kind is not OAuthError])
def test_refusal_of_the_authentication_has_a_code_that_is_sent_there(kind: type[AuthError]) -> None:
    assert (Side.SOCKET if kind is InvalidTicket else Side.REST) in kind.code.side


async def test_connection_serves_http_again_after_a_failure(http: aiohttp.ClientSession, server: Server) -> None:
    for _ in range(3):
        await failure(http, "/nowhere")
        assert await get(http, "/health/live") == {"status": "live"}


async def test_http_and_websocket_share_the_port(server: Server, connect: Connect, http: aiohttp.ClientSession) -> None:
    client = await connect(server)
    await client.join("lobby")
    assert (await get(http, "/api/v1/rooms/lobby"))["players"] == 1
