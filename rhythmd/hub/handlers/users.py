"""What a user changes about themselves."""

from msgspec import UNSET

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Authenticate, UserUpdate
from rhythmd.errors import Refused
from rhythmd.hub.identity import Credentials
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["authenticate", "user_update"]


async def authenticate(context: Context, session: Session, message: Authenticate) -> None:
    """Renew the proof of who this is before it expires. It cannot make somebody else of a session."""
    credentials = Credentials(message.token, message.ticket)
    if not credentials:
        raise Refused(ErrorCode.INVALID_FIELD, "expected a token or a ticket", "token")
    identity = await context.authenticator.identify(credentials, session.profile.address)
    if session.identity is None or identity.user_id != session.identity.user_id:
        raise Refused(ErrorCode.LOGIN_INVALID, "connect anew to be somebody else")
    if identity.login_id in context.ended_logins:
        raise Refused(ErrorCode.LOGIN_INVALID, "this login has ended")
    session.identity = identity
    if session.room is not None:
        context.continuity.login_changed(session.key, identity)


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
