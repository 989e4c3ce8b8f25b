"""Notes: validate, spend quota, update the note state, hand the block to the room. The hot path."""

from typing import Final

from rhythm_protocol.binary import OP_MIDI
from rhythm_protocol.close import FLOODING
from rhythm_protocol.errors import ErrorCode, InvalidMessage, MalformedMessage
from rhythm_protocol.messages import MidiInput
from rhythm_protocol.midi import (
    CHANNEL_PRESSURE,
    EVENT_SIZE,
    MAX_BLOCK_EVENTS,
    MAX_MESSAGE_EVENTS,
    NOTE_OFF,
    NOTE_ON,
    POLY_PRESSURE,
    PROGRAM_CHANGE,
    join_events,
)
from rhythmd.clock import server_ms
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.session import Session
from rhythmd.midi.state import NoteState
from rhythmd.telemetry import Stats

__all__ = ["Playing"]

HEAD_SIZE: Final = 5  # opcode and base time
MAX_AHEAD_MS: Final = 2_000
MAX_BEHIND_MS: Final = 10_000
WRAP: Final = 0xFFFFFFFF
FEW: Final = 10
"""Events up to which looking at each of them is faster than looking at all of them at once."""

_ONE_DATA_BYTE: Final = range(PROGRAM_CHANGE, CHANNEL_PRESSURE + 0x10)
_NOTE_ON: Final = range(NOTE_ON, POLY_PRESSURE)
_STATUS: Final = range(NOTE_OFF, 0xF0)
_STATUSES: Final = bytes(_STATUS)
_IS_NOTE_ON: Final = bytes(status in _NOTE_ON for status in range(256))
_HAS_ONE_DATA_BYTE: Final = bytes(status in _ONE_DATA_BYTE for status in range(256))
_IS_NOT_ZERO: Final = bytes(1) + b"\x01" * 255
_COUNT: Final = [bytes((count,)) for count in range(MAX_BLOCK_EVENTS + 1)]


class Playing:
    """Takes in notes. Counts them in `stats`."""

    __slots__ = ("_stats",)

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def play(self, session: Session, payload: bytes) -> None:
        """A binary MIDI message.

        Raises:
            MalformedMessage: its length is not 5 + n x 5, or n is too large.
            InvalidMessage: an event is no channel message; nothing of the message is played.
        """
        notes = _check(payload)
        place = session.place
        if place is None:
            session.require_place()
            return
        room, member = place
        now = server_ms()
        period = now // room.refill_ms
        count, traffic = len(payload) // EVENT_SIZE - 1, room.traffic
        if not member.count_events(count, period, traffic.others):
            session.close(FLOODING)
            return
        if not traffic.count(count, member.events, period):
            room.release(member)  # what ends its notes may be among what is dropped
            text = "too much is played in this room, yours is dropped"
            _refuse_notes(session, member, period, ErrorCode.QUOTA_EXCEEDED, text)
            return
        if notes:
            refusal = room.may_play(member)
            if refusal is not None:
                _refuse_notes(session, member, period, refusal, "your notes are silent here")
                return
            quota = member.quota
            paid = room.quota.spend(quota.spend(notes, period), quota.spent, period)
            if paid < notes:
                if member.refused_period != period:
                    room.release(member)  # cut off: what it holds may otherwise sound until it has points again
                text = "too many notes, some are dropped"
                _refuse_notes(session, member, period, ErrorCode.QUOTA_EXCEEDED, text)
                payload = _without_note_ons(payload, paid)
                if len(payload) == HEAD_SIZE:
                    return
        elif room.may_play(member) is not None:
            return  # what this member held has been released for them
        self._relay(room, member, payload, now)

    def midi_event(self, session: Session, message: MidiInput) -> None:
        """The same in JSON."""
        head = bytes((OP_MIDI,)) + message.time.to_bytes(4, "little")
        self.play(session, head + join_events(message.events))

    def _relay(self, room: Room, member: Member, payload: bytes, now: int) -> None:
        """Keep the state, set a base time that cannot be meant to now, and give the room its block or blocks."""
        if member.notes is None:
            member.notes = NoteState()
        member.notes.apply(payload, HEAD_SIZE)
        if not member.announced:
            room.announce(member)
        ahead = (int.from_bytes(payload[1:HEAD_SIZE], "little") - now) & WRAP
        if MAX_AHEAD_MS < ahead < WRAP + 1 - MAX_BEHIND_MS:
            payload = payload[:1] + (now & WRAP).to_bytes(4, "little") + payload[HEAD_SIZE:]
        count = (len(payload) - HEAD_SIZE) // EVENT_SIZE
        stats = self._stats
        stats.events_in += count
        stats.events_out += count * (len(room.members) - 1)
        if count <= MAX_BLOCK_EVENTS:
            room.play(member, member.slot_bytes + _COUNT[count] + payload[1:])
        else:
            _play_long(room, member, payload)


def _check(payload: bytes) -> int:
    """How many note-ons there are among the events, all of which are checked."""
    size = len(payload)
    if size <= HEAD_SIZE or size % EVENT_SIZE:
        raise MalformedMessage(f"a MIDI message is 5 + n x 5 bytes, got {size}")
    if size > HEAD_SIZE + FEW * EVENT_SIZE and _are_valid(payload):
        return _count_note_ons(payload)
    notes = 0
    for at in range(HEAD_SIZE + 2, size, EVENT_SIZE):
        status = payload[at]
        data2 = payload[at + 2]
        if payload[at + 1] > 0x7F or data2 > 0x7F or status not in _STATUS:
            raise _invalid(payload, at)
        if status in _NOTE_ON:
            if data2:
                notes += 1
        elif data2 and status in _ONE_DATA_BYTE:
            raise _invalid(payload, at)
    return notes


# All events at once, each as one bit of a number.


def _are_valid(payload: bytes) -> bool:
    """Raises MalformedMessage (`too-large`) if they are too many to be looked at."""
    if len(payload) > HEAD_SIZE + MAX_MESSAGE_EVENTS * EVENT_SIZE:
        raise MalformedMessage(f"a MIDI message has at most {MAX_MESSAGE_EVENTS} events", ErrorCode.TOO_LARGE)
    statuses, data1, data2 = (payload[HEAD_SIZE + at :: EVENT_SIZE] for at in (2, 3, 4))
    return (
        data1.isascii()
        and data2.isascii()
        and not statuses.translate(None, _STATUSES)
        and not _both(statuses.translate(_HAS_ONE_DATA_BYTE), data2.translate(_IS_NOT_ZERO))
    )


def _count_note_ons(payload: bytes) -> int:
    statuses, velocities = payload[HEAD_SIZE + 2 :: EVENT_SIZE], payload[HEAD_SIZE + 4 :: EVENT_SIZE]
    return _both(statuses.translate(_IS_NOTE_ON), velocities.translate(_IS_NOT_ZERO)).bit_count()


def _both(one: bytes, other: bytes) -> int:
    return int.from_bytes(one) & int.from_bytes(other)


def _invalid(payload: bytes, at: int) -> InvalidMessage:
    index = (at - HEAD_SIZE) // EVENT_SIZE
    message = payload[at : at + 3].hex(" ")
    return InvalidMessage(f"{message} is no channel message", f"events[{index}]", ErrorCode.INVALID_MIDI)


def _play_long(room: Room, member: Member, payload: bytes) -> None:
    """A block counts its events in one byte: a longer message becomes several."""
    base = payload[1:HEAD_SIZE]
    step = MAX_BLOCK_EVENTS * EVENT_SIZE
    for start in range(HEAD_SIZE, len(payload), step):
        events = payload[start : start + step]
        head = member.slot_bytes + _COUNT[len(events) // EVENT_SIZE]
        room.play(member, head + base + events)


def _without_note_ons(payload: bytes, paid: int) -> bytes:
    """Only the first `paid` note-ons, and everything else: a release is never thrown away with a press."""
    rest = [payload[:HEAD_SIZE]]
    for start in range(HEAD_SIZE, len(payload), EVENT_SIZE):
        if payload[start + 2] in _NOTE_ON and payload[start + 4]:
            if not paid:
                continue
            paid -= 1
        rest.append(payload[start : start + EVENT_SIZE])
    return b"".join(rest)


def _refuse_notes(session: Session, member: Member, period: int, code: ErrorCode, message: str) -> None:
    """Refuse notes with an error, once a refill period: the next chord will be refused as well."""
    if member.refused_period != period:
        member.refused_period = period
        session.refuse(code, message)
        member.send("quota", member.quota.state())
    else:
        session.count_refusal(code)
