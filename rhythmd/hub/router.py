"""From a message to its handler: rate, rights, order, and the one place where a message's failure ends."""

from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from time import monotonic
from typing import Any, Final

from rhythm_protocol.binary import OP_CONTROL
from rhythm_protocol.close import FLOODING
from rhythm_protocol.control import Envelope, decode_binary, decode_text, parse_client
from rhythm_protocol.errors import ErrorCode, MalformedMessage, ProtocolError
from rhythm_protocol.messages import CLIENT_MESSAGES
from rhythmd.errors import Refused
from rhythmd.hub.sessions.session import Session, require_right
from rhythmd.hub.sessions.sessions import Sessions
from rhythmd.telemetry import hub_log

__all__ = ["Fast", "Handler", "Router"]

Handler = Callable[[Session, Any], object]
"""Gets the session and the message's struct. Returns what the `ack` shall carry (None: nothing), or a coroutine of it;
raises Refused or ProtocolError, which become an `error` for the sender."""

Fast = Callable[[Session, bytes], None]
"""Gets the session and the whole payload of a binary message. Raises as a Handler does."""

MAX_WAITING: Final = 100


class Router:
    """Knows the handler of each message.

    Args:
        handlers: by message type, one for each row of `CLIENT_MESSAGES`.
        fast: by opcode, for the binary twins.
        sessions: of all clients.
        spawn: runs what has to wait beside the loop's other work.

    Attributes:
        handlers: by message type.
        fast: by opcode.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        fast: Mapping[int, Fast],
        sessions: Sessions,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self.handlers = dict(handlers)
        self.fast = {**fast, OP_CONTROL: self._control}
        self._sessions = sessions
        self._spawn = spawn

    def route_binary(self, session: Session, payload: bytes) -> None:
        """Handle one binary message. On the hot path. Never raises."""
        try:
            self.fast.get(payload[0] if payload else -1, _unknown)(session, payload)
        except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
            id_ = error.id if isinstance(error, MalformedMessage) else None
            if _within_rate(session, id_):
                _refuse(session, error, id_)

    def route_text(self, session: Session, payload: str) -> None:
        """Handle one text message. Never raises."""
        try:
            envelope = decode_text(payload)
        except MalformedMessage as error:
            if _within_rate(session, error.id):
                _refuse(session, error, error.id)
        else:
            self._dispatch(session, envelope)

    def _control(self, session: Session, payload: bytes) -> None:
        self._dispatch(session, decode_binary(payload))

    def _dispatch(self, session: Session, envelope: Envelope) -> None:
        """Handle a control message, after those of the same session that are still waiting for the store."""
        row = CLIENT_MESSAGES.get(envelope.type)
        if row is not None and not row.is_rated:
            self._handle_now(session, envelope)
        elif _within_rate(session, envelope.id):
            if session.waiting is None:
                self._handle(session, envelope)
            elif len(session.waiting) < MAX_WAITING:
                session.waiting.append(envelope)
            else:
                session.refuse(ErrorCode.RATE_LIMITED, "too many messages are waiting", id_=envelope.id)

    def _handle_now(self, session: Session, envelope: Envelope) -> None:
        """Handle what is not rated: it waits for nothing, and only a broken one is charged."""
        try:
            answer = self._call(session, envelope)
        except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
            if _within_rate(session, envelope.id):
                _refuse(session, error, envelope.id)
        else:
            _acknowledge(session, envelope, answer)

    def _handle(self, session: Session, envelope: Envelope) -> None:
        """Run the message's handler; answer with an `ack` if it asked for one."""
        if envelope.id is not None:
            session.last_id = envelope.id
        try:
            answer = self._call(session, envelope)
        except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
            _refuse(session, error, envelope.id)
        else:
            if isinstance(answer, Coroutine):
                session.waiting = deque()
                self._spawn(self._finish(session, envelope, answer))
            else:
                _acknowledge(session, envelope, answer)

    def _call(self, session: Session, envelope: Envelope) -> object:
        """What the handler of a message that may be sent now returns."""
        message = parse_client(envelope)
        require_right(session, CLIENT_MESSAGES[envelope.type].right)
        return self.handlers[envelope.type](session, message)

    async def _finish(self, session: Session, envelope: Envelope, answer: Coroutine[Any, Any, object]) -> None:
        """Wait for a handler, answer, then handle what came meanwhile, in order."""
        try:
            _acknowledge(session, envelope, await answer)
        except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
            _refuse(session, error, envelope.id)
        queued = session.waiting or deque()
        session.waiting = None
        self._go_on(session, queued)
        if session.waiting is None:
            session.settle()

    def _go_on(self, session: Session, queued: deque[Envelope]) -> None:
        """Handle what came while a handler waited, until one waits again or the client is gone."""
        while queued and session.key in self._sessions:
            if session.waiting is not None:
                session.waiting.extend(queued)
                return
            self._handle(session, queued.popleft())


def _unknown(_session: Session, payload: bytes) -> None:
    raise MalformedMessage(f"there is no message {payload[:1].hex() or 'of no bytes'}")


def _acknowledge(session: Session, envelope: Envelope, answer: object) -> None:
    if envelope.id is not None:
        session.send("ack", {} if answer is None else answer, envelope.id)


def _within_rate(session: Session, id_: int | None) -> bool:
    """Charge one message. A client over its rate is told, and closed if it goes on."""
    if session.bucket.take(monotonic()):
        return True
    if session.bucket.exhausted:
        session.close(FLOODING)
    elif id_ is not None or session.bucket.balance >= -1.0:  # the first of a row
        session.refuse(ErrorCode.RATE_LIMITED, "too many messages, slow down", id_=id_)
    return False


def _refuse(session: Session, error: Exception, id_: int | None) -> None:
    if isinstance(error, ProtocolError | Refused):
        session.refuse(error.code, error.message, error.field, id_)
    else:
        hub_log.error("a handler failed for %s", session.player.id, exc_info=error)
        session.refuse(ErrorCode.INTERNAL_ERROR, "the server failed at this message", None, id_)
