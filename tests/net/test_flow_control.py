"""A listener that reads too slowly is served less, costs a bounded number of bytes, and nobody else's notes."""

import asyncio
from itertools import chain
from typing import Final

import pytest

from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.control import encode_binary
from rhythm_protocol.messages import ChatLine, Notes, UserUpdated
from rhythm_protocol.midi import MidiEvent
from rhythmd.app import Server
from tests.client import Client, Connect, Music, note_off, note_on, read_message
from tests.deadline import DEADLINE_S
from tests.hub.synthesizer import Synthesizer
from tests.metrics import metrics, until_connections
from tests.raw import ConnectRaw, RawClient, frame
from tests.server import Serve

BINARY: Final = 0x82
WRITE_BUFFER: Final = 65_536
KERNEL_BUFFERS: Final = 2 * 65_536 + 3 * 65_536  # sending side, and what a receiving side may have taken
BATCH: Final = 200  # small, or one who reads would be held back for a moment, too
BATCHES: Final = 2_000
ANY_EVENTS: Final = ("quota.other_events=1000000", "quota.room_maximum=1000000", "quota.total_maximum=9000000")
MORE_THAN_WAITS: Final = 20  # batches, for one listener
PEDAL: Final = MidiEvent(0, 0xB0, 64, 127)


async def join_slow(connect_raw: ConnectRaw, server: Server) -> RawClient:
    """A client that is in the room and has stopped reading."""
    client = await connect_raw(server, receive_buffer=4_096)
    await client.upgrade()
    await client.frame()
    client.write(frame(BINARY, encode_binary("join-room", {"room": "room"}, 1)))
    await client.frame()
    client.stop_reading()
    return client


async def join(connect: Connect, server: Server) -> tuple[Client, Client]:
    """A player and a listener in the room, the player not its owner."""
    listener, player = await connect(server), await connect(server)
    for client in (listener, player):
        await client.join("room")
    return player, listener


def batch(number: int) -> list[MidiEvent]:
    """Presses and releases, each pair with its own offset."""
    offsets = range(number * BATCH, (number + 1) * BATCH, 2)
    return list(
        chain.from_iterable((note_on(60, offset_ms=n & 0xFFFF), note_off(60, offset_ms=n & 0xFFFF)) for n in offsets)
    )


async def play_and_hear(player: Client, listener: Client, events: list[MidiEvent]) -> None:
    """Play and see all of it arrive, in order, at one who reads."""
    await player.play(events)
    assert [event for _, event in await listener.events(len(events))] == events


async def until_throttled(player: Client, listener: Client, server: Server) -> None:
    """Play until the server holds somebody's music back."""
    for number in range(BATCHES):
        await play_and_hear(player, listener, batch(number))
        if (await metrics(server))["rhythmd_throttled_total"]:
            return
    pytest.fail("nobody was held back")


async def heard_until(client: RawClient, content: str) -> list[object]:
    """All that a slow client is sent up to this line of chat."""
    heard: list[object] = []
    while not (heard and isinstance(line := heard[-1], ChatLine) and line.content == content):
        heard.append(await next_message(client))
    return heard


async def next_message(client: RawClient) -> object:
    while (received := await client.frame()).first != BINARY:
        pass  # a ping
    return read_message(received.payload, is_binary=True)


def picture(heard: list[object], slot: int) -> Synthesizer:
    """What a player holds after all that was heard. No key may be pressed that is down."""
    sound = Synthesizer()
    for message in heard:
        if isinstance(message, Notes):
            sound = Synthesizer()
            for state in message.notes:
                if state.slot == slot:
                    sound.play(state.state)
        elif isinstance(message, Music):
            for block in message.blocks:
                press_once(sound, block)
    return sound


def press_once(sound: Synthesizer, block: MidiBlock) -> None:
    for event in block.events:
        assert not (event.is_note_on and ("key", event.channel, event.data1) in sound.state), "pressed twice"
        sound.hear([event])


async def test_client_that_reads_again_knows_what_is_held_and_hears_on(
    serve: Serve, connect: Connect, connect_raw: ConnectRaw
) -> None:
    server = await serve(*ANY_EVENTS)
    player, listener = await join(connect, server)
    slow = await join_slow(connect_raw, server)
    await play_and_hear(player, listener, [note_on(40), note_on(41), PEDAL])
    await until_throttled(player, listener, server)
    for number in range(MORE_THAN_WAITS):
        await play_and_hear(player, listener, batch(number))
    await play_and_hear(player, listener, [note_off(40), note_on(42)])
    await player.ask("chat-message", {"content": "wake up"})
    slow.go_on_reading()
    heard = await heard_until(slow, "wake up")
    while not any(isinstance(message, Notes) for message in heard):
        heard.append(await next_message(slow))
    await play_and_hear(player, listener, [note_on(43)])
    await player.ask("chat-message", {"content": "the end"})
    heard += await heard_until(slow, "the end")
    expected = Synthesizer()
    expected.hear([note_on(41), PEDAL, note_on(42), note_on(43)])
    assert picture(heard, player.slot).state == expected.state


async def test_client_that_does_not_catch_up_is_closed_as_slow_and_keeps_its_place(
    serve: Serve, connect: Connect, connect_raw: ConnectRaw
) -> None:
    server = await serve(*ANY_EVENTS, "hub.slow_close_s=0.1")
    player, listener = await join(connect, server)
    slow = await join_slow(connect_raw, server)
    await until_throttled(player, listener, server)
    changed = await player.expect(UserUpdated)
    assert changed.user.reconnecting
    assert (await metrics(server))["rhythmd_closes_total:slow"] == 1
    slow.go_on_reading()
    assert await slow.close_code() == 4001
    await play_and_hear(player, listener, batch(0))


async def test_client_that_does_not_read_what_is_said_is_closed_as_slow(
    serve: Serve, connect: Connect, connect_raw: ConnectRaw
) -> None:
    server = await serve(f"limits.write_buffer_bytes={WRITE_BUFFER}", "limits.messages_burst=10000")
    player, listener = await join(connect, server)
    slow = await join_slow(connect_raw, server)
    async with asyncio.timeout(DEADLINE_S):
        while not listener.has(UserUpdated):
            await player.ask("chat-message", {"content": "x" * 500})
            await listener.expect(ChatLine)
    slow.go_on_reading()
    size, code = await received_until_close(slow)
    assert code == 4001
    assert size < WRITE_BUFFER + KERNEL_BUFFERS


async def received_until_close(client: RawClient) -> tuple[int, int]:
    """Bytes that reached a client before its close frame, and the close code."""
    size = 0
    while (code := (received := await client.frame()).close_code) is None:
        size += len(received.payload)
    return size, code


async def write_for_ever(client: RawClient, data: bytes) -> None:
    while True:
        client.write(data)
        await client.drain()


async def test_client_that_asks_for_pongs_and_does_not_read_them_is_dropped(
    serve: Serve, connect_raw: ConnectRaw
) -> None:
    server = await serve(f"limits.write_buffer_bytes={WRITE_BUFFER}")
    client = await connect_raw(server, receive_buffer=4_096)
    await client.upgrade()
    client.stop_reading()
    ping = frame(0x89, bytes(125))
    with pytest.raises(ConnectionError):
        await write_for_ever(client, ping * 100)
    await until_connections(server, 0)


@pytest.mark.usefixtures("hasty_close")
async def test_client_that_never_reads_again_is_dropped(
    serve: Serve, connect: Connect, connect_raw: ConnectRaw
) -> None:
    server = await serve(*ANY_EVENTS, "hub.slow_close_s=0.1")
    player, listener = await join(connect, server)
    await join_slow(connect_raw, server)
    await until_throttled(player, listener, server)
    await until_connections(server, 2)
