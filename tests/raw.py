"""A client made of a plain socket: for bytes that no WebSocket library would send."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Final, NamedTuple, Protocol, cast

from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythmd.app import Server
from tests.deadline import within
from tests.server import ServerProcess

__all__ = ["KEY", "ConnectRaw", "RawClient", "RawFrame", "Response", "frame", "open_raw", "upgrade_request"]

KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT: Final = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # for KEY, RFC 6455 section 1.3
CLOSE: Final = 0x8
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Response(NamedTuple):
    """An HTTP answer. `headers` by name in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class RawFrame(NamedTuple):
    """A frame of the server. `first` is its first byte: FIN, reserved bits, opcode."""

    first: int
    payload: bytes

    @property
    def opcode(self) -> int:
        return self.first & 0x0F

    @property
    def close_code(self) -> int | None:
        """The code in a close frame; None in any other."""
        return int.from_bytes(self.payload[:2], "big") if self.opcode == CLOSE else None


def upgrade_request(path: str = "/ws", changes: Mapping[str, str | None] | None = None) -> bytes:
    """The request of the opening handshake; `changes` replaces headers, and None takes one out."""
    headers: dict[str, str | None] = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": SUBPROTOCOL_BINARY,
    }
    headers.update(changes or {})
    lines = [f"{name}: {value}\r\n" for name, value in headers.items() if value is not None]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


def frame(first: int, payload: bytes = b"", *, mask: bytes | None = b"\x00\x00\x00\x00", size: int = 0) -> bytes:
    """Any frame: `first` is its first byte, `mask` None leaves the mask out.

    Args:
        size: bytes of the length's encoding, 1, 2 or 8; 0 takes the shortest, which is the only valid one.
    """
    length = len(payload)
    size = size or (1 if length < 126 else 2 if length < 0x10000 else 8)
    masked = 0 if mask is None else 0x80
    if size == 1:
        head = bytes((first, masked | length))
    else:
        head = bytes((first, masked | (126 if size == 2 else 127))) + length.to_bytes(size, "big")
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


class RawClient:
    """Bytes out, bytes in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._transport = cast(asyncio.Transport, writer.transport)  # which can be told to stop reading

    # Out

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        """Wait until the socket has taken most of what was written."""
        await within(self._writer.drain())

    async def write_slowly(self, data: bytes, step: int = 1) -> None:
        """Write `step` bytes at a time, each in its own segment."""
        for at in range(0, len(data), step):
            self._writer.write(data[at : at + step])
            await asyncio.sleep(0.0005)

    def half_close(self) -> None:
        """Send FIN."""
        self._writer.write_eof()

    def reset(self) -> None:
        """End the connection with RST."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await within(self._writer.wait_closed())

    # In

    def stop_reading(self) -> None:
        """From here on only the kernel takes what the server sends."""
        self._transport.pause_reading()

    def go_on_reading(self) -> None:
        self._transport.resume_reading()

    async def upgrade(self, path: str = "/ws", changes: Mapping[str, str | None] | None = None) -> Response:
        """Complete the opening handshake."""
        self.write(upgrade_request(path, changes))
        response = await self.response()
        assert response.status == 101, response
        assert response.headers["sec-websocket-accept"] == ACCEPT
        return response

    async def head(self) -> bytes:
        """The head of the next HTTP answer, to a request of which the answer has no body."""
        return await within(self._reader.readuntil(b"\r\n\r\n"))

    async def body(self, size: int) -> bytes:
        """So many bytes of an answer's body."""
        return await within(self._reader.readexactly(size))

    async def response(self) -> Response:
        """The next HTTP answer, with its body by Content-Length."""
        head = await within(self._reader.readuntil(b"\r\n\r\n"))
        status_line, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await within(self._reader.readexactly(int(headers.get("content-length", "0"))))
        return Response(int(status_line.split()[1]), headers, body)

    async def frame(self) -> RawFrame:
        """The server's next frame."""
        first, length = await within(self._reader.readexactly(2))
        if length >= 126:
            length = int.from_bytes(await within(self._reader.readexactly(2 if length == 126 else 8)), "big")
        return RawFrame(first, await within(self._reader.readexactly(length)))

    async def close_code(self) -> int:
        """The code in the close frame of the server, after any frames before it."""
        while True:
            code = (await self.frame()).close_code
            if code is not None:
                return code

    async def rest(self) -> bytes:
        """Everything until the server ends the connection. Raises ConnectionError when it resets it."""
        return await within(self._reader.read())


class ConnectRaw(Protocol):
    """The fixture `connect_raw`."""

    async def __call__(self, server: Server | ServerProcess, receive_buffer: int | None = None) -> RawClient: ...


@contextlib.asynccontextmanager
async def open_raw(port: int, receive_buffer: int | None = None) -> AsyncIterator[RawClient]:
    """A connected client; `receive_buffer` is the kernel's, in bytes."""
    raw = socket.socket()
    raw.setblocking(False)
    if receive_buffer is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        await within(asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port)))
    except OSError:
        raw.close()
        raise
    client = RawClient(*await asyncio.open_connection(sock=raw))
    try:
        yield client
    finally:
        await client.close()
