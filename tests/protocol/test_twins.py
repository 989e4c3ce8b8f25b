"""What the protocol says twice it says alike: adding a field to one side only fails here."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import msgspec.inspect as kinds
import pytest

from rhythm_protocol import binary
from rhythm_protocol.binary import ClockReply, ClockRequest, CursorAt, CursorMove, MidiBatch, MidiBlock
from rhythm_protocol.errors import ProtocolError
from rhythm_protocol.messages import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    ChatMessage,
    ClockAnswer,
    ClockQuestion,
    CursorPosition,
    Cursors,
    JoinRoom,
    Limits,
    Message,
    Metronome,
    MetronomeUpdate,
    MidiBlockData,
    MidiInput,
    Record,
    RecordLast,
    RoomSettings,
    RoomSettingsUpdate,
    User,
    UserUpdate,
)
from rhythm_protocol.midi import EVENT_SIZE, MidiEvent
from rhythmd.config.sections import HubConfig, LimitsConfig, QuotaConfig, RoomsConfig
from tests.protocol.codecs import FAST_DECODERS, carry
from tests.protocol.document import section, table
from tests.protocol.vectors import Direction


def types_of(message: type[Message]) -> dict[str, kinds.Type]:
    """The fields of a struct with their types and bounds; that one may be left out is no part of its type."""
    info = kinds.type_info(message)
    assert isinstance(info, kinds.StructType)
    return {field.encode_name: field.type for field in info.fields}


def without_null(type_: kinds.Type) -> kinds.Type:
    match type_:
        case kinds.UnionType(types=(kind, kinds.NoneType())):
            return kind
        case _:
            return type_


# A thing and its change


def test_room_settings_can_all_be_changed_to_what_they_may_be() -> None:
    changed = types_of(RoomSettingsUpdate)
    of_the_room = {"name": types_of(JoinRoom)["room"], "password": types_of(JoinRoom)["password"]}
    assert changed == of_the_room | types_of(RoomSettings)


def test_every_setting_of_a_room_has_a_default_and_every_change_may_leave_it_out() -> None:
    assert RoomSettingsUpdate() == RoomSettingsUpdate(
        **dict.fromkeys(RoomSettingsUpdate.__struct_fields__, msgspec.UNSET)
    )
    assert msgspec.convert({}, RoomSettings) == RoomSettings()


def test_metronome_can_be_changed_in_all_but_its_start() -> None:
    assert set(types_of(MetronomeUpdate)) - {"running"} == set(types_of(Metronome)) - {"start_us"}


def test_what_users_change_of_themselves_is_part_of_a_user() -> None:
    assert set(types_of(UserUpdate)) <= set(types_of(User))


def test_titles_of_recordings_are_alike() -> None:
    assert types_of(Record)["name"] == types_of(RecordLast)["name"] == types_of(JoinRoom)["room"]


# What the server is told to do and what it says of it

DEFAULT_LIMITS = Limits(
    message_bytes=LimitsConfig().message_bytes,
    chat_length=500,
    chat_history=RoomsConfig().chat_history,
    ping_interval_s=LimitsConfig().ping_interval_s,
    silence_s=LimitsConfig().silence_s,
    messages_per_s=LimitsConfig().messages_per_s,
    quota_refill_s=QuotaConfig().refill_s,
    resume_s=HubConfig().resume_s,
)


def test_longest_chat_line_is_what_the_limits_say() -> None:
    content = types_of(ChatMessage)["content"]
    assert isinstance(content, kinds.Metadata)
    assert isinstance(content.type, kinds.StrType)
    assert content.type.max_length == DEFAULT_LIMITS.chat_length


def test_default_limits_are_those_of_the_page() -> None:
    rows = table(section("`welcome`"), "limit", "default", "")
    assert {name: default for name, default, _ in rows} == {
        name: str(value) for name, value in msgspec.structs.asdict(DEFAULT_LIMITS).items()
    }


# JSON and the fast layouts


@dataclass(frozen=True)
class Twins:
    """A fast layout and its JSON form, one flat set of numbers each.

    Args:
        direction: who sends it.
        kind: the type of the JSON form.
        layout: the fields of the fast layout.
        json: the fields of the JSON form.
        names: the JSON names of those that are called something else there.
        binary: the numbers that come out of the fast layout when these are put in.
        data: `data` of the JSON form with these numbers.
    """

    direction: Direction
    kind: str
    layout: tuple[str, ...]
    json: tuple[str, ...]
    names: dict[str, str]
    binary: Callable[..., Any]
    data: Callable[[dict[str, Any]], dict[str, object]]


NOTE = MidiEvent(0, 0x90, 60, 100)
TWINS = [
    Twins(
        "client",
        "midi-event",
        MidiBatch._fields,
        MidiInput.__struct_fields__,
        {"base_ms": "time"},
        lambda base_ms: binary.decode_midi(binary.encode_midi(base_ms, [NOTE])),
        lambda numbers: numbers | {"events": [NOTE]},
    ),
    Twins(
        "server",
        "midi-event",
        MidiBlock._fields,
        MidiBlockData.__struct_fields__,
        {"base_ms": "time"},
        lambda slot, base_ms: binary.decode_midi_blocks(binary.encode_midi_blocks([MidiBlock(slot, base_ms, (NOTE,))]))[
            0
        ],
        lambda numbers: {"blocks": [numbers | {"events": [NOTE]}]},
    ),
    Twins(
        "client",
        "clock",
        ClockRequest._fields,
        ClockQuestion.__struct_fields__,
        {},
        lambda value: binary.decode_clock_request(binary.encode_clock_request(value)),
        lambda numbers: numbers,
    ),
    Twins(
        "server",
        "clock",
        ClockReply._fields,
        ClockAnswer.__struct_fields__,
        {"received_us": "received", "sent_us": "sent"},
        lambda **numbers: binary.decode_clock_reply(binary.encode_clock_reply(**numbers)),
        lambda numbers: numbers,
    ),
    Twins(
        "client",
        "cursor",
        CursorMove._fields,
        CursorPosition.__struct_fields__,
        {},
        lambda x, y: binary.decode_cursor(binary.encode_cursor(x, y)),
        lambda numbers: numbers,
    ),
    Twins(
        "server",
        "cursor",
        CursorAt._fields,
        CursorAt._fields,  # its numbers stand in a list, in this order
        {},
        lambda **numbers: binary.decode_cursors(binary.encode_cursors([CursorAt(**numbers)]))[0],
        lambda numbers: {"cursors": [list(numbers.values())]},
    ),
]
EDGES = [-1, 0, 2**8 - 1, 2**8, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**64 - 1, 2**64]


def title(twins: Twins) -> str:
    return f"{twins.direction} {twins.kind}"


def numbers_of(twins: Twins) -> list[str]:
    return [name for name in twins.layout if name != "events"]


@pytest.mark.parametrize("twins", TWINS, ids=title)
def test_json_form_has_the_fields_of_the_fast_layout(twins: Twins) -> None:
    assert tuple(twins.names.get(name, name) for name in twins.layout) == twins.json


def holds_binary(twins: Twins, numbers: dict[str, int]) -> bool:
    """Whether they come out of the fast layout as they went in."""
    try:
        decoded = twins.binary(**numbers)._asdict()
    except struct.error:
        return False
    return {name: decoded[name] for name in numbers} == numbers


def holds_json(twins: Twins, numbers: dict[str, int]) -> bool:
    data = twins.data({twins.names.get(name, name): value for name, value in numbers.items()})
    try:
        carry("rhythm.v1.json", twins.direction, twins.kind, data)
    except ProtocolError:
        return False
    return True


@pytest.mark.parametrize("value", EDGES)
@pytest.mark.parametrize("twins", TWINS, ids=title)
def test_json_form_holds_the_numbers_of_the_fast_layout(twins: Twins, value: int) -> None:
    for name in numbers_of(twins):
        numbers = dict.fromkeys(numbers_of(twins), 1) | {name: value}
        assert holds_json(twins, numbers) == holds_binary(twins, numbers), name


@pytest.mark.parametrize("message", [MidiInput, MidiBlockData])
def test_event_takes_as_many_bytes_as_its_numbers_in_json(message: type[Message]) -> None:
    events = types_of(message)["events"]
    assert isinstance(events, kinds.ListType)
    assert isinstance(events.item_type, kinds.TupleType)
    largest = [number.le for number in events.item_type.item_types if isinstance(number, kinds.IntType)]
    assert len(largest) == len(MidiEvent._fields)
    assert sum((le or 0).bit_length() for le in largest) == 8 * EVENT_SIZE


def test_cursor_takes_as_many_numbers_in_json() -> None:
    cursors = types_of(Cursors)["cursors"]
    assert isinstance(cursors, kinds.ListType)
    assert isinstance(cursors.item_type, kinds.TupleType)
    assert len(cursors.item_type.item_types) == len(CursorAt._fields)


def test_every_message_with_a_fast_layout_has_its_twins_here() -> None:
    tables: list[tuple[Direction, dict[str, int | None]]] = [
        ("client", {type_: row.opcode for type_, row in CLIENT_MESSAGES.items()}),
        ("server", {type_: row.opcode for type_, row in SERVER_MESSAGES.items()}),
    ]
    with_layout = {(direction, type_) for direction, table in tables for type_, code in table.items() if code}
    assert with_layout == {(twins.direction, twins.kind) for twins in TWINS}
    assert len(FAST_DECODERS) == len(TWINS)
    assert {code for _, table in tables for code in table.values() if code} == {
        binary.OP_MIDI,
        binary.OP_CLOCK,
        binary.OP_CURSOR,
    }


@pytest.mark.parametrize("type_", [type_ for type_, row in CLIENT_MESSAGES.items() if row.opcode])
def test_fast_layout_has_one_first_byte_in_both_directions(type_: str) -> None:
    assert CLIENT_MESSAGES[type_].opcode == SERVER_MESSAGES[type_].opcode
