"""What is encoded comes back, whatever it is."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rhythm_protocol import binary, control
from rhythm_protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES
from rhythm_protocol.midi import MAX_BLOCK_EVENTS, MidiEvent
from tests.protocol.codecs import SUBPROTOCOLS, check_control, decode_control, encode_control
from tests.protocol.generated import data_of, midi_events, u16, u32, u64
from tests.protocol.vectors import Direction

EVENTS = st.lists(midi_events(), min_size=1, max_size=20).map(tuple)
IDS = st.none() | st.integers(0, 2**53 - 1)
TYPES: list[tuple[Direction, str, type[Any]]] = [
    *(("client", type_, row.data) for type_, row in CLIENT_MESSAGES.items()),
    *(("server", type_, row.data) for type_, row in SERVER_MESSAGES.items()),
]


@given(u32, EVENTS)
def test_midi_round_trip(base_ms: int, events: tuple[MidiEvent, ...]) -> None:
    decoded = binary.decode_midi(binary.encode_midi(base_ms, events))
    assert decoded == binary.MidiBatch(base_ms, events)


@given(st.lists(st.builds(binary.MidiBlock, u16, u32, EVENTS), min_size=1, max_size=5))
def test_midi_blocks_round_trip(blocks: list[binary.MidiBlock]) -> None:
    assert binary.decode_midi_blocks(binary.encode_midi_blocks(blocks)) == blocks


@given(st.integers(-(2**40), 2**40))
def test_midi_base_time_wraps_at_32_bits(base_ms: int) -> None:
    event = MidiEvent(0, 0x90, 60, 100)
    assert binary.decode_midi(binary.encode_midi(base_ms, [event])).base_ms == base_ms % 2**32


@pytest.mark.parametrize("count", [1, 254, 255, 256, 510, 511])
def test_midi_block_too_long_is_split_in_order(count: int) -> None:
    events = tuple(MidiEvent(offset, 0x90, 60, 1) for offset in range(count))
    blocks = binary.decode_midi_blocks(binary.encode_midi_blocks([binary.MidiBlock(3, 7, events)]))
    assert [event for block in blocks for event in block.events] == list(events)
    assert all(block.slot == 3 and block.base_ms == 7 for block in blocks)
    assert len(blocks) == -(-count // MAX_BLOCK_EVENTS)


@given(u64)
def test_clock_request_round_trip(value: int) -> None:
    assert binary.decode_clock_request(binary.encode_clock_request(value)).value == value


@given(u64, u64, u64)
def test_clock_reply_round_trip(value: int, received_us: int, sent_us: int) -> None:
    reply = binary.decode_clock_reply(binary.encode_clock_reply(value, received_us, sent_us))
    assert reply == (value, received_us, sent_us)


@given(u16, u16)
def test_cursor_round_trip(x: int, y: int) -> None:
    assert binary.decode_cursor(binary.encode_cursor(x, y)) == (x, y)


@given(st.lists(st.builds(binary.CursorAt, u16, u16, u16), min_size=1))
def test_cursors_round_trip(cursors: list[binary.CursorAt]) -> None:
    assert binary.decode_cursors(binary.encode_cursors(cursors)) == cursors


@pytest.mark.parametrize(("direction", "type_", "struct"), TYPES)
@settings(max_examples=40)
@given(values=st.data(), id_=IDS)
def test_control_round_trip(
    direction: Direction, type_: str, struct: type[Any], values: st.DataObject, id_: int | None
) -> None:
    sent = msgspec.convert(values.draw(data_of(struct)), struct)
    for subprotocol in SUBPROTOCOLS:
        envelope = decode_control(subprotocol, encode_control(subprotocol, type_, sent, id_))
        assert (envelope.type, envelope.id) == (type_, id_)
        assert check_control(direction, envelope) == sent


@given(st.text(), st.dictionaries(st.text(), st.none()), IDS)
def test_control_both_subprotocols_carry_the_same(type_: str, data: dict[str, None], id_: int | None) -> None:
    from_binary = control.decode_binary(control.encode_binary(type_, data, id_))
    from_text = control.decode_text(control.encode_text(type_, data, id_))
    assert (from_binary.type, from_binary.fields(), from_binary.id) == (type_, data, id_)
    assert (from_text.type, from_text.fields(), from_text.id) == (type_, data, id_)
