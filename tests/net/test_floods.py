"""A client that sends more than may be read is told, slowed and closed, over real sockets; nobody else notices."""

from typing import Final

import pytest

from rhythm_protocol.control import encode_binary
from rhythm_protocol.messages import Error
from rhythmd.app import Server
from tests.client import Answer, Connect, note_on, read_message
from tests.metrics import metrics
from tests.raw import ConnectRaw, frame
from tests.server import Serve

BINARY: Final = 0x82
SLOWLY: Final = ("limits.frames_per_s=50", "limits.input_burst_s=2", "limits.flood_s=0.5")
PINGS: Final = {
    "pings": frame(0x89, b""),
    "pongs": frame(0x8A, b"?"),
    "empty messages": frame(BINARY, b""),
    "clocks": frame(BINARY, b"\x02" + bytes(8)),
    "empty fragments": frame(0x00, b""),
}


@pytest.mark.parametrize("kind", PINGS)
async def test_frames_of_every_kind_over_the_rate_close_their_sender_alone(
    serve: Serve, connect: Connect, connect_raw: ConnectRaw, kind: str
) -> None:
    server = await serve(*SLOWLY, "limits.messages_burst=100000", "limits.messages_per_s=100000")
    player, listener = await connect(server), await connect(server)
    for client in (player, listener):
        await client.join("Salon")
    flooder = await connect_raw(server)
    await flooder.upgrade()
    if kind == "empty fragments":
        flooder.write(frame(0x02, b"\x02"))
    flooder.write(PINGS[kind] * 300)
    assert await flooder.close_code() == 4002
    await player.play([note_on()])
    assert await listener.events(1) == [(player.slot, note_on())]
    assert (await metrics(server))["rhythmd_slowed_total:input"] > 0


async def test_slowed_client_is_told_once_and_loses_nothing(serve: Serve, connect: Connect) -> None:
    server = await serve("limits.frames_per_s=200", "limits.input_burst_s=0.1", "limits.flood_s=60")
    client = await connect(server)
    for number in range(60):
        await client.send("user-update", {"status_text": str(number)}, id_=number)
    told = [await client.expect(object) for _ in range(61)]
    assert [message.code for message in told if isinstance(message, Error)] == ["rate-limited"]
    assert [message.id for message in told if isinstance(message, Answer)] == list(range(60))


async def test_control_message_that_is_too_long_is_refused_unread(server: Server, connect: Connect) -> None:
    client = await connect(server)
    await client.send_raw(encode_binary("chat-message", {"content": "x", "unknown": "y" * 9_000}, 3))
    error = await client.expect(Error)
    assert error.code == "too-large"
    assert (await client.ask("user-update", {"name": "Clara"})) is not None


async def test_long_notes_in_json_are_played_and_nothing_else_is_as_long(server: Server, connect: Connect) -> None:
    player, listener = await connect(server, "rhythm.v1.json"), await connect(server)
    for client in (player, listener):
        await client.join("Salon", settings={"allow_black_midi": True})
    events = [[0, 128, key % 128, 0] for key in range(1_500)]
    await player.send("midi-event", {"time": 0, "events": events})
    assert len(await listener.events(1_500)) == 1_500
    await player.send("midi-event", {"time": 0, "events": events, "unknown": 1})
    assert (await player.expect(Error)).code == "too-large"


async def test_session_goes_on_when_the_rest_of_a_long_read_waits(server: Server, connect_raw: ConnectRaw) -> None:
    """A hundred messages in one segment are more than one turn; all are answered, in order."""
    client = await connect_raw(server)
    await client.upgrade()
    await client.frame()
    data = b"".join(
        frame(BINARY, encode_binary("user-update", {"status_text": str(number)}, number)) for number in range(100)
    )
    client.write(data)
    ids: list[int] = []
    while len(ids) < 100:
        message = read_message((await client.frame()).payload, is_binary=True)
        if isinstance(message, Answer):
            ids.append(message.id)
    assert ids == list(range(100))
