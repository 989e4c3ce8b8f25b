"""From a message to its handler: rate, rights, order, and the one place where a message's failure ends."""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from time import monotonic
from typing import Any, Final, NamedTuple

from rhythm_protocol.binary import OP_CONTROL
from rhythm_protocol.close import FLOODING
from rhythm_protocol.control import Envelope, decode_binary, decode_long_text, decode_text, parse_client
from rhythm_protocol.errors import ErrorCode, MalformedMessage, ProtocolError
from rhythm_protocol.messages import CLIENT_MESSAGES
from rhythmd.errors import Refused
from rhythmd.fairness.metering import TimeMeter, metered
from rhythmd.fairness.slots import PAYER
from rhythmd.fairness.turns import Turns
from rhythmd.hub.handlers.relief import is_relief
from rhythmd.hub.sessions.session import Place, Session, require_right
from rhythmd.hub.sessions.sessions import Sessions
from rhythmd.telemetry import Stats, hub_log

__all__ = ["Fast", "Handler", "Router"]

Handler = Callable[[Session, Any], object]
"""Gets the session and the message's struct. Returns what the `ack` shall carry (None: nothing), or a coroutine of it;
raises Refused or ProtocolError, which become an `error` for the sender."""

Fast = Callable[[Session, bytes], None]
"""Gets the session and the whole payload of a binary message. Raises as a Handler does."""

MAX_WAITING: Final = 100
SHORT: Final = 1_024
"""Bytes of a message that is read although it is over its client's rate, so that its refusal has its `id`."""
NOTES: Final = '"midi-event"'
ANSWER_BYTES: Final = 4_096
"""What is answered with more than this counts as several messages."""
DELIVERIES: Final = 50
"""What goes to more than so many counts as several messages."""


class Router:
    """Knows the handler of each message.

    Args:
        handlers: by message type, one for each row of `CLIENT_MESSAGES`.
        fast: by opcode, for the binary twins.
        sessions: of all clients.
        spawn: runs what has to wait beside the loop's other work.
        stats: counts deliveries.
        control_bytes: the longest control message but for notes.
        turns: for which work waits that is not done within the call that brought its message.

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
        stats: Stats,
        control_bytes: int,
        turns: Turns,
    ) -> None:
        self.handlers = dict(handlers)
        self.fast = {**fast, OP_CONTROL: self._control}
        self._sessions = sessions
        self._spawn = spawn
        self._stats = stats
        self._control_bytes = control_bytes
        self._turns = turns

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
        size = len(payload) if payload.isascii() else len(payload.encode())
        if size > SHORT and NOTES in payload and (size > self._control_bytes or session.bucket.is_over(monotonic())):
            self._long_notes(session, payload)
            return
        if not self._is_worth_reading(session, size):
            return
        try:
            envelope = decode_text(payload)
        except MalformedMessage as error:
            if _within_rate(session, error.id):
                _refuse(session, error, error.id)
        else:
            self._dispatch(session, envelope)

    def _control(self, session: Session, payload: bytes) -> None:
        if self._is_worth_reading(session, len(payload)):
            self._dispatch(session, decode_binary(payload))

    def _is_worth_reading(self, session: Session, size: int) -> bool:
        """Charge and refuse what is too long, and what is long and would be refused afterwards for its rate."""
        if size > self._control_bytes:
            if _within_rate(session, None):
                session.refuse(ErrorCode.TOO_LARGE, f"a control message has at most {self._control_bytes} bytes")
            return False
        return size <= SHORT or not session.bucket.is_over(monotonic()) or _within_rate(session, None)

    def _long_notes(self, session: Session, payload: str) -> None:
        """Handle what says that it is a long `midi-event`. As any other it is charged only if it is broken."""
        try:
            message, id_ = decode_long_text(payload)
            require_right(session, CLIENT_MESSAGES["midi-event"].right)
            self.handlers["midi-event"](session, message)
        except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
            if _within_rate(session, None):
                _refuse(session, error, None)
        else:
            if id_ is not None:
                session.answer("ack", {}, id_)

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
        work = self._begin(session, envelope)
        if work is not None:
            session.waiting = deque()
            self._spawn(self._work_off(session, work))

    def _begin(self, session: Session, envelope: Envelope) -> "_Work | None":
        """What is left to wait for. If that is nothing, the message is answered."""
        if envelope.id is not None:
            session.last_id = envelope.id
        meter = _Meter(session, self._stats)
        before = PAYER.set(meter.account)  # of tasks that the handler starts
        try:
            answer = self._call(session, envelope)
        except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
            _refuse(session, error, envelope.id)
            return None
        finally:
            PAYER.reset(before)
            if meter.account is not None:
                meter.account.was_costly()
        meter.charge_deliveries()
        if isinstance(answer, Coroutine):
            return _Work(_answer(session, envelope, answer), meter)
        _acknowledge(session, envelope, answer)
        return None

    def _call(self, session: Session, envelope: Envelope) -> object:
        """What the handler of a message that may be sent now returns."""
        message = parse_client(envelope)
        if not is_relief(message):
            _require_share(session)
        require_right(session, CLIENT_MESSAGES[envelope.type].right)
        return self.handlers[envelope.type](session, message)

    async def _work_off(self, session: Session, work: "_Work | None") -> None:
        """Wait for a handler; then handle what came meanwhile, in order, until the client is gone."""
        meter = TimeMeter(None if session.peer is None else session.peer.account)
        while work is not None:
            await metered(work.answer, work.meter, self._turns)
            work = None
            while work is None and session.waiting and session.key in self._sessions:
                work = await metered(self._next(session, session.waiting.popleft()), meter, self._turns)
        session.waiting = None
        session.settle()

    async def _next(self, session: Session, envelope: Envelope) -> "_Work | None":
        return self._begin(session, envelope)


class _Work(NamedTuple):
    """What is left of a message: it answers by itself. `meter` is told of its pieces."""

    answer: Coroutine[Any, Any, None]
    meter: "_Meter"


async def _answer(session: Session, envelope: Envelope, answer: Awaitable[object]) -> None:
    try:
        _acknowledge(session, envelope, await answer)
    except Exception as error:  # noqa: BLE001 - the one place where a message's failure ends
        _refuse(session, error, envelope.id)


def _unknown(_session: Session, payload: bytes) -> None:
    raise MalformedMessage(f"there is no message {payload[:1].hex() or 'of no bytes'}")


class _Meter:
    """Charges a session for what its message causes: deliveries, and the loop's time where it had to wait."""

    __slots__ = ("_began", "_place", "_sent", "_session", "_stats", "account")

    def __init__(self, session: Session, stats: Stats) -> None:
        self._session = session
        self.account = None if session.peer is None else session.peer.account
        self._stats = stats
        self.start()

    def start(self) -> None:
        self._began = monotonic()
        self._sent = self._stats.deliveries
        self._place: Place | None = self._session.place

    def stop(self) -> None:
        """The end of a piece between two waits."""
        self.charge_deliveries()
        if self.account is not None:
            self.account.charge_work(self._began, monotonic())

    def charge_deliveries(self) -> None:
        """Charge those since the start, to the room in which the session is now, or was before."""
        deliveries = self._stats.deliveries - self._sent
        session = self._session
        place = session.place or self._place
        if self.account is not None:
            self.account.charge_sends(self._began, deliveries)
        if place is not None and deliveries:
            place.room.budget.charge(session.player, deliveries, len(place.room.members), self._began)
        if deliveries > DELIVERIES:
            session.bucket.charge(deliveries / DELIVERIES)


def _acknowledge(session: Session, envelope: Envelope, answer: object) -> None:
    if envelope.id is None:
        return
    size = session.answer("ack", {} if answer is None else answer, envelope.id)
    if size > ANSWER_BYTES:
        session.bucket.charge(size / ANSWER_BYTES)


def _within_rate(session: Session, id_: int | None) -> bool:
    """Charge one message. A client over its rate is told, and closed if it goes on."""
    if session.bucket.take(monotonic()):
        return True
    if session.bucket.exhausted:
        session.close(FLOODING)
    elif id_ is not None or session.bucket.balance >= -1.0:  # the first of a row
        session.refuse(ErrorCode.RATE_LIMITED, "too many messages, slow down", id_=id_)
    return False


def _require_share(session: Session) -> None:
    """Raise Refused when the room is over its budget, and this member over their share of it."""
    if session.place is not None and session.place.room.budget.refuses(session.player, monotonic()):
        raise Refused(ErrorCode.RATE_LIMITED, "too much is said in this room, slow down")


def _refuse(session: Session, error: Exception, id_: int | None) -> None:
    if isinstance(error, ProtocolError | Refused):
        session.refuse(error.code, error.message, error.field, id_)
    else:
        hub_log.error("a handler failed for %s", session.player.id, exc_info=error)
        session.refuse(ErrorCode.INTERNAL_ERROR, "the server failed at this message", None, id_)
