"""The user that a client proves to be at the handshake."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from rhythm_protocol.control import encode_binary
from rhythm_protocol.messages import Welcome
from rhythmd.app import Server
from rhythmd.auth.service import load_keys
from rhythmd.auth.tokens import AccessTokens
from rhythmd.auth.values import Clock
from rhythmd.clock import unix_ms
from rhythmd.config import AuthConfig
from tests.client import Answer, Connect, read_message
from tests.conftest import ErrorLog
from tests.deadline import within
from tests.hub.people import ORIGIN, Person, Register, socket_path, stalled
from tests.metrics import until_connections
from tests.raw import ConnectRaw, RawClient, frame, upgrade_request
from tests.server import Serve
from tests.services import running_valkey

FINAL_BINARY: Final = 0x82
PATIENT: Final = "store.timeout_s=60"


async def refusal(
    client: RawClient, path: str = "/ws", headers: Mapping[str, str | None] | None = None
) -> tuple[int, str]:
    """Status and code of a handshake that fails."""
    client.write(upgrade_request(path, headers))
    response = await client.response()
    return response.status, json.loads(response.body)["error"]["code"]


async def welcome(client: RawClient) -> Welcome:
    """The first message on a socket that was opened with `rhythm.v1`."""
    message = read_message((await client.frame()).payload, is_binary=True)
    assert isinstance(message, Welcome)
    return message


# Credentials


@pytest.mark.parametrize("cookie", [None, "rhythm_access"])
async def test_token_in_header_or_cookie_is_welcomed_by_name(
    server: Server, connect_raw: ConnectRaw, clara: Person, cookie: str | None
) -> None:
    shown = ("Authorization", f"Bearer {clara.token}") if cookie is None else ("Cookie", f"a=b; {cookie}={clara.token}")
    client = await connect_raw(server)
    await client.upgrade(changes=dict([shown]))
    user = (await welcome(client)).user
    assert (user.id, user.name, user.colour, user.guest) == (clara.id, "clara", clara.account.colour, False)


async def test_ticket_opens_one_socket(
    server: Server, connect: Connect, connect_raw: ConnectRaw, clara: Person
) -> None:
    path = await socket_path(server, await clara.principal())
    assert (await connect(server, path=path)).welcome.user.id == clara.id
    assert await refusal(await connect_raw(server), path) == (401, "login-invalid")


async def make_token(folder: Path, person: Person, clock: Clock) -> str:
    """A token of `person`'s login, signed at `clock` with the key that is in `folder`."""
    config = AuthConfig()
    keys = await asyncio.to_thread(load_keys, config, folder)
    tokens = AccessTokens(keys, config.issuer, config.audience, config.access_minutes, clock)
    return tokens.issue(person.id, person.grant.session_id, person.account.roles)[0]


async def test_token_that_is_not_good_is_refused(
    server: Server, connect_raw: ConnectRaw, clara: Person, database: Path, tmp_path: Path
) -> None:
    tokens = {
        "garbage": "login-invalid",
        clara.token[:-4]: "login-invalid",
        await make_token(tmp_path / "elsewhere", clara, unix_ms): "login-invalid",
        await make_token(database.parent, clara, lambda: unix_ms() - 3_600_000): "login-expired",
    }
    for token, code in tokens.items():
        headers = {"Authorization": f"Bearer {token}"}
        assert await refusal(await connect_raw(server), headers=headers) == (401, code)
    good = await make_token(database.parent, clara, unix_ms)
    await (await connect_raw(server)).upgrade(changes={"Authorization": f"Bearer {good}"})


async def test_ended_login_and_banned_account_are_refused(
    server: Server, connect_raw: ConnectRaw, clara: Person
) -> None:
    headers = {"Authorization": f"Bearer {clara.token}"}
    await server.auth.sessions.logout(clara.id, clara.grant.session_id, ORIGIN)
    assert await refusal(await connect_raw(server), headers=headers) == (401, "login-invalid")
    again = await clara.log_in()
    path = await socket_path(server, await again.principal())
    await server.auth.moderation.ban(None, "clara", 60, "", ORIGIN)
    assert await refusal(await connect_raw(server), path) == (403, "user-banned")


async def test_cache_away_refuses_tickets_and_heals(
    serve: Serve, connect: Connect, connect_raw: ConnectRaw, register: Register, tmp_path: Path, errors_logged: ErrorLog
) -> None:
    with running_valkey(tmp_path) as valkey:
        server = await serve(f"redis.url={valkey.url}")
        clara = await register(server, "clara")
        path = await socket_path(server, await clara.principal())
        valkey.kill()
        assert await refusal(await connect_raw(server), path) == (503, "unavailable")
        await connect(server)
        valkey.start()
        assert (await clara.open()).welcome.user.id == clara.id
    errors_logged.records.clear()


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://127.0.0.1", 101),
        ("HTTPS://127.0.0.1", 101),
        ("https://piano.example", 101),
        ("https://piano.example.evil.example", 403),
        ("http://127.0.0.1:1", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
async def test_origin_is_ours_or_listed(serve: Serve, connect_raw: ConnectRaw, origin: str | None, status: int) -> None:
    client = await connect_raw(await serve('server.allowed_origins=["https://piano.example"]'))
    client.write(upgrade_request("/ws", {"Origin": origin}))
    assert (await client.response()).status == status


# While the store is asked


async def test_bytes_behind_the_request_are_handled_after_the_welcome(
    server: Server, connect_raw: ConnectRaw, clara: Person
) -> None:
    client = await connect_raw(server)
    join = frame(FINAL_BINARY, encode_binary("join-room", {"room": "lobby"}, 1))
    client.write(upgrade_request("/ws", {"Authorization": f"Bearer {clara.token}"}) + join)
    assert (await client.response()).status == 101
    assert (await welcome(client)).user.id == clara.id
    answer = read_message((await client.frame()).payload, is_binary=True)
    assert isinstance(answer, Answer)
    assert answer.error is None


async def test_slow_identification_ends_with_the_handshake(
    serve: Serve, connect_raw: ConnectRaw, register: Register, database: Path
) -> None:
    server = await serve(PATIENT, "limits.handshake_s=0.3")
    clara = await register(server, "clara")
    async with stalled(clara, database):
        client = await connect_raw(server)
        headers = {"Authorization": f"Bearer {clara.token}"}
        assert await refusal(client, headers=headers) == (503, "unavailable")


async def test_client_that_goes_while_it_is_identified_leaves_nothing(
    serve: Serve, connect_raw: ConnectRaw, register: Register, database: Path
) -> None:
    server = await serve(PATIENT)
    clara = await register(server, "clara")
    async with stalled(clara, database):
        clients = [await connect_raw(server) for _ in range(2)]
        for client in clients:
            client.write(upgrade_request("/ws", {"Authorization": f"Bearer {clara.token}"}))
        await until_connections(server, 2)
        clients[0].reset()
        await clients[1].close()
    await until_connections(server, 0)


async def test_login_that_ends_while_it_is_looked_up_is_closed(
    serve: Serve, connect_raw: ConnectRaw, register: Register, database: Path
) -> None:
    server = await serve(PATIENT)
    clara = await register(server, "clara")
    async with stalled(clara, database):
        client = await connect_raw(server)
        client.write(upgrade_request("/ws", {"Authorization": f"Bearer {clara.token}"}))
        # Its look-up waits before the end of the login does: the store answers the first as if nothing were.
        await until_connections(server, 1)
        logout = asyncio.create_task(server.auth.sessions.logout(clara.id, clara.grant.session_id, ORIGIN))
        await asyncio.sleep(0)
    await within(logout)
    response = await client.response()
    assert response.status == 401 or await client.close_code() == 4004
