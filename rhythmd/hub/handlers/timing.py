"""What keeps a room together: how late its members hear the music, and its metronome."""

from typing import Final

from rhythm_protocol.messages import MetronomeUpdate, Timing
from rhythmd.clock import server_us
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["metronome", "timing"]

NOTICE_MS: Final = 500


def timing(context: Context, session: Session, message: Timing) -> None:
    """Let the room's playout delay follow what this member hears."""
    room, member = context.place(session)
    room.playout.report(member.slot, message.late_ms)


def metronome(context: Context, session: Session, message: MetronomeUpdate) -> None:
    """Start, change or stop the room's metronome; for its owner and for moderators.

    It starts when also those have heard of it whom the music reaches late.
    """
    room, member = context.place(session)
    room.require_authority(member)
    notice_ms = max(NOTICE_MS, room.playout_ms)
    room.metronome.change(message, server_us() + notice_ms * 1_000)
