"""What a user changes about themselves."""

from msgspec import UNSET

from rhythm_protocol.messages import UserUpdate
from rhythmd.hub.context import Context
from rhythmd.hub.session import Session

__all__ = ["user_update"]


def user_update(_context: Context, session: Session, message: UserUpdate) -> None:
    """Set name, colour, status or status text; the room sees it at once."""
    profile = session.profile
    if message.name is not UNSET:
        profile.name = message.name.strip()
    if message.colour is not UNSET:
        profile.colour = message.colour.lower()
    if message.status is not UNSET:
        profile.status = message.status
    if message.status_text is not UNSET:
        profile.status_text = message.status_text
    if session.room is not None and session.member is not None:
        session.room.member_changed(session.member)
