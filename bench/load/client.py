"""One WebSocket connection of the load: it notes when bytes came and looks at few of them."""

import asyncio
import base64
import os
from collections import Counter
from time import monotonic
from typing import Final, Self, cast

from bench.load.frames import whole_frames
from rhythm_protocol.binary import OP_CONTROL
from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythm_protocol.messages import RoomSettings
from rhythm_protocol.websocket import BINARY, client_frame
from rhythmd.client.codec import decode_binary, encode_binary

__all__ = ["Client", "Refused", "proxy_line", "upgrade_request"]

_CLOSE: Final = 0x8
_PING: Final = 0x9
_PONG: Final = 0xA
_HTTP_END: Final = b"\r\n\r\n"
_SWITCHED: Final = b"HTTP/1.1 101"
_WELCOME: Final = b"welcome"
_ACK: Final = b"ack"
_TYPE_WITHIN: Final = 20  # rhythmd's encoder puts "type" first in the map
_PATIENCE_S: Final = 60.0


class Refused(ConnectionError):
    """The server did not grant what the load needs; the text has its answer."""


def upgrade_request(host: str, target: str, subprotocol: str | None, token: str | None = None) -> bytes:
    """The opening handshake of a client (RFC 6455, 4.1), with an access token if there is one."""
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
    ]
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*lines, "", ""]).encode()


def proxy_line(source: str) -> bytes:
    """A PROXY header (version 1) that gives a connection from loopback another address (IPv4) for its own."""
    return f"PROXY TCP4 {source} 192.0.2.1 40000 80\r\n".encode()


class Client(asyncio.Protocol):
    """A connection that answers pings and records what it reads.

    `reads` holds the time (monotonic, s) of each read that ended a frame, with bytes that begin at a frame.
    `errors` counts the server's `error` messages by code; `lost` says that the connection ended without `close`.
    """

    transport: asyncio.Transport

    def __init__(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.reads: list[tuple[float, bytes]] = []
        self.errors: Counter[str] = Counter()
        self.lost = False
        self._closing = False
        self._request = request
        self._rest = b""
        self._is_open = False
        self._awaited: dict[bytes, asyncio.Future[tuple[float, bytes]]] = {
            answer: loop.create_future() for answer in (_SWITCHED, _WELCOME, _ACK)
        }

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        target: str,
        subprotocol: str | None = None,
        source: str | None = None,
        token: str | None = None,
    ) -> Self:
        """Open a connection to `target`, such as `/ws?room=a`, as if from `source`. Raises Refused or OSError."""
        request = upgrade_request(f"{host}:{port}", target, subprotocol, token)
        if source is not None:
            request = proxy_line(source) + request
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(request), host, port)
        await client._answer(_SWITCHED)
        return client

    @classmethod
    async def connect_rhythmd(cls, host: str, port: int, source: str | None = None, token: str | None = None) -> Self:
        """Open a connection that speaks `rhythm.v1`, as if from `source`, with a login if there is one."""
        return await cls.connect(host, port, "/ws", SUBPROTOCOL_BINARY, source, token)

    async def server_clock_ahead(self) -> float:
        """Seconds by which rhythmd's clock, as its welcome states it, is ahead of this process's."""
        received, payload = await self._answer(_WELCOME)
        return float(decode_binary(payload).data["server_time"]) / 1e6 - received

    async def join(self, room: str, settings: RoomSettings) -> None:
        """Join a room of rhythmd's, made with `settings` if there is none of that name. Raises Refused."""
        request = {"room": room, "create": True, "settings": settings}
        self.send(encode_binary("join-room", request, 1))
        await self._answer(_ACK)

    def send(self, payload: bytes) -> None:
        """One binary message."""
        self.transport.write(client_frame(BINARY, payload, os.urandom(4)))

    def close(self) -> None:
        """End the connection from this side."""
        self._closing = True
        self.transport.close()

    async def _answer(self, kind: bytes) -> tuple[float, bytes]:
        return await asyncio.wait_for(self._awaited[kind], _PATIENCE_S)

    def _fail(self, kind: bytes, why: str) -> None:
        future = self._awaited[kind]
        if not future.done():
            future.set_exception(Refused(why))
            future.exception()  # marks it as seen: nobody may be waiting for it

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by class
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = monotonic()
        if self._rest:
            data = self._rest + data
        if self._is_open:
            self._read_frames(now, data)
        else:
            self._read_handshake(now, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = not self._closing
        for kind in self._awaited:
            self._fail(kind, f"the connection was closed: {exc or 'end of stream'}")

    def _read_handshake(self, now: float, data: bytes) -> None:
        head, end, rest = data.partition(_HTTP_END)
        if not end:
            self._rest = data
        elif head.startswith(_SWITCHED):
            self._is_open = True
            self._awaited[_SWITCHED].set_result((now, head))
            self._read_frames(now, rest)
        else:
            self._fail(_SWITCHED, head.partition(b"\r\n")[0].decode(errors="replace"))
            self.close()

    def _read_frames(self, now: float, data: bytes) -> None:
        done = 0
        for opcode, start, done in whole_frames(data):
            if opcode != BINARY:
                self._on_control_frame(opcode, data[start:done])
            elif start < done and data[start] == OP_CONTROL:
                self._on_message(now, data[start:done])
        self._rest = data[done:]
        if done:
            self.reads.append((now, data))

    def _on_control_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self.transport.write(client_frame(_PONG, payload, os.urandom(4)))
        elif opcode == _CLOSE:
            self.errors[f"closed with {int.from_bytes(payload[:2])}"] += 1

    def _on_message(self, now: float, payload: bytes) -> None:
        """Decodes the few types that matter: a big room's joins announce each member to each other."""
        head = payload[:_TYPE_WITHIN]
        for kind, future in self._awaited.items():
            if kind in head and not future.done():
                future.set_result((now, payload))
        if b"error" in head:
            self._on_error(payload)

    def _on_error(self, payload: bytes) -> None:
        data = decode_binary(payload).data
        self.errors[data["code"]] += 1
        self._fail(_ACK, f"{data['code']}: {data['message']}")
