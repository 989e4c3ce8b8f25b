"""Notes: validate, spend quota, update the note state, hand the block to the room. The hot path."""

from typing import Final

from rhythm_protocol.binary import encode_midi
from rhythm_protocol.close import FLOODING
from rhythm_protocol.errors import ErrorCode, InvalidMessage, MalformedMessage
from rhythm_protocol.messages import MidiInput
from rhythm_protocol.midi import (
    CHANNEL_PRESSURE,
    EVENT_SIZE,
    MAX_BLOCK_EVENTS,
    NOTE_OFF,
    NOTE_ON,
    POLY_PRESSURE,
    PROGRAM_CHANGE,
    MidiEvent,
)
from rhythmd.clock import server_ms
from rhythmd.hub.rooms.members import Member
from rhythmd.hub.rooms.room import Room
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session
from rhythmd.midi.state import NoteState

__all__ = ["midi_event", "play"]

HEAD_SIZE: Final = 5  # opcode and base time
MAX_AHEAD_MS: Final = 2_000
MAX_BEHIND_MS: Final = 10_000
WRAP: Final = 0xFFFFFFFF

_ONE_DATA_BYTE: Final = range(PROGRAM_CHANGE, CHANNEL_PRESSURE + 0x10)
_NOTE_ON: Final = range(NOTE_ON, POLY_PRESSURE)
_STATUS: Final = range(NOTE_OFF, 0xF0)
_COUNT: Final = [bytes((count,)) for count in range(MAX_BLOCK_EVENTS + 1)]


def play(context: Context, session: Session, payload: bytes) -> None:
    """A binary MIDI message.

    Raises:
        MalformedMessage: its length is not 5 + n x 5.
        InvalidMessage: an event is no channel message; nothing of the message is played.
    """
    notes = _check(payload)
    room, member = session.room, session.member
    if room is None or member is None:
        context.place(session)
        return
    now = server_ms()
    period = now // room.refill_ms
    if not member.count_events(len(payload) // EVENT_SIZE - 1, period, room.other_events):
        context.close(session, FLOODING)
        return
    if notes:
        refusal = room.may_play(member)
        if refusal is not None:
            _tell(context, session, member, period, refusal, "your notes are silent here")
            return
        paid = room.quota.spend(member.quota.spend(notes, period), period)
        if paid < notes:
            if member.refused_period != period:
                room.release(member)  # cut off: what it holds may otherwise sound until it has points again
            _tell(context, session, member, period, ErrorCode.QUOTA_EXCEEDED, "too many notes, some are dropped")
            payload = _without_note_ons(payload, paid)
            if len(payload) == HEAD_SIZE:
                return
    elif room.may_play(member) is not None:
        return  # what this member held has been released for them
    _relay(context, room, member, payload, now)


def _check(payload: bytes) -> int:
    """How many note-ons there are among the events, all of which are checked."""
    size = len(payload)
    if size <= HEAD_SIZE or size % EVENT_SIZE:
        raise MalformedMessage(f"a MIDI message is 5 + n x 5 bytes, got {size}")
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


def _invalid(payload: bytes, at: int) -> InvalidMessage:
    index = (at - HEAD_SIZE) // EVENT_SIZE
    message = payload[at : at + 3].hex(" ")
    return InvalidMessage(f"{message} is no channel message", f"events[{index}]", ErrorCode.INVALID_MIDI)


def _relay(context: Context, room: Room, member: Member, payload: bytes, now: int) -> None:
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
    context.stats.events_in += count
    context.stats.events_out += count * (len(room.members) - 1)
    if count <= MAX_BLOCK_EVENTS:
        room.play(member, member.slot_bytes + _COUNT[count] + payload[1:])
    else:
        _play_long(room, member, payload)


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
    kept = [payload[:HEAD_SIZE]]
    for start in range(HEAD_SIZE, len(payload), EVENT_SIZE):
        if payload[start + 2] in _NOTE_ON and payload[start + 4]:
            if not paid:
                continue
            paid -= 1
        kept.append(payload[start : start + EVENT_SIZE])
    return b"".join(kept)


def _tell(context: Context, session: Session, member: Member, period: int, code: ErrorCode, message: str) -> None:
    """Refuse notes with an error, once a refill period: the next chord will be refused as well."""
    if member.refused_period != period:
        member.refused_period = period
        context.refuse(session, code, message)
        member.send("quota", member.quota.state())
    else:
        context.stats.refusals[code] += 1


def midi_event(context: Context, session: Session, message: MidiInput) -> None:
    """The same in JSON."""
    play(context, session, encode_midi(message.time, [MidiEvent._make(event) for event in message.events]))
