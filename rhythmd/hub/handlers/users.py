"""What a user changes about themselves, and where they point."""

from msgspec import UNSET

from rhythm_protocol.binary import decode_cursor
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Authenticate, AuthenticateAck, CursorPosition, UserUpdate
from rhythmd.errors import Refused
from rhythmd.hub.ports import Credentials, LoginVerifier
from rhythmd.hub.sessions.session import Session
from rhythmd.hub.sessions.sessions import EndedLogins
from rhythmd.names.rule import fit_line, fit_name

__all__ = ["Authentication", "cursor", "cursor_binary", "user_update"]


class Authentication:
    """Renews the proof of who a client is.

    Args:
        verifier: tells who is behind credentials.
        ended_logins: logins that ended a moment ago.
    """

    def __init__(self, verifier: LoginVerifier, ended_logins: EndedLogins) -> None:
        self._verifier = verifier
        self._ended_logins = ended_logins

    async def authenticate(self, session: Session, message: Authenticate) -> AuthenticateAck:
        """Renew the proof before it expires. It cannot make somebody else of a session."""
        credentials = Credentials(message.token, message.ticket)
        if not credentials:
            raise Refused(ErrorCode.INVALID_FIELD, "expected a token or a ticket", "token")
        identity = await self._verifier.verify(credentials, session.player.address)
        if session.identity is None or identity.user_id != session.identity.user_id:
            raise Refused(ErrorCode.LOGIN_INVALID, "connect anew to be somebody else")
        if identity.login_id in self._ended_logins:
            raise Refused(ErrorCode.LOGIN_INVALID, "this login has ended")
        session.identity = identity
        if session.place is not None:
            session.place.room.keeper.seat_taken(session.place.member)
        return AuthenticateAck(identity.seconds_left())


def user_update(session: Session, message: UserUpdate) -> None:
    """Set name, colour, status or status text; the room sees it at once.

    Raises:
        Refused: for a name that is none, and for another name or text of one who may say nothing.
    """
    player = session.player
    name = UNSET if message.name is UNSET else fit_name(message.name, "name")
    status_text = UNSET if message.status_text is UNSET else fit_line(message.status_text, "status_text")
    says_something = name not in (UNSET, player.name) or status_text not in (UNSET, "", player.status_text)
    if says_something and session.place is not None:
        session.place.room.sanctions.require_voice(session.place.member)
    elif says_something and player.chat_muted:
        raise Refused(ErrorCode.CHAT_MUTED, "you are muted, and others would read this")
    if name is not UNSET:
        player.name = name
    if message.colour is not UNSET:
        player.colour = message.colour.lower()
    if message.status is not UNSET:
        player.status = message.status
    if status_text is not UNSET:
        player.status_text = status_text
    if session.place is not None:
        session.place.room.member_changed(session.place.member)


def cursor_binary(session: Session, payload: bytes) -> None:
    """A pointer's position; the newest of each member goes out, together at most every few milliseconds."""
    move = decode_cursor(payload)
    _move(session, move.x, move.y)


def cursor(session: Session, message: CursorPosition) -> None:
    """The same in JSON."""
    _move(session, message.x, message.y)


def _move(session: Session, x: int, y: int) -> None:
    room, member = session.require_place()
    if not member.announced:
        room.announce(member)
    room.cursors.move(member.slot, x, y)
