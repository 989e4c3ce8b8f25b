"""The first message, answers, and messages that are wrong."""

import logging
import re

import pytest

from rhythm_protocol.control import SUBPROTOCOL_JSON
from rhythm_protocol.messages import Error
from rhythmd.app import Server
from rhythmd.hub.sessions.session import Session
from tests.client import Client, Connect, Music, note_on
from tests.conftest import ErrorLog
from tests.server import Serve

BROKEN_BINARY = [
    b"",
    b"\x00",
    b"\x7f\x01",
    b"\x01",
    b"\x01\x00\x00\x00\x00",
    b"\x02\x00",
    b"\x03\x00\x00",
    b"\x10",
    b"\x10\xc1",
]
BROKEN_TEXT = [
    b"",
    b"nonsense",
    b"[]",
    b"1",
    b"{}",
    b'{"type": 1}',
    b'{"type": "typing", "id": -1}',
    b'{"type": "typing", "data": []}',
]


async def test_welcome_tells_user_token_clock_and_limits(server: Server, connect: Connect, subprotocol: str) -> None:
    welcome = (await connect(server, subprotocol)).welcome
    user = welcome.user
    assert re.fullmatch(r"Guest \d{4}", user.name)
    assert re.fullmatch(r"#[0-9a-f]{6}", user.colour)
    assert (user.guest, user.bot, user.slot) == (True, False, None)
    assert (welcome.version, len(welcome.session) >= 16) == (1, True)
    limits = welcome.limits
    assert (limits.message_bytes, limits.chat_length, limits.chat_history) == (65_536, 500, 100)
    assert (limits.ping_interval_s, limits.silence_s, limits.messages_per_s) == (20.0, 40.0, 50.0)
    assert limits.quota_refill_s == 2.0


async def test_welcome_tells_the_limits_in_force(serve: Serve, connect: Connect) -> None:
    server = await serve("limits.messages_per_s=7", "rooms.chat_history=3", "quota.refill_s=1")
    limits = (await connect(server)).welcome.limits
    assert (limits.messages_per_s, limits.chat_history, limits.quota_refill_s) == (7.0, 3, 1.0)


async def test_welcome_differs_for_everybody(server: Server, connect: Connect) -> None:
    first, second = [(await connect(server)).welcome for _ in range(2)]
    assert first.user.id != second.user.id
    assert first.session != second.session


async def test_client_that_asks_for_no_subprotocol_gets_json(server: Server, connect: Connect) -> None:
    client = await connect(server, None)
    assert (await client.join("lobby")).slot == 1


async def test_ack_carries_the_id(server: Server, connect: Connect, subprotocol: str) -> None:
    client = await connect(server, subprotocol)
    for _ in range(3):  # the client waits for the answer of its id
        assert await client.ask("user-update", {"name": "Clara"}) == {}


async def test_message_without_id_is_not_acknowledged(server: Server, connect: Connect, subprotocol: str) -> None:
    client = await connect(server, subprotocol)
    await client.send("user-update", {"name": "Clara"})
    assert await client.received() == []


async def test_error_of_a_message_without_id_has_none(server: Server, connect: Connect, subprotocol: str) -> None:
    client = await connect(server, subprotocol)
    await client.send("leave-room")
    assert (await client.expect(Error)).code == "not-in-room"


async def test_unknown_type_is_refused(server: Server, connect: Connect, subprotocol: str) -> None:
    client = await connect(server, subprotocol)
    error = await client.refused("moonwalk")
    assert error.code == "unknown-type"
    assert "moonwalk" in error.message


async def test_unknown_fields_are_ignored(server: Server, connect: Connect, subprotocol: str) -> None:
    client = await connect(server, subprotocol)
    assert await client.ask("user-update", {"name": "Clara", "shoe_size": 38}) == {}


@pytest.mark.parametrize(
    ("type_", "data", "field", "expected"),
    [
        ("join-room", {}, "room", "missing"),
        ("join-room", {"room": 7}, "room", "`str`"),
        ("join-room", {"room": ""}, "room", "length >= 1"),
        ("join-room", {"room": " "}, "room", "one line of text"),
        ("user-update", {"name": "a\nb"}, "name", "one line of text"),
        ("join-room", {"room": "x" * 51}, "room", "length <= 50"),
        ("join-room", {"room": "x", "settings": {"max_players": 0}}, "settings.max_players", ">= 1"),
        ("join-room", {"room": "x", "settings": {"type": "secret"}}, "settings.type", "enum"),
        ("user-update", {"colour": "red"}, "colour", "a colour such as"),
        ("user-update", {"status": "asleep"}, "status", "enum"),
        ("typing", {"typing": 1}, "typing", "`bool`"),
        ("ban", {"user": "x", "seconds": 0}, "seconds", ">= 1"),
        ("chat-message", {"content": "x" * 501}, "content", "length <= 500"),
    ],
)
async def test_invalid_field_is_named_with_what_was_expected(
    server: Server, connect: Connect, type_: str, data: dict[str, object], field: str, expected: str
) -> None:
    client = await connect(server)
    error = await client.refused(type_, data)
    assert (error.code, error.field) == ("invalid-field", field)
    assert expected in error.message
    assert "regex" not in error.message


async def broken_messages_harm_nobody(client: Client, broken: list[bytes], others: list[Client]) -> None:
    await client.join("Salon")
    for other in others:
        await other.join("Salon")
    await client.received()
    for payload in broken:
        await client.send_raw(payload)
        assert (await client.expect(Error)).code == "malformed-message"
    await client.play([note_on()])
    assert await client.received() == []
    for other in others:
        assert [type(message) for message in await other.received() if isinstance(message, Music | Error)] == [Music]


async def test_malformed_binary_message_is_answered_to_its_sender_only(server: Server, connect: Connect) -> None:
    others = [await connect(server), await connect(server, SUBPROTOCOL_JSON)]
    await broken_messages_harm_nobody(await connect(server), BROKEN_BINARY, others)


async def test_malformed_text_message_is_answered_to_its_sender_only(server: Server, connect: Connect) -> None:
    others = [await connect(server), await connect(server, SUBPROTOCOL_JSON)]
    await broken_messages_harm_nobody(await connect(server, SUBPROTOCOL_JSON), BROKEN_TEXT, others)


def failing(_session: Session, _message: object) -> None:
    raise RuntimeError("the secret of the handler")


async def test_failing_handler_is_logged_and_the_connection_goes_on(
    server: Server, connect: Connect, subprotocol: str, monkeypatch: pytest.MonkeyPatch, errors_logged: ErrorLog
) -> None:
    client = await connect(server, subprotocol)
    await client.join("Salon")
    monkeypatch.setitem(server.hub.router.handlers, "typing", failing)
    error = await client.refused("typing", {"typing": True})
    assert error == Error("internal-error", "the server failed at this message")
    assert await client.ask("user-update", {"name": "Clara"}) == {}
    assert [record.levelno for record in errors_logged.records] == [logging.ERROR]
    assert "the secret of the handler" in errors_logged.texts()[0]
    errors_logged.records.clear()


async def test_failing_fast_handler_is_logged_and_the_connection_goes_on(
    server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch, errors_logged: ErrorLog
) -> None:
    client = await connect(server)
    monkeypatch.setitem(server.hub.router.fast, 0x03, failing)
    await client.send_raw(b"\x03\x00\x00\x00\x00")
    assert (await client.expect(Error)).code == "internal-error"
    assert await client.ask("user-update", {"name": "Clara"}) == {}
    assert "the secret of the handler" in errors_logged.texts()[0]
    errors_logged.records.clear()
