"""A listener that does not read costs a bounded number of bytes, and nobody else's notes."""

from typing import Final

from rhythm_protocol.control import encode_binary
from rhythm_protocol.messages import UserLeft
from rhythm_protocol.midi import MidiEvent
from tests.client import Client, Connect
from tests.metrics import metrics, until_connections
from tests.raw import ConnectRaw, RawClient, frame
from tests.server import Serve

BINARY: Final = 0x82
WRITE_BUFFER: Final = 65_536
KERNEL_BUFFERS: Final = 2 * 65_536 + 3 * 65_536  # sending side, and what a receiving side may have taken
BATCH: Final = 1_000
BATCHES: Final = 400  # 2 MB on the wire
ANY_EVENTS: Final = "quota.other_events=1000000"


async def join_raw(client: RawClient, room: str) -> None:
    """Join and wait for the ack."""
    await client.upgrade()
    await client.frame()
    client.write(frame(BINARY, encode_binary("join-room", {"room": room}, 1)))
    await client.frame()


def batch(number: int) -> list[MidiEvent]:
    """Releases, which no quota charges; each event's offset is its number."""
    return [MidiEvent((number * BATCH + n) & 0xFFFF, 0x80, 60, 0) for n in range(BATCH)]


async def heard(listener: Client) -> list[int]:
    """The offsets of one batch, in the order of arrival."""
    offsets: list[int] = []
    while len(offsets) < BATCH:
        offsets += [event.offset_ms for block in await listener.blocks() for event in block.events]
    return offsets


async def play_and_hear(player: Client, listener: Client, number: int) -> None:
    """Play a batch and see all of it arrive, in order."""
    events = batch(number)
    await player.play(events)
    assert await heard(listener) == [event.offset_ms for event in events]


async def received_until_close(client: RawClient) -> tuple[int, int]:
    """Bytes of music that reached a client before its close frame, and the close code."""
    size = 0
    while (code := (received := await client.frame()).close_code) is None:
        size += len(received.payload)
    return size, code


async def test_client_that_stops_reading_is_closed_as_slow(
    serve: Serve, connect: Connect, connect_raw: ConnectRaw
) -> None:
    server = await serve(ANY_EVENTS, f"limits.write_buffer_bytes={WRITE_BUFFER}")
    player, listener = await connect(server), await connect(server)
    await player.join("room")
    await listener.join("room")
    slow = await connect_raw(server, receive_buffer=4_096)
    await join_raw(slow, "room")
    slow.stop_reading()
    for number in range(BATCHES):
        await play_and_hear(player, listener, number)
        if listener.has(UserLeft):
            break
    assert (await listener.expect(UserLeft)).reason == "lost"
    assert (await metrics(server))["rhythmd_closes_total:slow"] == 1
    slow.go_on_reading()
    size, code = await received_until_close(slow)
    assert code == 4001
    assert size < WRITE_BUFFER + KERNEL_BUFFERS + BATCH * 6
    await play_and_hear(player, listener, BATCHES)


async def test_client_that_never_reads_again_is_dropped(
    serve: Serve, connect: Connect, connect_raw: ConnectRaw
) -> None:
    server = await serve(ANY_EVENTS, f"limits.write_buffer_bytes={WRITE_BUFFER}")
    player = await connect(server)
    await player.join("room")
    slow = await connect_raw(server, receive_buffer=4_096)
    await join_raw(slow, "room")
    slow.stop_reading()
    for number in range(BATCHES):
        await player.play(batch(number))
    left = await player.expect(UserLeft)
    assert left.reason == "lost"
    await until_connections(server, 1)
