"""A connection that speaks `rhythm.v1`: messages out, messages in, and the server's clock."""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from time import monotonic_ns
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from rhythm_protocol.binary import (
    OP_CLOCK,
    OP_CONTROL,
    OP_MIDI,
    ClockReply,
    MidiBlock,
    decode_clock_reply,
    decode_midi_blocks,
    encode_clock_request,
    encode_midi,
)
from rhythm_protocol.clock import ClockEstimate, ClockEstimator, ClockExchange
from rhythm_protocol.close import ABNORMAL, PROTOCOL_ERROR, close_rule
from rhythm_protocol.control import SUBPROTOCOL_BINARY, Envelope, decode_binary, encode_binary, parse_server
from rhythm_protocol.errors import ErrorCode, MalformedMessage, ProtocolError
from rhythm_protocol.messages import Message, RoomLeft
from rhythm_protocol.midi import MidiEvent
from rhythmd.client.errors import ConnectionEnded, RemovedFromRoom, RequestRefused, Unreachable

__all__ = ["Connection", "Received", "local_us", "open_connection", "socket_url"]

Received = list[MidiBlock] | Message
"""What comes in: music, or a control message of the types in `rhythm_protocol.messages`."""

FIRST_EXCHANGES: Final = 8
CLOCK_INTERVAL_S: Final = 3.0
PATIENCE_S: Final = 10.0
CLOSE_S: Final = 2.0
MAX_MESSAGE_BYTES: Final = 16 * 2**20  # the members of a big concert come in one message

_DECODERS: Final[dict[int, Callable[[bytes], list[MidiBlock] | Envelope | ClockReply]]] = {
    OP_MIDI: decode_midi_blocks,
    OP_CLOCK: decode_clock_reply,
    OP_CONTROL: decode_binary,
}
_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


def local_us() -> int:
    """This computer's clock, which only goes forward, in microseconds."""
    return monotonic_ns() // 1_000


def socket_url(url: str, *, bot: bool = False) -> str:
    """The WebSocket's address: `/ws` unless `url` has a path; `http` means `ws`. Raises Unreachable."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise Unreachable(f"{url} is no address like ws://127.0.0.1:8080")
    path = parts.path if parts.path not in ("", "/") else "/ws"
    query = urlencode([*parse_qsl(parts.query), ("bot", "1")]) if bot else parts.query
    return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, query, ""))


@asynccontextmanager
async def open_connection(url: str, *, bot: bool = False) -> AsyncIterator["Connection"]:
    """A connection that has been welcomed and knows the server's clock.

    Raises:
        Unreachable: nothing there speaks `rhythm.v1`.
        ConnectionEnded: the server closed it at once.
    """
    address = socket_url(url, bot=bot)
    socket = await _connect(address)
    async with socket:
        connection = Connection(socket)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await connection.start()
        except TimeoutError:
            raise Unreachable(f"{address} accepts connections, but does not answer") from None
        clock = asyncio.create_task(connection.keep_time())
        try:
            yield connection
        finally:
            clock.cancel()


async def _connect(address: str) -> ClientConnection:
    try:
        socket = await connect(
            address, subprotocols=[Subprotocol(SUBPROTOCOL_BINARY)], compression=None, max_size=MAX_MESSAGE_BYTES,
            open_timeout=PATIENCE_S, close_timeout=CLOSE_S, proxy=None if _is_this_machine(address) else True,
        )  # fmt: skip
    except (OSError, WebSocketException) as error:
        raise Unreachable(f"cannot connect to {address}: {error}") from None
    if socket.subprotocol != SUBPROTOCOL_BINARY:
        await socket.close()
        raise Unreachable(f"{address} does not speak {SUBPROTOCOL_BINARY}")
    return socket


def _is_this_machine(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Connection:
    """One socket. Only one task may receive or ask at a time; sending is free.

    Attributes:
        clock: what is known of the server's clock.
        refusals: how often the server sent an error to something that wanted no answer (notes), by code.
    """

    clock: ClockEstimate

    def __init__(self, socket: ClientConnection) -> None:
        self.refusals: Counter[str] = Counter()
        self._socket = socket
        self._estimator = ClockEstimator()
        self._last_id = 0

    async def start(self) -> None:
        """Be welcomed and learn the server's clock."""
        await self._read()
        for _ in range(FIRST_EXCHANGES):
            await self._ask_time()
            while not isinstance(await self._read(), ClockReply):
                pass

    async def keep_time(self) -> None:
        """Ask for the time every few seconds, until the connection ends."""
        with suppress(ConnectionEnded):
            while True:
                await asyncio.sleep(CLOCK_INTERVAL_S)
                await self._ask_time()

    def server_ms(self) -> int:
        """The server's clock now, in milliseconds, not wrapped."""
        return round(self.clock.server_us(local_us()) / 1_000)

    async def play(self, base_ms: int, events: list[MidiEvent]) -> None:
        """Send notes. `base_ms` is on the server's clock."""
        await self._send(encode_midi(base_ms, events))

    async def ask(self, type_: str, data: Message | Mapping[str, object]) -> dict[str, Any]:
        """Send a control message and wait for its ack; what else comes before it is dropped.

        Raises:
            RequestRefused: an error came instead.
            ConnectionEnded: nothing came any more.
        """
        self._last_id += 1
        await self._send(encode_binary(type_, data, self._last_id))
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await self._answer(self._last_id)
        except TimeoutError:
            raise ConnectionEnded(ABNORMAL, f"no answer to {type_}") from None
        if answer.type == "error":
            raise RequestRefused(type_, str(answer.data.get("code")), str(answer.data.get("message")))
        return answer.data

    async def receive(self) -> Received:
        """The next message of interest. It can be cancelled without losing one.

        Raises:
            RemovedFromRoom: the owner kicked or banned us.
            ConnectionEnded: the server closed the connection, or it broke.
        """
        while True:
            received = await self._read()
            if isinstance(received, list):
                return received
            message = _typed(received) if isinstance(received, Envelope) else None
            if isinstance(message, RoomLeft):
                raise RemovedFromRoom(message)
            if message is not None:
                return message

    async def _answer(self, id_: int) -> Envelope:
        while True:
            received = await self._read()
            if isinstance(received, Envelope) and received.id == id_:
                return received

    async def _read(self) -> list[MidiBlock] | Envelope | ClockReply | None:
        """The next message, taken note of where this class keeps account; None for kinds without use here."""
        try:
            payload = await self._socket.recv(decode=False)
            arrived_us = local_us()
            received = _decode(payload)
        except ConnectionClosed as error:
            raise _ended(error) from None
        except ProtocolError as error:
            raise ConnectionEnded(PROTOCOL_ERROR, f"the server sent what is no message: {error}") from None
        if isinstance(received, ClockReply):
            sent_us, received_us, answered_us = received
            self.clock = self._estimator.add(ClockExchange(sent_us, received_us, answered_us, arrived_us))
        elif isinstance(received, Envelope) and received.type == "error" and received.id is None:
            self.refusals[str(received.data.get("code"))] += 1
        return received

    async def _ask_time(self) -> None:
        await self._send(encode_clock_request(local_us()))

    async def _send(self, payload: bytes) -> None:
        try:
            await self._socket.send(payload)
        except ConnectionClosed as error:
            raise _ended(error) from None


def _decode(payload: bytes) -> list[MidiBlock] | Envelope | ClockReply | None:
    """One message; None for those that are of no use here, such as cursors. Raises ProtocolError."""
    decode = _DECODERS.get(payload[0]) if payload else None
    return decode(payload) if decode is not None else None


def _typed(envelope: Envelope) -> Message | None:
    """The message, unless it is an answer or of a type that came after this client."""
    if envelope.id is not None:
        return None
    try:
        message: Message = parse_server(envelope)
    except MalformedMessage as error:
        if error.code is ErrorCode.UNKNOWN_TYPE:
            return None
        raise
    return message


def _ended(error: ConnectionClosed) -> ConnectionEnded:
    if error.rcvd is None:
        return ConnectionEnded(ABNORMAL)
    return ConnectionEnded(close_rule(error.rcvd.code), error.rcvd.reason)
