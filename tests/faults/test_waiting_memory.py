"""One budget of bytes for all that waits, under a load: attackers fill it, and the honest miss nothing."""

import asyncio
from typing import Final

import msgspec

from rhythm_protocol.control import encode_binary
from rhythm_protocol.messages import ChatLine, RecordingReady, ResumeAck
from rhythmd.app import Server
from rhythmd.fairness.memory import KINDS, LEAVING, MIB
from tests.client import Client, Connect, note_off, note_on
from tests.deadline import DEADLINE_S, POLL_S
from tests.metrics import metrics
from tests.raw import ConnectRaw, frame
from tests.server import Serve

BINARY: Final = 0x82
BUDGET: Final = 2 * MIB
LOAD: Final = (
    "limits.memory_mb=2",
    "limits.messages_burst=10000",
    "limits.bytes_per_s=100000000",
    "limits.frames_per_s=1000000",
    "limits.messages_per_s=10000",
    "limits.connections_per_address=1000",
    "limits.client_share=100",
    "limits.network_share=100",
    "limits.ping_interval_s=0.4",  # what is read is confirmed soon
    "rooms.chat_history=1",
    "hub.room_deliveries_per_s=1000000",
)
LINE: Final = "\N{MUSICAL SYMBOL G CLEF}" * 500
LINES: Final = 60
HONEST: Final = "192.0.2.1"


def waiting(values: dict[str, float]) -> float:
    """All that waits and does not leave by itself, by the server's own count."""
    kinds = (kind for kind in KINDS if kind not in LEAVING)
    return sum(values[f"rhythmd_waiting_bytes:{kind}"] for kind in kinds)


async def until_given_up(server: Server, kind: str) -> dict[str, float]:
    """The metrics, once something of this kind was given up and what waits is within the budget."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            values = await metrics(server)
            if values.get(f"rhythmd_given_up_total:{kind}", 0) and waiting(values) <= BUDGET:
                return values
            await asyncio.sleep(POLL_S)


def from_address(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


async def enter(connect: Connect, server: Server, room: str, address: str, **settings: object) -> Client:
    client = await connect(server, headers=from_address(address))
    await client.join(room, settings=settings)
    return client


async def enter_and_stop_reading(connect_raw: ConnectRaw, server: Server, room: str) -> None:
    client = await connect_raw(server, receive_buffer=4_096)
    await client.upgrade()
    client.write(frame(BINARY, encode_binary("join-room", {"room": room}, 1)))
    for _ in range(2):
        await client.frame()
    client.stop_reading()


async def talk(talker: Client, lines: int) -> None:
    """Say so many long lines, and read them."""
    for number in range(lines):
        await talker.send("chat-message", {"content": f"{number}{LINE[:-3]}"})
    for _ in range(lines):
        await talker.expect(ChatLine)


async def resumed(connect: Connect, server: Server, lost: Client, received: int) -> tuple[Client, ResumeAck]:
    client = await connect(server, headers=from_address(HONEST))
    data = await client.ask("resume", {"session": lost.welcome.session, "received": received})
    return client, msgspec.convert(data, ResumeAck)


async def test_networks_that_lose_sessions_push_out_their_own(serve: Serve, connect: Connect) -> None:
    """Twenty away, of ten networks, each with the longest log that there may be; and one honest guest."""
    server = await serve(*LOAD)
    robert = await enter(connect, server, "Salon", HONEST)
    clara = await enter(connect, server, "Salon", HONEST)
    clara.abort()
    for number in range(20):
        address = f"198.51.{number // 2}.1"
        lost = await enter(connect, server, f"room {number}", address)
        talker = await enter(connect, server, f"room {number}", address)
        lost.abort()
        await talk(talker, LINES)
        assert waiting(await metrics(server)) < 1.25 * BUDGET
    await robert.ask("chat-message", {"content": "are you there?"})
    await until_given_up(server, "guest-logs")
    back, ack = await resumed(connect, server, clara, 1)
    assert ack.recovered
    assert (await back.expect(ChatLine)).content == "are you there?"


async def test_those_who_do_not_read_are_closed_and_those_who_do_are_not(
    serve: Serve, connect: Connect, connect_raw: ConnectRaw
) -> None:
    server = await serve(*LOAD, "limits.write_buffer_bytes=1048576", "hub.slow_close_s=60", "limits.silence_s=60")
    robert = await enter(connect, server, "Salon", HONEST)
    for _ in range(8):
        await enter_and_stop_reading(connect_raw, server, "Salon")
    for _ in range(8):
        await talk(robert, 100)
    values = await until_given_up(server, "clients")
    assert values["rhythmd_closes_total:slow"] >= 1
    await robert.ask("chat-message", {"content": "still here"})


async def test_recording_that_has_to_end_is_kept(serve: Serve, connect: Connect) -> None:
    server = await serve(*LOAD)
    clara = await enter(connect, server, "Salon", HONEST)
    await clara.ask("record", {"on": True})
    await clara.play([note_on(), note_off()])
    await clara.clock()
    memory = server.hub.memory
    memory.of("body").take(memory.limit - memory.total + 1)  # nobody can give that up
    assert (await clara.expect(RecordingReady)).recording.players == 1
    assert (await metrics(server))["rhythmd_given_up_total:recordings"] == 1
