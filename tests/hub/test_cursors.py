"""Pointers, and the clock exchange."""

import pytest

from rhythm_protocol.binary import CursorAt, encode_cursor
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import Error, UserLeft
from rhythmd.app import Server
from tests.client import Client, Connect, Pointers
from tests.server import Serve

KINDS = (SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON)


async def point(client: Client, x: int, y: int) -> None:
    if client.is_binary:
        await client.send_raw(encode_cursor(x, y))
    else:
        await client.send("cursor", {"x": x, "y": y})


async def joined(server: Server, connect: Connect) -> list[Client]:
    clients = [await connect(server, kind) for kind in KINDS]
    for client in clients:
        await client.join("Salon")
    return clients


async def test_newest_cursor_of_each_slot_is_sent_together(serve: Serve, connect: Connect) -> None:
    clients = await joined(await serve("hub.cursor_interval_ms=200"), connect)
    for x in range(20):
        for client in clients:
            await point(client, x, 65_535 - x)
    expected = {CursorAt(client.slot, 19, 65_516) for client in clients}
    for client in clients:
        seen: list[CursorAt] = []
        messages = 0
        while not expected <= set(seen):
            seen += (await client.expect(Pointers)).cursors
            messages += 1
        assert messages < 20
        assert len(seen) <= 2 * messages


async def test_cursor_of_who_left_is_not_sent(serve: Serve, connect: Connect) -> None:
    clients = await joined(await serve("hub.cursor_interval_ms=100"), connect)
    await point(clients[0], 1, 2)
    await clients[0].ask("leave-room")
    await clients[1].expect(UserLeft)
    await point(clients[1], 3, 4)
    assert await clients[1].expect(Pointers) == Pointers([CursorAt(clients[1].slot, 3, 4)])


async def test_cursor_outside_of_a_room_or_out_of_bounds_is_refused(server: Server, connect: Connect) -> None:
    binary, text = [await connect(server, kind) for kind in KINDS]
    for client in (binary, text):
        await point(client, 1, 2)
        assert (await client.expect(Error)).code == "not-in-room"
    error = await text.refused("cursor", {"x": 65_536, "y": 0})
    assert (error.code, error.field) == ("invalid-field", "x")


@pytest.mark.parametrize("value", [0, 1, 2**53 - 1, 2**64 - 1])
async def test_clock_gives_the_value_back_with_times_that_only_grow(
    server: Server, connect: Connect, subprotocol: str, value: int
) -> None:
    client = await connect(server, subprotocol)
    before = client.welcome.server_time
    for _ in range(3):
        reply = await client.clock(value)
        assert reply.value == value
        assert before <= reply.received_us <= reply.sent_us
        before = reply.sent_us
