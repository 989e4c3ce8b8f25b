"""Notes on their way from one player to all others."""

import asyncio

import pytest

from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import Error, UserJoined
from rhythm_protocol.midi import MAX_MESSAGE_EVENTS, MidiEvent
from rhythmd.app import Server
from tests.client import Client, Connect, Music, chord, note_off, note_on

KINDS = (SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON)
WRAP = 2**32
INVALID = [(0x7F, 60, 1), (0xF0, 60, 1), (0xFF, 0, 0), (0x90, 128, 1), (0x90, 60, 128), (0xC0, 5, 1), (0xDF, 5, 127)]


async def trio(server: Server, connect: Connect, subprotocol: str) -> tuple[Client, list[Client]]:
    """A player of `subprotocol` and a listener of each."""
    clients = [await connect(server, kind) for kind in (subprotocol, *KINDS)]
    for client in clients:
        await client.join("Salon")
    for client in clients:
        await client.received()
    return clients[0], clients[1:]


async def server_ms(client: Client) -> int:
    return (await client.clock()).sent_us // 1000


async def raw_events(client: Client, base_ms: int, *events: tuple[int, int, int, int]) -> None:
    """Send events that the encoder would not."""
    if client.is_binary:
        packed = b"".join(offset.to_bytes(2, "little") + bytes(rest) for offset, *rest in events)
        await client.send_raw(b"\x01" + base_ms.to_bytes(4, "little") + packed)
    else:
        await client.send("midi-event", {"time": base_ms, "events": [list(event) for event in events]})


async def test_notes_reach_all_others_unchanged_and_in_both_encodings(
    server: Server, connect: Connect, subprotocol: str
) -> None:
    player, listeners = await trio(server, connect, subprotocol)
    base = await server_ms(player) % WRAP
    events = (note_on(60, 1, 0), MidiEvent(65_535, 0xE5, 1, 127), note_off(60, 250), MidiEvent(3, 0xCF, 127, 0))
    await player.play(events, base)
    for listener in listeners:
        assert await listener.blocks() == [MidiBlock(player.slot, base, events)]
    assert await player.received() == []


async def test_notes_outside_of_a_room_are_refused(server: Server, connect: Connect, subprotocol: str) -> None:
    player = await connect(server, subprotocol)
    await player.play([note_on()])
    assert (await player.expect(Error)).code == "not-in-room"


async def test_notes_keep_the_order_of_each_player_and_one_order_for_all(server: Server, connect: Connect) -> None:
    players = [await connect(server, KINDS[number % 2]) for number in range(4)]
    listeners = [await connect(server, KINDS[number % 2]) for number in range(4)]
    for client in (*players, *listeners):
        await client.join("Salon")

    async def perform(player: Client) -> None:
        for number in range(1, 101):
            await player.play([note_on(offset_ms=number)])

    await asyncio.gather(*map(perform, players))
    heard = await asyncio.gather(*(listener.events(400) for listener in listeners))
    assert all(other == heard[0] for other in heard)
    for player in players:
        assert [event.offset_ms for slot, event in heard[0] if slot == player.slot] == list(range(1, 101))
    for player in players:
        others = [pair for pair in heard[0] if pair[0] != player.slot]
        assert await player.events(300) == others


async def test_midi_event_json_is_refused_with_its_field(server: Server, connect: Connect) -> None:
    player = await connect(server, SUBPROTOCOL_JSON)
    await player.join("Salon")
    for data, field in (
        ({"time": -1, "events": [[0, 144, 60, 1]]}, "time"),
        ({"time": 0, "events": []}, "events"),
        ({"time": 0, "events": [[0, 144, 60]]}, "events[0]"),
        ({"time": 0, "events": [[65_536, 144, 60, 1]]}, "events[0][0]"),
        ({"time": 0, "events": [[0, 144, 256, 1]]}, "events[0][2]"),
    ):
        error = await player.refused("midi-event", data)
        assert (error.code, (error.field or "").replace("[...]", "[0]")[: len(field)]) == ("invalid-field", field), (
            error
        )


@pytest.mark.parametrize("before", [1, 40])
async def test_invalid_event_refuses_its_whole_message(
    server: Server, connect: Connect, subprotocol: str, before: int
) -> None:
    player, listeners = await trio(server, connect, subprotocol)
    base = await server_ms(player)
    for message in INVALID:
        await raw_events(player, base % WRAP, *[(0, 0x90, 60, 100)] * before, (0, *message), (0, 0x90, 61, 100))
        error = await player.expect(Error)
        assert (error.code, error.field) == ("invalid-midi", f"events[{before}]"), message
    await player.play([note_on(72)])
    for listener in listeners:
        assert await listener.events(1) == [(player.slot, note_on(72))]
        assert Music not in map(type, await listener.received())


@pytest.mark.parametrize(
    ("difference_ms", "kept"),
    [(0, True), (-5_000, True), (60_000, False), (-20_000, False), (2**31, False)],
)
async def test_base_time_far_from_the_servers_is_set_to_now(
    server: Server, connect: Connect, difference_ms: int, kept: bool
) -> None:
    player, (listener, _) = await trio(server, connect, SUBPROTOCOL_BINARY)
    before = await server_ms(player)
    base = (before + difference_ms) % WRAP
    await player.play([note_on(offset_ms=7)], base)
    (block,) = await listener.blocks()
    after = await server_ms(listener)
    assert block.events == (note_on(offset_ms=7),)
    if kept:
        assert block.base_ms == base
    else:
        assert (block.base_ms - before) % WRAP <= after - before


@pytest.mark.parametrize("size", [254, 255, 256, 511, 1_000])
async def test_message_of_many_events_is_split(server: Server, connect: Connect, subprotocol: str, size: int) -> None:
    player, listeners = await trio(server, connect, subprotocol)
    base = await server_ms(player) % WRAP
    events = [MidiEvent(number, 0xB0, 1, number % 128) for number in range(size)]
    await player.play(events, base)
    for listener in listeners:
        blocks = await listener.blocks()
        assert [event for block in blocks for event in block.events] == events
        assert {(block.slot, block.base_ms) for block in blocks} == {(player.slot, base)}
        assert len(blocks) == -(-size // 255)


async def test_message_of_more_events_than_are_handled_in_one_go_is_refused(
    server: Server, connect: Connect, subprotocol: str
) -> None:
    player, listeners = await trio(server, connect, subprotocol)
    await raw_events(player, 0, *[(0, 0x80, 60, 0)] * (MAX_MESSAGE_EVENTS + 1))
    assert (await player.expect(Error)).code == "too-large"
    await raw_events(player, 0, *[(0, 0xE0, 0, 64)] * MAX_MESSAGE_EVENTS)
    for listener in listeners:
        assert len(await listener.events(MAX_MESSAGE_EVENTS)) == MAX_MESSAGE_EVENTS
    assert await player.received() == []


async def test_players_of_one_message_burst_hear_each_other_only(server: Server, connect: Connect) -> None:
    first, (second, third) = await trio(server, connect, SUBPROTOCOL_BINARY)
    await asyncio.gather(first.play(chord(60, 64)), second.play(chord(62)), third.play(chord(65)))
    for client, others in ((first, {62, 65}), (second, {60, 64, 65}), (third, {60, 62, 64})):
        assert {event.data1 for _, event in await client.events(len(others))} == others
        assert await client.received() == []


async def test_newcomer_hears_what_is_played_after_the_snapshot(server: Server, connect: Connect) -> None:
    player, _ = await trio(server, connect, SUBPROTOCOL_BINARY)
    await player.play(chord(60, 64))
    await player.clock()
    newcomer = await connect(server, SUBPROTOCOL_JSON)
    ack = await newcomer.join("Salon")
    assert [(state.slot, state.state) for state in ack.notes] == [(player.slot, [(0x90, 60, 100), (0x90, 64, 100)])]
    await player.play([note_off(60)])
    assert await newcomer.events(1) == [(player.slot, note_off(60))]
    assert (await player.expect(UserJoined)).user.slot == ack.slot
