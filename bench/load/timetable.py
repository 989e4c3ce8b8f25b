"""Every event of one room with the moment it is due, and the frames that carry them.

An event's number in its room travels inside the event: the low 16 bits in the offset, the rest in the velocity,
both of which servers relay unchanged. So a listener's copy leads back to its due time, whoever relayed it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench.load.spec import RoomLoad
from bench.score import ScoreEvent, read_parts
from rhythm_protocol.binary import OP_MIDI
from rhythm_protocol.midi import NOTE_OFF, NOTE_ON

__all__ = [
    "EVENT",
    "MAX_EVENTS",
    "Timetable",
    "evenly",
    "frames_of",
    "from_parts",
    "numbers_of",
    "timetable_of",
]

EVENT: Final = np.dtype([("offset", "<u2"), ("status", "u1"), ("key", "u1"), ("velocity", "u1")])
_MESSAGE: Final = np.dtype([("opcode", "u1"), ("base", "<u4"), ("event", EVENT)])
_FRAME: Final = np.dtype([("head", "u1"), ("length", "u1"), ("mask", "u1", 4), ("message", "u1", 10)])
_FINAL_BINARY: Final = 0x82
_MASKED: Final = 0x80
_VELOCITIES: Final = 127
_KEYS: Final = 128
_PLAYERS: Final = _KEYS * 16
MAX_EVENTS: Final = _VELOCITIES << 16


class Timetable(Struct, frozen=True):
    """Columns of one length, ordered by `due` (seconds from the start)."""

    due: NDArray[np.float64]
    player: NDArray[np.int64]
    status: NDArray[np.uint8]
    key: NDArray[np.uint8]


def _ordered(
    due: NDArray[np.float64],
    player: NDArray[np.int64],
    on: NDArray[np.bool_],
    channel: NDArray[np.int64],
    key: NDArray[np.int64],
) -> Timetable:
    if due.size > MAX_EVENTS:
        raise ValueError(f"at most {MAX_EVENTS} events a room, got {due.size}: play shorter or slower")
    order = np.argsort(due, kind="stable")
    status = np.where(on, NOTE_ON, NOTE_OFF) | channel
    return Timetable(due[order], player[order], status[order].astype(np.uint8), key[order].astype(np.uint8))


def evenly(players: int, rate: float, seconds: float, rng: np.random.Generator) -> Timetable:
    """Each player presses and releases its own key, `rate` events a second, from a random phase on."""
    if players > _PLAYERS:
        raise ValueError(f"at most {_PLAYERS} players a room, got {players}")
    count = int(rate * seconds) // 2 * 2  # whole pairs, so that no key stays down
    step = np.tile(np.arange(count), players)
    player = np.repeat(np.arange(players), count)
    phase = rng.random(players) / rate
    return _ordered(step / rate + phase[player], player, step % 2 == 0, player // _KEYS, player % _KEYS)


def from_parts(parts: Sequence[Sequence[ScoreEvent]], players: int) -> Timetable:
    """The parts of a score, dealt out to the players in turn; velocities are not kept."""
    rows = [(event, index % players) for index, part in enumerate(parts) for event in part]
    return _ordered(
        np.array([event.due for event, _ in rows]),
        np.array([player for _, player in rows]),
        np.array([event.is_press for event, _ in rows]),
        np.array([event.channel for event, _ in rows]),
        np.array([event.key for event, _ in rows]),
    )


def timetable_of(room: RoomLoad, seconds: float, rng: np.random.Generator) -> Timetable:
    """The room's events; a score is as long as it is, whatever `seconds` says."""
    if room.midi is not None:
        return from_parts(read_parts(Path(room.midi)), room.players)
    return evenly(room.players, room.rate, seconds, rng)


def _messages(timetable: Timetable, start_ms: float) -> NDArray[np.void]:
    number = np.arange(timetable.due.size)
    messages = np.zeros(number.size, _MESSAGE)
    messages["opcode"] = OP_MIDI
    messages["base"] = (start_ms + timetable.due * 1e3).astype(np.int64) & 0xFFFFFFFF
    event = messages["event"]
    event["offset"], event["velocity"] = number & 0xFFFF, 1 + (number >> 16)
    event["status"], event["key"] = timetable.status, timetable.key
    return messages


def frames_of(timetable: Timetable, start_ms: float, rng: np.random.Generator) -> list[bytes]:
    """One masked WebSocket frame for each event, in order; `start_ms` is the start on the server's clock."""
    messages = _messages(timetable, start_ms)
    frames = np.zeros(messages.size, _FRAME)
    frames["head"], frames["length"] = _FINAL_BINARY, _MASKED | _MESSAGE.itemsize
    frames["mask"] = rng.integers(0, 256, (messages.size, 4), np.uint8)
    plain = messages.view(np.uint8).reshape(messages.size, _MESSAGE.itemsize)
    frames["message"] = plain ^ np.tile(frames["mask"], 3)[:, : _MESSAGE.itemsize]
    blob = frames.tobytes()
    return [blob[at : at + _FRAME.itemsize] for at in range(0, len(blob), _FRAME.itemsize)]


def numbers_of(events: bytes) -> NDArray[np.int64]:
    """The numbers that `frames_of` put into these events (five bytes each)."""
    fields = np.frombuffer(events, EVENT)
    return fields["offset"].astype(np.int64) + ((fields["velocity"].astype(np.int64) - 1) << 16)
