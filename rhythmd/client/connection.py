"""A connection that speaks `rhythm.v1`: messages out, messages in, and the server's clock."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
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
)
from rhythm_protocol.clock import ClockExchange
from rhythm_protocol.close import ABNORMAL, PROTOCOL_ERROR, close_rule
from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythm_protocol.errors import ProtocolError
from rhythm_protocol.messages import Welcome
from rhythmd.addresses import is_loopback
from rhythmd.client.clock import ServerClock, local_us
from rhythmd.client.codec import Envelope, decode_binary
from rhythmd.client.errors import ConnectionEnded, Unreachable

__all__ = ["Connection", "Incoming", "connect_to", "socket_url"]

Incoming = list[MidiBlock] | Envelope
"""Music, or a control message: all that is of interest outside of this module."""

PATIENCE_S: Final = 10.0
FIRST_EXCHANGES: Final = 8
CLOCK_INTERVAL_S: Final = 3.0
SILENCE_S: Final = 10.0  # three exchanges without an answer: the connection is lost, whatever TCP still hopes for
CLOSE_S: Final = 2.0
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
MAX_MESSAGE_BYTES: Final = 16 * 2**20  # the members of a big concert come in one message

_DECODERS: Final[dict[int, Callable[[bytes], Incoming | ClockReply]]] = {
    OP_MIDI: decode_midi_blocks,
    OP_CLOCK: decode_clock_reply,
    OP_CONTROL: decode_binary,
}
_SCHEMES: Final = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


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


async def connect_to(address: str) -> "Connection":
    """A connection that has been welcomed.

    Raises:
        Unreachable: nothing there speaks `rhythm.v1`.
        ConnectionEnded: the server closed it at once.
    """
    asked_us = local_us()
    connection = Connection(await _connect(address), asked_us)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await connection.be_welcomed()
    except TimeoutError:
        connection.abort()
        raise Unreachable(f"{address} accepts connections, but does not answer") from None
    except BaseException:
        connection.abort()
        raise
    return connection


async def _connect(address: str) -> ClientConnection:
    try:
        connected = await connect(
            address, subprotocols=[Subprotocol(SUBPROTOCOL_BINARY)], compression=None, max_size=MAX_MESSAGE_BYTES,
            ping_interval=None, open_timeout=PATIENCE_S, close_timeout=CLOSE_S,
            proxy=None if _is_this_machine(address) else True,
        )  # fmt: skip
    except UnicodeError:  # a label of the host's name is empty, or has more than 63 characters
        raise Unreachable(f"{address} has no name of a host in it") from None
    except (OSError, WebSocketException) as error:
        raise Unreachable(f"cannot connect to {address}: {error}") from None
    if connected.subprotocol != SUBPROTOCOL_BINARY:
        await connected.close()
        raise Unreachable(f"{address} does not speak {SUBPROTOCOL_BINARY}")
    return connected


def _is_this_machine(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host == "localhost" or is_loopback(host)


class Connection:
    """One socket. Only one task may read; sending is free.

    Args:
        asked_us: when the connection was begun, on this computer's clock.

    Attributes:
        welcome: the server's first message.
        clock: the server's, known from `keep_time` on.
    """

    welcome: Welcome

    def __init__(self, connected: ClientConnection, asked_us: int) -> None:
        self.clock = ServerClock()
        self._socket = connected
        self._asked_us = asked_us
        self._heard_us = asked_us
        self._unread: deque[Incoming] = deque()
        self._timekeeper: asyncio.Task[None] | None = None

    async def be_welcomed(self) -> None:
        """Take the server's first message. Raises ConnectionEnded."""
        envelope = await self.read()
        if not isinstance(envelope, Envelope) or envelope.type != "welcome":
            raise ConnectionEnded(PROTOCOL_ERROR, "the server does not begin with a welcome")
        try:
            self.welcome = msgspec.convert(envelope.data, Welcome)
        except msgspec.ValidationError as error:
            raise ConnectionEnded(PROTOCOL_ERROR, f"the server's welcome is none: {error}") from None

    async def keep_time(self, known: ServerClock | None) -> None:
        """Know the server's clock from now on. Takes some round trips, unless it is the one `known` from before.

        Raises ConnectionEnded.
        """
        if known is not None and known.may_show(self.welcome.server_time, self._asked_us, local_us()):
            self.clock = known
        else:
            await self._learn_time_soon()
        self._timekeeper = asyncio.create_task(self._go_on_asking())

    async def send(self, payload: bytes) -> None:
        """Send one binary message. Raises ConnectionEnded."""
        try:
            await self._socket.send(payload)
        except ConnectionClosed as error:
            raise _ended(error) from None

    async def read(self) -> Incoming:
        """The next message of interest. It can be cancelled without losing one. Raises ConnectionEnded."""
        while not self._unread:
            received = await self._receive()
            if received is not None and not isinstance(received, ClockReply):
                return received
        return self._unread.popleft()

    async def close(self) -> None:
        """Leave: the server gives up our seat at once."""
        self._end_timekeeping()
        await self._socket.close()

    def abort(self) -> None:
        """Drop the connection."""
        self._end_timekeeping()
        self._reset()

    def _reset(self) -> None:
        """Take back what is still on its way: it would sound late."""
        transport = self._socket.transport
        if not transport.is_closing():
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            transport.abort()

    def _end_timekeeping(self) -> None:
        if self._timekeeper is not None:
            self._timekeeper.cancel()

    async def _learn_time_soon(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._learn_time()
        except TimeoutError:
            raise ConnectionEnded(ABNORMAL, "no answer to clock") from None

    async def _learn_time(self) -> None:
        """The first exchanges; what else comes meanwhile is kept for `read`."""
        for _ in range(FIRST_EXCHANGES):
            await self._ask_time()
            while not isinstance(received := await self._receive(), ClockReply):
                if received is not None:
                    self._unread.append(received)

    async def _go_on_asking(self) -> None:
        with suppress(ConnectionEnded):
            while local_us() - self._heard_us < SILENCE_S * 1e6:
                await asyncio.sleep(CLOCK_INTERVAL_S)
                await self._ask_time()
            self._reset()

    async def _ask_time(self) -> None:
        await self.send(encode_clock_request(local_us()))

    async def _receive(self) -> Incoming | ClockReply | None:
        """The next message, a clock's answer taken in; None for kinds without use here."""
        try:
            payload = await self._socket.recv(decode=False)
            self._heard_us = local_us()
            received = _decode(payload)
        except ConnectionClosed as error:
            raise _ended(error) from None
        except ProtocolError as error:
            raise ConnectionEnded(PROTOCOL_ERROR, f"the server sent what is no message: {error}") from None
        if isinstance(received, ClockReply):
            sent_us, received_us, answered_us = received
            self.clock.add(ClockExchange(sent_us, received_us, answered_us, self._heard_us))
        return received


def _decode(payload: bytes) -> Incoming | ClockReply | None:
    """One message; None for those that are of no use here, such as cursors. Raises ProtocolError."""
    decode = _DECODERS.get(payload[0]) if payload else None
    return decode(payload) if decode is not None else None


def _ended(error: ConnectionClosed) -> ConnectionEnded:
    if error.rcvd is None:
        return ConnectionEnded(ABNORMAL)
    return ConnectionEnded(close_rule(error.rcvd.code), error.rcvd.reason)
