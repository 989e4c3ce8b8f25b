"""Coming back: a client whose connection was lost goes on where it was."""

from collections.abc import Coroutine
from time import monotonic
from typing import Any

from rhythm_protocol.close import SLOW, TAKEN_OVER
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import JoinAck, Resume, ResumeAck
from rhythmd.errors import Refused
from rhythmd.hub.handlers.rooms import full_state
from rhythmd.hub.ports import Peer
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.hub.sessions.session import Session
from rhythmd.hub.sessions.sessions import Sessions

__all__ = ["Resuming"]


class Resuming:
    """Gives sockets to earlier sessions.

    Args:
        sessions: of all clients.
        pacer: of the loop.
        most_bytes: of missed messages that may be written in one go.
    """

    def __init__(self, sessions: Sessions, pacer: Pacer, most_bytes: int) -> None:
        self._sessions = sessions
        self._pacer = pacer
        self._most_bytes = most_bytes

    def resume(self, session: Session, message: Resume) -> ResumeAck | Coroutine[Any, Any, ResumeAck]:
        """Give the socket of `session` to the session that the message names. Of two claims the newer wins.

        Raises:
            Refused: `session-not-found` for one that is over, unknown or another user's; `login-expired` or
                `login-invalid` when its user came without a good login.
        """
        self._sessions.require_running()
        claimed = self._claimed(session, message.session)
        if claimed.waiting is not None:
            return self._resume_later(session, message, claimed)
        return self._take(session, message.received, claimed)

    async def _resume_later(self, session: Session, message: Resume, claimed: Session) -> ResumeAck:
        """Wait for what the client said before: all of it is answered before the ack says that the rest never came."""
        await claimed.idle()
        return self._take(session, message.received, self._claimed(session, message.session))

    def _claimed(self, session: Session, key: str) -> Session:
        claimed = self._sessions.get(key)
        if claimed is None or claimed is session or not _may_take(session, claimed):
            if claimed is not None and session.login_error is not None:
                raise Refused(session.login_error, "log in again, then resume this session")
            raise Refused(ErrorCode.SESSION_NOT_FOUND, "this session is over", "session")
        if session.place is not None:
            raise Refused(ErrorCode.ALREADY_IN_ROOM, "resume before you join a room")
        return claimed

    def _take(self, session: Session, received: int, claimed: Session) -> ResumeAck:
        """Move the socket over. The older session takes the newer one's place, with what is known of the account now.

        The ack is still written by `session`: it begins the count anew, and must not be in the log that it speaks of.
        """
        peer = session.peer
        if peer is None:
            raise Refused(ErrorCode.CONNECTION_LOST, "the connection is gone")
        # First the old socket, if it is still open: it must not be read or written any more when the new one is.
        # Closing it makes the session away, so that there is one way back, whether the loss was noticed or not.
        claimed.close(TAKEN_OVER)
        self._sessions.away.discard(claimed)
        self._sessions.forget(session)
        _renew(session, claimed)
        claimed.player.address = peer.address
        claimed.player.browser = session.player.browser or claimed.player.browser
        claimed.resume(peer, is_slow=session.delivery.is_slow)
        # From here on what the client says is said by the old session, and counted in its quota and rate.
        peer.hand_to(claimed)
        missed = claimed.delivery.missed(received, self._most_bytes)
        if missed is None:
            # The client gets the room as it is; to go on counting would make both sides disagree about what that was.
            claimed.delivery.log.restart()
            if claimed.place is not None:
                claimed.place.room.fanout.renew(claimed.delivery)
        # After the ack, which is written when this returns.
        self._pacer.in_turn(lambda: _go_on(claimed, peer, 0 if missed is None else received))
        return ResumeAck(
            user=claimed.player.as_user() if claimed.place is None else claimed.place.member.as_user(),
            session=claimed.key,
            recovered=missed is not None,
            missed=missed or 0,
            last_id=claimed.last_id,
            join=_join(claimed) if missed is None else None,
        )


def _may_take(session: Session, claimed: Session) -> bool:
    """An account's session needs a socket that proves the same account, a guest's its key alone."""
    if session.identity is None:
        return claimed.identity is None or claimed.identity.guest
    return claimed.player.id == session.player.id


def _renew(session: Session, claimed: Session) -> None:
    """What is known of the account now counts, not what was known when it was lost."""
    claimed.player.traced = session.player.traced or claimed.player.traced
    if session.identity is None:  # a guest, who proved to be one before or is known by the session's key alone
        claimed.identity = None
        return
    claimed.identity = session.identity
    claimed.player.roles = session.player.roles
    claimed.player.muted_until = session.player.muted_until
    if claimed.place is not None:
        claimed.place.room.keeper.seat_taken(claimed.place.member)


def _join(claimed: Session) -> JoinAck | None:
    return None if claimed.place is None else full_state(*claimed.place)


def _go_on(claimed: Session, peer: Peer[Session], received: int) -> None:
    """Write what was missed, then what sounds, then all that comes."""
    if claimed.peer is not peer:  # lost again, or taken over
        return
    began = monotonic()
    size = claimed.delivery.bring_up_to_date(received)
    if size is None:  # so much was said meanwhile
        peer.close(SLOW)
        return
    if claimed.place is not None:
        claimed.place.room.set_reconnecting(claimed.place.member, reconnecting=False)
    peer.account.charge_work(began, monotonic())
    peer.account.charge_answer(began, size)
