"""What keeps a room together in time: clock exchanges, reports of lateness, the metronome."""

from typing import Final

from rhythm_protocol.binary import decode_clock_request
from rhythm_protocol.messages import ClockAnswer, ClockQuestion, MetronomeUpdate, Timing
from rhythmd.clock import server_us
from rhythmd.hub.sending.outbound import ClockReply
from rhythmd.hub.sessions.session import Session

__all__ = ["clock", "clock_binary", "metronome", "timing"]

NOTICE_MS: Final = 500


def clock_binary(session: Session, payload: bytes) -> None:
    """Answer a clock exchange at once: a client learns the server's clock from the two times in the answer."""
    received = server_us()
    value = decode_clock_request(payload).value
    session.delivery.send(ClockReply(value, received, server_us()))


def clock(session: Session, message: ClockQuestion) -> None:
    """The same as a control message."""
    received = server_us()
    session.send("clock", ClockAnswer(message.value, received, server_us()))


def timing(session: Session, message: Timing) -> None:
    """Let the room's playout delay follow what this member hears."""
    room, member = session.require_place()
    room.playout.report(member.slot, message.late_ms)


def metronome(session: Session, message: MetronomeUpdate) -> None:
    """Start, change or stop the room's metronome.

    It starts when also those members have heard of it whom the music reaches late.
    """
    room, _ = session.require_place()
    notice_ms = max(NOTICE_MS, room.playout_ms)
    room.metronome.change(message, server_us() + notice_ms * 1_000)
