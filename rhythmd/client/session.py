"""A session with the server that outlives its connections: PROTOCOL.md, "Resuming".

A task of its own reads what comes. When the connection is lost it comes back by the table of close codes and resumes:
what was missed is received in order, what was asked and not answered is asked again.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from random import SystemRandom
from typing import Any, Final, NamedTuple

import msgspec

from rhythm_protocol.binary import MidiBlock, encode_midi
from rhythm_protocol.close import ABNORMAL, NORMAL, PROTOCOL_ERROR, RESTARTING, SILENT, SLOW, Close
from rhythm_protocol.errors import ProtocolError
from rhythm_protocol.messages import SERVER_MESSAGES, Limits, Message, ResumeAck, Stopping
from rhythm_protocol.midi import MidiEvent
from rhythm_protocol.resume import SessionCounter
from rhythmd.client.clock import ServerClock
from rhythmd.client.codec import Envelope, encode_binary, parse_server
from rhythmd.client.connection import Connection, connect_to, socket_url
from rhythmd.client.errors import ConnectionEnded, RequestRefused, SessionLost, Unreachable
from rhythmd.client.requests import Requests

__all__ = ["Backoff", "Interrupted", "Received", "Session", "open_session"]

RESUMABLE: Final = frozenset({ABNORMAL, SILENT, SLOW, RESTARTING})
PATIENCE_S: Final = 10.0
LONGEST_WAIT_S: Final = 60.0


class Backoff:
    """Waits that double with each try in a row, random, so that a room's listeners do not all return at once."""

    def __init__(self) -> None:
        self._tries = 0
        self._random = SystemRandom()

    def reset(self) -> None:
        """A connection came about: the next wait is a first one again."""
        self._tries = 0

    def next_wait(self, rule: Close) -> float | None:
        """Seconds to wait before the next try, or None: do not come back."""
        if rule.reconnect_after is None:
            return None
        low, high = (min(bound * 2**self._tries, LONGEST_WAIT_S) for bound in rule.reconnect_after)
        self._tries += 1
        return self._random.uniform(low, high)


class Interrupted(NamedTuple):
    """There is no connection; the session tries to come back in `wait_s` seconds."""

    trouble: ConnectionEnded | Unreachable
    wait_s: float


Received = list[MidiBlock] | Message | Interrupted
"""Music; a control message; the loss of the connection, until a ResumeAck ends it."""


@asynccontextmanager
async def open_session(url: str, *, bot: bool = False) -> AsyncIterator["Session"]:
    """A session that has been welcomed and knows the server's clock. At its end the server gives up our seat at once.

    Raises:
        Unreachable: nothing there speaks `rhythm.v1`.
        ConnectionEnded: the server closed the connection at once.
    """
    session = Session(socket_url(url, bot=bot))
    try:
        await session.start()
        yield session
    finally:
        await session.close()


class Session:
    """A session that outlives its connections. Only one task may receive; any may ask and play.

    Attributes:
        clock: the server's; another object after a restart that set it to another zero.
        limits: what the server takes.
        live: whether the server hears us at this moment.
        resumes: how often the session was resumed.
        refusals: how often the server sent an error to something that wanted no answer (notes), by code.
    """

    clock: ServerClock
    limits: Limits

    def __init__(self, address: str) -> None:
        self.live = False
        self.resumes = 0
        self.refusals: Counter[str] = Counter()
        self._address = address
        self._counter = SessionCounter()
        self._complete_at = 0  # the count at which all that was missed has come
        self._requests = Requests()
        self._back_in_s: float | None = None
        self._inbox: asyncio.Queue[Received | BaseException] = asyncio.Queue()
        self._connection: Connection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._over: BaseException | None = None

    async def start(self) -> None:
        """Connect and begin to read. Raises like `open_session`."""
        connection = await self._connect()
        await connection.keep_time(None)
        self.clock = connection.clock
        self.live = True
        self._reader = asyncio.create_task(self._read(connection))
        self._reader.add_done_callback(self._end)

    async def close(self) -> None:
        """Leave for good."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        if self._connection is not None:
            await self._connection.close()

    # Out

    async def play(self, base_ms: int, events: list[MidiEvent]) -> bool:
        """Send notes; `base_ms` is on the server's clock. False: there is no connection, they are dropped."""
        return await self._send(encode_midi(base_ms, events))

    async def tell(self, type_: str, data: Message | Mapping[str, object]) -> bool:
        """Send a control message that wants no answer. False: there is no connection, it is dropped."""
        return await self._send(encode_binary(type_, data))

    async def ask(self, type_: str, data: Message | Mapping[str, object]) -> dict[str, Any]:
        """Send a control message, again after a resume if need be, so that it is done once; what is in its ack.

        Raises:
            RequestRefused: an error came instead.
            SessionLost: what the server answered is lost; it may have been done.
            ConnectionEnded: the connection is lost for good.
        """
        if self._over is not None:
            raise self._over
        request = self._requests.add(type_, data)
        try:
            async with asyncio.timeout(PATIENCE_S + self.limits.resume_s):
                await self._send_requests()
                answer = await request.answer
        except TimeoutError:
            raise ConnectionEnded(ABNORMAL, f"no answer to {type_}") from None
        finally:
            self._requests.give_up(request)
        return _data(type_, answer)

    async def _send_requests(self) -> None:
        """Ask this connection what it was not asked yet, in order."""
        while self.live and (request := self._requests.unsent()) is not None:
            request.sent = request.risked = True
            await self._send(request.payload)

    async def _send(self, payload: bytes) -> bool:
        if not self.live or self._connection is None:
            return False
        try:
            await self._connection.send(payload)
        except ConnectionEnded:
            return False  # the reader sees it too, and what is to be done
        return True

    # In

    async def receive(self) -> Received:
        """The next thing that comes. This can be cancelled without losing anything. Raises ConnectionEnded."""
        received = await self._inbox.get()
        if isinstance(received, BaseException):
            self._inbox.put_nowait(received)
            raise received
        return received

    async def _read(self, connection: Connection) -> None:
        """Take in what comes, on one connection after the other, until an error ends it."""
        while True:
            try:
                await self._read_from(connection)
            except ConnectionEnded as end:
                connection = await self._come_back(end)

    async def _read_from(self, connection: Connection) -> None:
        while True:
            await self._be_heard()
            received = await connection.read()
            if isinstance(received, Envelope):
                self._take(received)
            else:
                self._inbox.put_nowait(received)

    async def _be_heard(self) -> None:
        """Go on sending as soon as everything that was missed has come: what is open then was not received."""
        if not self.live and self._counter.received >= self._complete_at:
            self.live = True
            await self._send_requests()

    def _take(self, envelope: Envelope) -> None:
        """Raises ConnectionEnded."""
        self._counter.heard(envelope.type)
        if envelope.id is not None:
            self._requests.settle(envelope.id, envelope)
        elif envelope.type == "error":
            self.refusals[str(envelope.data.get("code"))] += 1
        elif envelope.type in SERVER_MESSAGES:
            self._take_message(_message(envelope))

    def _take_message(self, message: Message) -> None:
        if isinstance(message, Stopping):
            self._back_in_s = message.reconnect_after_ms / 1_000
        self._inbox.put_nowait(message)

    # Coming back

    async def _come_back(self, end: ConnectionEnded) -> Connection:
        """Resume the session on a new connection.

        Raises:
            SessionLost: the server does not know it any more.
            ConnectionEnded: `end`, which does not let us come back, or for too long nobody was there.
        """
        self.live = False
        self._requests.interrupt()
        if end.rule not in RESUMABLE:
            raise end
        trouble: ConnectionEnded | Unreachable = end
        backoff, give_up_at = Backoff(), _now_s() + self.limits.resume_s
        while _now_s() < give_up_at and (wait_s := self._wait_s(backoff, trouble)) is not None:
            self._inbox.put_nowait(Interrupted(trouble, wait_s))
            await asyncio.sleep(wait_s)
            try:
                return await self._resume()
            except RequestRefused as refused:
                raise SessionLost(end.rule, str(refused)) from None
            except (ConnectionEnded, Unreachable) as error:
                trouble = error
        raise end

    def _wait_s(self, backoff: Backoff, trouble: ConnectionEnded | Unreachable) -> float | None:
        """As the server said, or else as the close table says. None: do not come back."""
        told_s, self._back_in_s = self._back_in_s, None
        return backoff.next_wait(trouble.rule) if told_s is None else told_s

    async def _connect(self) -> Connection:
        if self._connection is not None:
            self._connection.abort()
        self._connection = await connect_to(self._address)
        self.limits = self._connection.welcome.limits
        self._counter.welcomed(self._connection.welcome.session)
        return self._connection

    async def _resume(self) -> Connection:
        """One try. Raises Unreachable, ConnectionEnded, or RequestRefused: the session is over."""
        connection = await self._connect()
        try:
            async with asyncio.timeout(PATIENCE_S):
                ack = await self._ask_to_resume(connection)
                await connection.keep_time(self.clock)
        except TimeoutError:
            raise ConnectionEnded(ABNORMAL, "no answer to resume") from None
        self.clock = connection.clock
        self.resumes += 1
        self._counter.resumed(ack)
        self._complete_at = self._counter.received + ack.missed
        if not ack.recovered:
            self._complete_at = 0
            self._requests.fail_risked(ack.last_id, SessionLost(RESTARTING, "the server's answers are lost"))
        self._inbox.put_nowait(ack)
        return connection

    async def _ask_to_resume(self, connection: Connection) -> ResumeAck:
        id_ = self._requests.next_id()
        await connection.send(encode_binary("resume", self._counter.resume, id_))
        while not (isinstance(answer := await connection.read(), Envelope) and answer.id == id_):
            pass  # what is not of the session that is resumed
        try:
            return msgspec.convert(_data("resume", answer), ResumeAck)
        except RequestRefused as refused:
            if refused.rule.reconnect:
                raise ConnectionEnded(refused.rule, str(refused)) from None
            raise

    def _end(self, reader: asyncio.Task[None]) -> None:
        """Nothing will come any more."""
        self.live = False
        error = None if reader.cancelled() else reader.exception()
        self._over = error or ConnectionEnded(NORMAL)
        self._requests.fail(self._over)
        self._inbox.put_nowait(self._over)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _data(type_: str, answer: Envelope) -> dict[str, Any]:
    """The data of an ack. Raises RequestRefused for an error."""
    if answer.type == "error":
        raise RequestRefused(type_, str(answer.data.get("code")), str(answer.data.get("message")))
    return answer.data


def _message(envelope: Envelope) -> Message:
    """Raises ConnectionEnded."""
    try:
        message: Message = parse_server(envelope)
    except ProtocolError as error:
        raise ConnectionEnded(PROTOCOL_ERROR, f"the server sent what is no message: {error}") from None
    return message
