"""A login that lasts, ends, is renewed, or loses its rights while its socket is open."""

import time

from rhythm_protocol.messages import UserUpdated
from rhythmd.app import Server
from rhythmd.auth.values import Principal
from rhythmd.rows import Role
from tests.client import Connect, note_on
from tests.hub.people import ORIGIN, Person, Register, socket_path


async def path_until(person: Person, expires_s: float) -> str:
    """Where a socket opens whose login is over at that Unix time."""
    principal = await person.principal()
    shorter = Principal(
        user_id=person.id, session_id=principal.session_id, expires=round(expires_s * 1000), account=person.account
    )
    return await socket_path(person.server, shorter)


# Over time


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
        (socket, robert.token, "login-invalid"),
        (guest, clara.token, "login-invalid"),
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
    await (await connect(server)).join("Salon")
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
