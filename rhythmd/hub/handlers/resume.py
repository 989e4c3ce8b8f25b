"""Coming back: a client whose connection was lost goes on where it was."""

from collections.abc import Coroutine
from typing import Any

from rhythm_protocol.close import SLOW, TAKEN_OVER
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import JoinAck, Resume, ResumeAck
from rhythmd.errors import Refused
from rhythmd.hub.handlers.rooms import full_state
from rhythmd.hub.ports import Peer
from rhythmd.hub.sending.outbound import Message
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["resume"]


def resume(context: Context, session: Session, message: Resume) -> ResumeAck | Coroutine[Any, Any, ResumeAck]:
    """Give the socket of `session` to the session that the message names. Of two claims the newer wins.

    Raises:
        Refused: `session-not-found` for one that is over, unknown or another user's.
    """
    if context.stopping:
        raise Refused(ErrorCode.STOPPING, "the server is going down")
    claimed = _claimed(context, session, message.session)
    if claimed.waiting is not None:
        return _resume_later(context, session, message, claimed)
    return _take(context, session, message.received, claimed)


async def _resume_later(context: Context, session: Session, message: Resume, claimed: Session) -> ResumeAck:
    """Wait for what the client said before: all of it is answered before the ack says that the rest never came."""
    await claimed.idle()
    return _take(context, session, message.received, _claimed(context, session, message.session))


def _claimed(context: Context, session: Session, key: str) -> Session:
    claimed = context.sessions.get(key)
    if claimed is None or claimed is session or not _may_take(session, claimed):
        raise Refused(ErrorCode.SESSION_NOT_FOUND, "this session is over", "session")
    if session.room is not None:
        raise Refused(ErrorCode.ALREADY_IN_ROOM, "resume before you join a room")
    return claimed


def _may_take(session: Session, claimed: Session) -> bool:
    """An account's session needs a socket that proves the same account, a guest's its key alone."""
    if session.identity is None:
        return claimed.identity is None or claimed.identity.guest
    return claimed.profile.id == session.profile.id


def _take(context: Context, session: Session, received: int, claimed: Session) -> ResumeAck:
    peer = session.peer
    if peer is None:
        raise Refused(ErrorCode.CONNECTION_LOST, "the connection is gone")
    if claimed.peer is not None:
        claimed.peer.close(TAKEN_OVER)
    context.away.discard(claimed)
    del context.sessions[session.key]
    _renew(context, session, claimed)
    claimed.profile.address = peer.address
    claimed.held_since = session.held_since
    claimed.bind(peer)
    peer.hand_to(claimed)
    missed = _missed(context, claimed, received)
    if missed is None:
        claimed.log.restart()
    # After the ack, which is written when this returns.
    context.pacer.soon(lambda: _go_on(claimed, peer, 0 if missed is None else received))
    return ResumeAck(
        user=claimed.profile.as_user() if claimed.member is None else claimed.member.as_user(),
        session=claimed.key,
        recovered=missed is not None,
        missed=len(missed or ()),
        last_id=claimed.last_id,
        join=_join(claimed) if missed is None else None,
    )


def _renew(context: Context, session: Session, claimed: Session) -> None:
    """What is known of the account now counts, not what was known when it was lost."""
    if session.identity is None:
        return
    claimed.identity = session.identity
    claimed.profile.roles = session.profile.roles
    claimed.profile.muted_until = session.profile.muted_until
    if claimed.room is not None:
        context.continuity.login_changed(claimed.key, claimed.identity)


def _missed(context: Context, claimed: Session, received: int) -> list[Message] | None:
    """What the client did not get; None when that is not here any more, or too much to write in one go."""
    missed = claimed.log.after(received) if claimed.log.is_agreed else None
    if missed is None:
        return None
    size = sum(len(message.frame(claimed.encoding)) for message in missed)
    return missed if size <= context.config.limits.write_buffer_bytes // 2 else None


def _join(claimed: Session) -> JoinAck | None:
    if claimed.room is None or claimed.member is None:
        return None
    return full_state(claimed.room, claimed.member)


def _go_on(claimed: Session, peer: Peer[Session], received: int) -> None:
    """Write what was missed, then what sounds, then all that comes."""
    if claimed.peer is not peer:  # lost again, or taken over
        return
    missed = claimed.log.after(received)
    if missed is None:  # so much was said meanwhile
        peer.close(SLOW)
        return
    claimed.speak()
    for message in missed:
        claimed.write(message.frame(claimed.encoding))
    room, member = claimed.room, claimed.member
    if room is not None and member is not None:
        room.set_reconnecting(member, reconnecting=False)
        if not claimed.is_held:
            room.fanout.resume(member)
