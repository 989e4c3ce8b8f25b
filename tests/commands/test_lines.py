"""The lines that are printed."""

import pytest

from rhythm_protocol.messages import ChatKind, ChatLine
from rhythmd.client.lines import chat_text, event_text, line, note_name
from rhythmd.midi.state import ChannelMessage


@pytest.mark.parametrize(("key", "name"), [(60, "C4"), (0, "C-1"), (127, "G9"), (21, "A0"), (61, "C#4")])
def test_note_name(key: int, name: str) -> None:
    assert note_name(key) == name


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ((0x90, 60, 100), "channel 1   note on   C4   100"),
        ((0x9F, 60, 0), "channel 16  note off  C4"),
        ((0x80, 61, 64), "channel 1   note off  C#4"),
        ((0xB0, 64, 127), "channel 1   sustain pedal 127"),
        ((0xB0, 20, 5), "channel 1   controller 20 5"),
        ((0xC0, 7, 0), "channel 1   program 7"),
        ((0xE0, 0, 64), "channel 1   bend +0"),
        ((0xE0, 0, 0), "channel 1   bend -8192"),
        ((0xA0, 60, 3), "channel 1   pressure  C4   3"),
        ((0xD0, 3, 0), "channel 1   pressure 3"),
    ],
)
def test_event_text(message: ChannelMessage, text: str) -> None:
    assert event_text(message) == text


def test_line_begins_with_seconds_and_name() -> None:
    assert line(12_034, "Clara", "joins") == "      12.034  Clara                 joins"


def test_line_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in line(0, "Clara", "> \x1b[2J\n")


@pytest.mark.parametrize(
    ("kind", "text"), [(ChatKind.TEXT, "> hello"), (ChatKind.ME, "* hello"), (ChatKind.WHISPER, "(whispers) hello")]
)
def test_chat_text(kind: ChatKind, text: str) -> None:
    assert chat_text(ChatLine(1, 0, kind, "hello")) == text
