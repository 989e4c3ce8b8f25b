"""Pointers: the newest position per member, sent together at most every few milliseconds."""

from rhythm_protocol.binary import decode_cursor
from rhythm_protocol.messages import CursorPosition
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["cursor", "cursor_message"]


def cursor(context: Context, session: Session, payload: bytes) -> None:
    """A binary cursor message."""
    move = decode_cursor(payload)
    _move(context, session, move.x, move.y)


def cursor_message(context: Context, session: Session, message: CursorPosition) -> None:
    """The same in JSON."""
    _move(context, session, message.x, message.y)


def _move(context: Context, session: Session, x: int, y: int) -> None:
    room, member = context.place(session)
    if not member.announced:
        room.announce(member)
    room.cursors.move(member.slot, x, y)
