"""The lines that `rhythmd listen` prints, one for each thing that happens in the room."""

from typing import Final

from rhythm_protocol.messages import ChatKind, ChatLine, Metronome, SheetInRoom
from rhythm_protocol.midi import (
    CHANNEL_PRESSURE,
    CONTROL_CHANGE,
    NOTE_OFF,
    NOTE_ON,
    PITCH_BEND,
    POLY_PRESSURE,
    PROGRAM_CHANGE,
)
from rhythmd.midi.state import ChannelMessage
from rhythmd.terminal import printable

__all__ = ["chat_text", "event_text", "line", "metronome_text", "note_name", "recording_text", "sheet_text"]

_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_CONTROLLERS: Final = {
    1: "modulation",
    7: "volume",
    10: "pan",
    11: "expression",
    64: "sustain pedal",
    66: "sostenuto pedal",
    67: "soft pedal",
    120: "all sound off",
    121: "reset all controllers",
    123: "all notes off",
}
_BEND_CENTRE: Final = 0x2000


def line(at_ms: int, name: str, text: str) -> str:
    """A line that begins with the server's clock in seconds. What others chose is made harmless."""
    seconds, ms = divmod(at_ms, 1_000)
    return printable(f"{seconds:8d}.{ms:03d}  {name:<20}  {text}")


def note_name(key: int) -> str:
    """Key 60 is C4, middle C."""
    return f"{_NAMES[key % 12]}{key // 12 - 1}"


def event_text(message: ChannelMessage) -> str:
    """A channel message in words; channels count from 1, as on instruments."""
    status, data1, data2 = message
    return f"channel {(status & 0x0F) + 1:<2}  {_event(status & 0xF0, data1, data2)}"


def _event(kind: int, data1: int, data2: int) -> str:
    texts = {
        NOTE_ON: f"note on   {note_name(data1):<4} {data2}" if data2 else f"note off  {note_name(data1)}",
        NOTE_OFF: f"note off  {note_name(data1)}",
        POLY_PRESSURE: f"pressure  {note_name(data1):<4} {data2}",
        CONTROL_CHANGE: f"{_CONTROLLERS.get(data1, f'controller {data1}')} {data2}",
        PROGRAM_CHANGE: f"program {data1}",
        CHANNEL_PRESSURE: f"pressure {data1}",
        PITCH_BEND: f"bend {data1 + (data2 << 7) - _BEND_CENTRE:+d}",
    }
    return texts[kind]


def chat_text(said: ChatLine) -> str:
    """A line of chat, without its author."""
    marks = {ChatKind.ME: "* ", ChatKind.WHISPER: "(whispers) "}
    return f"{marks.get(said.kind, '> ')}{said.content}"


def metronome_text(metronome: Metronome | None) -> str:
    """A change of the metronome in words."""
    return (
        "metronome off" if metronome is None else f"metronome {metronome.bpm:g} bpm, {metronome.beats}/{metronome.unit}"
    )


def recording_text(*, on: bool) -> str:
    """The beginning or end of the server's recording in words."""
    return "is recorded from here on" if on else "is not recorded any more"


def sheet_text(sheet: SheetInRoom | None) -> str:
    """A change of what the server plays in words."""
    if sheet is None:
        return "sheet off"
    author = f" by {sheet.artist}" if sheet.artist else ""
    minutes, seconds = divmod(sheet.position_ms // 1_000, 60)
    return f"sheet {sheet.title}{author}, from {minutes}:{seconds:02d} on, speed {sheet.speed:g}"
