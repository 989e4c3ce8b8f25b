"""MIDI events: what counts as a press and what as a release."""

import pytest

from rhythm_protocol.errors import ErrorCode, InvalidMessage
from rhythm_protocol.midi import MidiEvent, check_events, pack_events


@pytest.mark.parametrize(
    ("event", "on", "off"),
    [
        (MidiEvent(0, 0x90, 60, 1), True, False),
        (MidiEvent(0, 0x9F, 60, 127), True, False),
        (MidiEvent(0, 0x90, 60, 0), False, True),
        (MidiEvent(0, 0x80, 60, 64), False, True),
        (MidiEvent(0, 0xB0, 64, 127), False, False),
        (MidiEvent(0, 0xA0, 60, 0), False, False),
    ],
)
def test_event_press_and_release(event: MidiEvent, on: bool, off: bool) -> None:
    assert (event.is_note_on, event.is_note_off) == (on, off)


def test_channel_is_the_low_half_of_the_status() -> None:
    assert MidiEvent(0, 0x9A, 60, 1).channel == 10


@pytest.mark.parametrize("offset", [-1, 65536])
def test_check_events_offset_out_of_range_names_the_event(offset: int) -> None:
    with pytest.raises(InvalidMessage) as caught:
        check_events([MidiEvent(0, 0x90, 60, 1), MidiEvent(offset, 0x90, 60, 1)])
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MIDI, "events[1]")


def test_pack_events_invalid_is_refused_before_a_byte_is_written() -> None:
    with pytest.raises(InvalidMessage):
        pack_events([MidiEvent(0, 0x90, 60, 128)])
