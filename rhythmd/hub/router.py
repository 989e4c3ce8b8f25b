"""From a message to its handler: one table of opcodes, one of message types."""

from collections import deque
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Final

from rhythm_protocol.binary import OP_CLOCK, OP_CONTROL, OP_CURSOR, OP_MIDI
from rhythm_protocol.close import FLOODING
from rhythm_protocol.control import Envelope, decode_binary, decode_text, parse_client
from rhythm_protocol.errors import ErrorCode, MalformedMessage, ProtocolError
from rhythmd.errors import Refused
from rhythmd.hub.handlers import chat, clock, cursor, midi, moderation, recording, resume, rooms, timing, users
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session
from rhythmd.telemetry import hub_log

__all__ = ["CONTROL", "FAST", "route_binary", "route_text"]

Control = Callable[[Context, Session, Any], object]
Fast = Callable[[Context, Session, bytes], None]


def route_binary(context: Context, session: Session, payload: bytes) -> None:
    """Handle one binary message. On the hot path. Never raises."""
    try:
        FAST.get(payload[0] if payload else -1, _unknown)(context, session, payload)
    except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
        if _within_rate(context, session, None):
            _refuse(context, session, error, None)


def route_text(context: Context, session: Session, payload: str) -> None:
    """Handle one text message. Never raises."""
    try:
        envelope = decode_text(payload)
    except ProtocolError as error:
        if _within_rate(context, session, None):
            _refuse(context, session, error, None)
    else:
        _dispatch(context, session, envelope)


def _unknown(_context: Context, _session: Session, payload: bytes) -> None:
    raise MalformedMessage(f"there is no message {payload[:1].hex() or 'of no bytes'}")


def _control(context: Context, session: Session, payload: bytes) -> None:
    _dispatch(context, session, decode_binary(payload))


def _dispatch(context: Context, session: Session, envelope: Envelope) -> None:
    """Handle a control message, after those of the same session that are still waiting for the store."""
    if envelope.type in IMMEDIATE:
        _handle_now(context, session, envelope)
    elif _within_rate(context, session, envelope.id):
        if session.waiting is None:
            _handle(context, session, envelope)
        elif len(session.waiting) < MAX_WAITING:
            session.waiting.append(envelope)
        else:
            context.refuse(session, ErrorCode.RATE_LIMITED, "too many messages are waiting", id_=envelope.id)


def _handle_now(context: Context, session: Session, envelope: Envelope) -> None:
    """Handle what waits for nothing. Only a broken one is charged.

    Notes are bounded by their quota: a rate that dropped note-offs would leave notes hanging.
    """
    try:
        answer = CONTROL[envelope.type](context, session, parse_client(envelope))
    except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
        if _within_rate(context, session, envelope.id):
            _refuse(context, session, error, envelope.id)
    else:
        _acknowledge(session, envelope, answer)


def _handle(context: Context, session: Session, envelope: Envelope) -> None:
    """Run the message's handler; answer with an `ack` if it asked for one."""
    if envelope.id is not None:
        session.last_id = envelope.id
    try:
        message = parse_client(envelope)
        answer = CONTROL[envelope.type](context, session, message)
    except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
        _refuse(context, session, error, envelope.id)
    else:
        if isinstance(answer, Coroutine):
            session.waiting = deque()
            context.spawn(_finish(context, session, envelope, answer))
        else:
            _acknowledge(session, envelope, answer)


async def _finish(context: Context, session: Session, envelope: Envelope, answer: Coroutine[Any, Any, object]) -> None:
    """Wait for a handler, answer, then handle what came meanwhile, in order."""
    try:
        _acknowledge(session, envelope, await answer)
    except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
        _refuse(context, session, error, envelope.id)
    queued = session.waiting or deque()
    session.waiting = None
    _go_on(context, session, queued)
    if session.waiting is None:
        session.settle()


def _go_on(context: Context, session: Session, queued: deque[Envelope]) -> None:
    """Handle what came while a handler waited, until one waits again or the client is gone."""
    while queued and session.key in context.sessions:
        if session.waiting is not None:
            session.waiting.extend(queued)
            return
        _handle(context, session, queued.popleft())


def _acknowledge(session: Session, envelope: Envelope, answer: object) -> None:
    if envelope.id is not None:
        session.send("ack", {} if answer is None else answer, envelope.id)


def _within_rate(context: Context, session: Session, id_: int | None) -> bool:
    """Charge one message. A client over its rate is told, and closed if it goes on."""
    if session.bucket.take(monotonic()):
        return True
    if session.bucket.exhausted:
        context.close(session, FLOODING)
    elif id_ is not None or session.bucket.balance >= -1.0:  # the first of a row
        context.refuse(session, ErrorCode.RATE_LIMITED, "too many messages, slow down", id_=id_)
    return False


def _refuse(context: Context, session: Session, error: Exception, id_: int | None) -> None:
    if isinstance(error, ProtocolError | Refused):
        context.refuse(session, error.code, error.message, error.field, id_)
    else:
        hub_log.error("a handler failed for %s", session.profile.id, exc_info=error)
        context.refuse(session, ErrorCode.INTERNAL_ERROR, "the server failed at this message", None, id_)


IMMEDIATE: Final = frozenset({"midi-event", "clock", "cursor"})
MAX_WAITING: Final = 100

FAST: Final[dict[int, Fast]] = {
    OP_MIDI: midi.play,
    OP_CLOCK: clock.clock,
    OP_CURSOR: cursor.cursor,
    OP_CONTROL: _control,
}

CONTROL: Final[dict[str, Control]] = {
    "authenticate": users.authenticate,
    "resume": resume.resume,
    "join-room": rooms.join_room,
    "leave-room": rooms.leave_room,
    "room-update": rooms.room_update,
    "transfer-owner": rooms.transfer_owner,
    "chat-message": chat.chat_message,
    "typing": chat.typing,
    "user-update": users.user_update,
    "kick": moderation.kick,
    "ban": moderation.ban,
    "unban": moderation.unban,
    "mute": moderation.mute,
    "clear-chat": moderation.clear_chat,
    "record": recording.record,
    "record-last": recording.record_last,
    "midi-event": midi.midi_event,
    "clock": clock.clock_message,
    "cursor": cursor.cursor_message,
    "timing": timing.timing,
    "metronome": timing.metronome,
}
