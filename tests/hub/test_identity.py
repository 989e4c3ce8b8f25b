"""Who a client proves to be at the handshake, and what becomes of the socket when that is over."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from rhythm_protocol.control import encode_binary
from rhythm_protocol.messages import UserUpdated, Welcome
from rhythmd.app import Server
from rhythmd.auth.service import load_keys
from rhythmd.auth.tokens import AccessTokens
from rhythmd.auth.values import Clock, Principal, unix_ms
from rhythmd.config import AuthConfig
from rhythmd.rows import Role
from tests.client import Answer, Connect, note_on, read_message
from tests.conftest import ErrorLog
from tests.deadline import within
from tests.hub.people import ORIGIN, Person, Register, socket_path, stalled
from tests.metrics import until_connections
from tests.raw import ConnectRaw, RawClient, frame, upgrade_request
from tests.server import Serve
from tests.services import running_valkey

FINAL_BINARY: Final = 0x82
PATIENT: Final = "store.timeout_s=60"


@pytest.fixture
async def clara(server: Server, register: Register) -> Person:
    return await register(server, "clara")


async def refusal(
    client: RawClient, path: str = "/ws", headers: Mapping[str, str | None] | None = None
) -> tuple[int, str]:
    """Status and body of a handshake that fails; the server ends the connection."""
    client.write(upgrade_request(path, headers))
    response = await client.response()
    assert await client.rest() == b""
    return response.status, response.body.decode().strip()


async def welcome(client: RawClient) -> Welcome:
    """The first message on a socket that was opened with `rhythm.v1`."""
    message = read_message((await client.frame()).payload, is_binary=True)
    assert isinstance(message, Welcome)
    return message


async def path_until(person: Person, expires_s: float) -> str:
    """Where a socket opens whose login is over at that Unix time."""
    principal = await person.principal()
    shorter = Principal(
        user_id=person.id, session_id=principal.session_id, expires=round(expires_s * 1000), account=person.account
    )
    return await socket_path(person.server, shorter)


# Credentials


@pytest.mark.parametrize("cookie", [None, "rhythm_access", "__Host-rhythm_access"])
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
        client.write(upgrade_request("/ws", {"Authorization": f"Bearer {clara.token}"}))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.response()
        await until_connections(server, 0)


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


# A login over time


async def test_login_that_expires_is_closed_unless_it_is_renewed(
    server: Server, connect: Connect, clara: Person
) -> None:
    expires = time.time() + 2.5
    lapsing, by_token, by_ticket = [await connect(server, path=await path_until(clara, expires)) for _ in range(3)]
    await by_token.ask("authenticate", {"token": clara.token})
    ticket = (await socket_path(server, await clara.principal())).partition("=")[2]
    await by_ticket.ask("authenticate", {"ticket": ticket})
    assert await lapsing.closed() == (4003, "login-expired")
    assert expires <= time.time() < expires + 5
    for client in (by_token, by_ticket):
        await client.join("lobby")


async def test_authenticate_as_somebody_else_or_without_login_is_refused(
    server: Server, connect: Connect, register: Register, clara: Person, subprotocol: str
) -> None:
    robert = await register(server, "robert")
    socket, guest = await clara.open(subprotocol), await connect(server, subprotocol)
    for client, token, code in (
        (socket, robert.token, "invalid-field"),
        (guest, clara.token, "invalid-field"),
        (socket, "garbage", "login-invalid"),
        (socket, None, "invalid-field"),
    ):
        assert (await client.refused("authenticate", {"token": token})).code == code
    ended = await clara.log_in()
    await server.auth.sessions.logout(clara.id, ended.grant.session_id, ORIGIN)
    assert (await socket.refused("authenticate", {"token": ended.token})).code == "login-invalid"
    await socket.ask("authenticate", {"token": clara.token})


async def test_end_of_a_login_closes_its_sockets_at_once(server: Server, clara: Person, subprotocol: str) -> None:
    second, third = await clara.log_in(), await clara.log_in()
    first_socket, second_socket, third_socket = [await login.open(subprotocol) for login in (clara, second, third)]
    await server.auth.sessions.logout(clara.id, clara.grant.session_id, ORIGIN)
    assert await first_socket.closed() == (4004, "login-revoked")
    await server.auth.sessions.revoke_all(clara.id, keep=third.grant.session_id)
    assert await second_socket.closed() == (4004, "login-revoked")
    await third_socket.join("lobby")


async def test_socket_renewed_with_another_login_ends_with_that_one(server: Server, clara: Person) -> None:
    second, socket = await clara.log_in(), await clara.open()
    await socket.ask("authenticate", {"token": second.token})
    await server.auth.sessions.logout(clara.id, clara.grant.session_id, ORIGIN)
    await socket.join("lobby")
    await server.auth.sessions.logout(clara.id, second.grant.session_id, ORIGIN)
    assert (await socket.closed()).code == 4004


async def test_ban_closes_all_sockets_at_once_and_releases(
    server: Server, connect: Connect, clara: Person, subprotocol: str
) -> None:
    listener, sockets = await connect(server), [await clara.open(subprotocol), await clara.open(subprotocol)]
    for client in (listener, sockets[0]):
        await client.join("lobby")
    await sockets[0].play([note_on()])
    await listener.events(1)
    await server.auth.moderation.ban(None, "clara", None, "noise", ORIGIN)
    for socket in sockets:
        assert await socket.closed() == (4005, "user-banned")
    assert len(await listener.events(1)) == 1


async def test_mute_of_an_account_holds_in_every_room_at_once(
    server: Server, connect: Connect, clara: Person, subprotocol: str
) -> None:
    socket, listener = await clara.open(subprotocol), await connect(server)
    for client in (socket, listener):
        await client.join("lobby")
    await server.auth.moderation.mute(None, "clara", 600, ORIGIN)
    assert (await listener.expect(UserUpdated)).user.chat_muted
    for content in ("hello", "/me waves"):
        assert (await socket.refused("chat-message", {"content": content})).code == "chat-muted"
    await socket.join("Salon")
    assert (await socket.refused("chat-message", {"content": "hello"})).code == "chat-muted"
    again = await clara.open(subprotocol)
    await again.join("lobby")
    assert (await again.refused("chat-message", {"content": "hello"})).code == "chat-muted"
    await server.auth.moderation.unmute(None, "clara", ORIGIN)
    await again.ask("chat-message", {"content": "hello"})


async def test_moderator_keeps_order_in_any_room_but_makes_no_rules(
    server: Server, connect: Connect, clara: Person, subprotocol: str
) -> None:
    moderator, owner, noisy = await clara.open(subprotocol), await connect(server), await connect(server, subprotocol)
    for client in (owner, noisy, moderator):
        await client.join("Salon")
    user = {"user": noisy.welcome.user.id}
    assert (await moderator.refused("kick", user)).code == "not-owner"
    await clara.become(Role.MEMBER, Role.MODERATOR)
    await moderator.ask("mute", {**user, "chat": True})
    assert (await noisy.refused("chat-message", {"content": "spam"})).code == "chat-muted"
    await moderator.ask("clear-chat")
    assert (await moderator.refused("room-update", {"settings": {"max_players": 2}})).code == "not-owner"
    assert (await moderator.refused("transfer-owner", user)).code == "not-owner"
    await moderator.ask("ban", user)
    assert (await noisy.refused("join-room", {"room": "Salon"})).code == "banned"
    await moderator.ask("unban", user)
    await noisy.join("Salon")
    await clara.become(Role.MEMBER)
    assert (await moderator.refused("kick", user)).code == "not-owner"


# Guests


async def test_guest_with_a_token_stays_the_same_guest(server: Server, connect: Connect, subprotocol: str) -> None:
    guest = server.auth.sessions.guest()
    ids: set[str] = set()
    for _ in range(2):
        principal = await server.auth.authenticator.by_token(guest.access_token)
        client = await connect(server, subprotocol, path=await socket_path(server, principal))
        assert client.welcome.user.guest
        ids.add(client.welcome.user.id)
        await client.close()
    assert ids == {guest.id}
    assert (await connect(server)).welcome.user.id != guest.id
