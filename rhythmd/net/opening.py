"""A WebSocket connection before it is one: the upgrade request, and who is behind it."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Generic, cast

from websockets.server import ServerProtocol

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.hub.ports import Identity, LapsedLogin, SessionT
from rhythmd.net.connection import Connection, Wiring
from rhythmd.net.handshake import MAX_HEAD_BYTES, Handshake, http_error
from rhythmd.net.transports import end_output
from rhythmd.telemetry import net_log

__all__ = ["Opening"]


def _error(code: ErrorCode) -> bytes:
    status = HTTPStatus(code.status)
    return http_error(f"{status.value} {status.phrase}", code)


class Opening(asyncio.Protocol, Generic[SessionT]):
    """Gathers the request, answers it, and makes room for a `Connection`. `on_gone` is called if it never does."""

    __slots__ = ("_address", "_head", "_identifying", "_on_gone", "_refused", "_timer", "_transport", "_wiring")

    def __init__(self, wiring: Wiring[SessionT], address: str, on_gone: Callable[[], None]) -> None:
        self._wiring = wiring
        self._address = address
        self._on_gone = on_gone
        self._head = b""
        self._refused = False  # what still comes in is not looked at
        self._identifying: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._timer = self._wiring.loop.call_later(self._wiring.limits.handshake_s, self._transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        if self._identifying is not None:
            self._identifying.cancel()
        self._on_gone()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._wiring.stats.bytes_in += len(data)
        self._head += data
        head, separator, rest = self._head.partition(b"\r\n\r\n")
        if len(head) > MAX_HEAD_BYTES:
            self._refuse(http_error("431 Request Header Fields Too Large", "the request is too long"))
        elif separator:
            self._answer(Handshake(head + separator, self._wiring.limits.message_bytes, self._wiring.origins), rest)

    def _answer(self, handshake: Handshake, rest: bytes) -> None:
        if handshake.protocol is None:
            self._refuse(handshake.answer)
        elif not handshake.credentials:
            self._open(handshake, handshake.protocol, None, rest)
        else:
            self._transport.pause_reading()
            identifying = self._identify(handshake, handshake.protocol, rest)
            self._identifying = self._wiring.loop.create_task(identifying)

    async def _identify(self, handshake: Handshake, protocol: ServerProtocol, rest: bytes) -> None:
        """Ask who shows these credentials; nothing is read meanwhile."""
        try:
            identity = await self._wiring.login_verifier.admit(handshake.credentials, self._address)
        except Refused as refused:
            self._refuse(_error(refused.code))
        except Exception:  # noqa: BLE001 - a failure of ours must not leave the client waiting
            net_log.exception("cannot tell who %s is", self._address)
            self._refuse(_error(ErrorCode.INTERNAL_ERROR))
        else:
            self._open(handshake, protocol, identity, rest)
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _refuse(self, answer: bytes) -> None:
        self._refused = True
        self._transport.write(answer)
        self._timer.cancel()
        self._timer = end_output(self._transport, self._wiring.loop)

    def _open(
        self, handshake: Handshake, protocol: ServerProtocol, identity: Identity | LapsedLogin | None, rest: bytes
    ) -> None:
        """Accept, and hand over. `rest` is what came right behind the request."""
        self._timer.cancel()
        self._transport.write(handshake.answer)
        connection = Connection(self._wiring, self._transport, protocol, handshake, self._address, self._on_gone)
        self._transport.set_protocol(connection)
        connection.begin(identity, rest)
