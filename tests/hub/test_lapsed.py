"""A login that is over: in the cookie that a browser shows, and under the hands of one who plays."""

import asyncio
import time

import msgspec
import pytest

from rhythm_protocol.control import encode_binary
from rhythm_protocol.messages import Resume, ResumeAck, RoomUpdated, UserLeft, UserUpdated
from rhythmd.app import Server
from rhythmd.auth.values import Principal
from tests.client import Answer, Client, Connect, read_message
from tests.hub.people import ORIGIN, Person, socket_path
from tests.hub.test_identity import FINAL_BINARY, refusal, welcome
from tests.raw import ConnectRaw, frame


async def resume(client: Client, session: str) -> ResumeAck:
    return msgspec.convert(await client.ask("resume", {"session": session, "received": 0}), ResumeAck)


async def open_until(person: Person, expires_s: float) -> Client:
    """A socket of a login that is over at that Unix time."""
    principal = await person.principal()
    shorter = Principal(
        user_id=person.id, session_id=principal.session_id, expires=round(expires_s * 1000), account=person.account
    )
    return await person.connect(person.server, path=await socket_path(person.server, shorter))


@pytest.mark.parametrize(("name", "scheme"), [("rhythm_access", "http"), ("__Host-rhythm_access", "https")])
async def test_cookie_that_is_no_longer_good_lets_a_guest_in_who_is_told(
    server: Server, connect_raw: ConnectRaw, clara: Person, name: str, scheme: str
) -> None:
    await server.auth.sessions.logout(clara.id, clara.grant.session_id, ORIGIN)
    for token in (clara.token, "garbage"):
        client = await connect_raw(server)
        await client.upgrade(changes={"Cookie": f"{name}={token}", "X-Forwarded-Proto": scheme})
        message = await welcome(client)
        assert (message.user.guest, message.login_error, message.login_s) == (True, "login-invalid", None)


async def test_what_is_shown_on_purpose_stays_refused_beside_a_cookie(
    server: Server, connect_raw: ConnectRaw, clara: Person
) -> None:
    cookie = {"Cookie": f"rhythm_access={clara.token}"}
    assert await refusal(await connect_raw(server), "/ws?ticket=garbage", cookie) == (401, "login-invalid")
    bearer = {"Authorization": "Bearer garbage", **cookie}
    assert await refusal(await connect_raw(server), headers=bearer) == (401, "login-invalid")


async def test_cookie_of_a_banned_account_is_refused(server: Server, connect_raw: ConnectRaw, clara: Person) -> None:
    await server.auth.moderation.ban(None, "clara", None, "noise", ORIGIN)
    headers = {"Cookie": f"rhythm_access={clara.token}"}
    assert await refusal(await connect_raw(server), headers=headers) == (403, "user-banned")


async def test_session_of_an_account_waits_for_who_comes_with_a_lapsed_cookie(
    server: Server, connect: Connect, connect_raw: ConnectRaw, clara: Person
) -> None:
    socket, witness = await clara.open(), await connect(server)
    for client in (socket, witness):
        await client.join("Salon")
    socket.abort()
    while not (await witness.expect(UserUpdated)).user.reconnecting:
        pass
    raw = await connect_raw(server)
    await raw.upgrade(changes={"Cookie": "rhythm_access=garbage"})
    assert (await welcome(raw)).login_error == "login-invalid"
    raw.write(frame(FINAL_BINARY, encode_binary("resume", Resume(socket.welcome.session, 0), 1)))
    answer = read_message((await raw.frame()).payload, is_binary=True)
    assert isinstance(answer, Answer)
    assert answer.error is not None
    assert answer.error.code == "login-invalid"
    again = await (await clara.log_in()).open()
    assert (await resume(again, socket.welcome.session)).user.id == clara.id


async def test_login_is_good_for_as_long_as_the_server_says(server: Server, connect: Connect, clara: Person) -> None:
    socket = await open_until(clara, time.time() + 60)
    assert socket.welcome.login_s is not None
    assert 0 < socket.welcome.login_s <= 60
    assert (await connect(server)).welcome.login_s is None
    renewed = await socket.ask("authenticate", {"token": clara.token})
    assert renewed["login_s"] > 60


async def test_who_plays_on_after_an_expired_login_keeps_seat_and_ownership(
    server: Server, connect: Connect, clara: Person
) -> None:
    lapsing, witness = await open_until(clara, time.time() + 0.5), await connect(server)
    for client in (lapsing, witness):
        await client.join("Salon")
    assert await lapsing.closed() == (4003, "login-expired")
    assert (await witness.expect(UserUpdated)).user.reconnecting
    guest = await connect(server)
    refused = await guest.refused("resume", {"session": lapsing.welcome.session, "received": 0})
    assert refused.code == "session-not-found"
    back = await clara.open()
    ack = await resume(back, lapsing.welcome.session)
    assert (ack.user.id, ack.user.slot) == (clara.id, lapsing.slot)
    assert not (await witness.expect(UserUpdated)).user.reconnecting
    await back.ask("room-update", {"settings": {"stage": "church"}})
    assert (await witness.expect(RoomUpdated)).room.owner == clara.id


async def test_guest_whose_token_expired_goes_on_with_the_key_of_the_session(server: Server, connect: Connect) -> None:
    guest = server.auth.sessions.guest()
    short = Principal(user_id=guest.id, session_id="", expires=round((time.time() + 0.5) * 1000))
    lapsing = await connect(server, path=await socket_path(server, short))
    await lapsing.join("Salon")
    assert (await lapsing.closed()).code == 4003
    back = await connect(server)
    assert (await resume(back, lapsing.welcome.session)).user.id == guest.id
    await asyncio.sleep(1.1)  # the server looks for logins that are over each second
    await back.ask("room-update", {"settings": {"stage": "church"}})


async def test_page_that_is_loaded_again_keeps_seat_name_and_ownership(server: Server, connect: Connect) -> None:
    page, witness = await connect(server), await connect(server)
    for client in (page, witness):
        await client.join("Salon")
    await page.ask("user-update", {"name": "Clara"})
    await page.close(1001)
    while not (await witness.expect(UserUpdated)).user.reconnecting:
        pass
    again = await connect(server)
    ack = await resume(again, page.welcome.session)
    assert (ack.user.id, ack.user.name, ack.user.slot) == (page.welcome.user.id, "Clara", page.slot)
    await again.ask("room-update", {"settings": {"stage": "church"}})


async def test_client_that_says_goodbye_leaves_at_once(server: Server, connect: Connect) -> None:
    leaving, witness = await connect(server), await connect(server)
    for client in (leaving, witness):
        await client.join("Salon")
    await leaving.close(1000)
    assert (await witness.expect(UserLeft)).reason == "left"
