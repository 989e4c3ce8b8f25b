"""The server's side of the opening handshake (RFC 6455, section 4.2), by `websockets`' state machine."""

from collections.abc import Iterable, Sequence
from typing import Final

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader, InvalidUpgrade, NegotiationError
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.hub.ports import Encoding

__all__ = ["VERSION", "Handshake"]

VERSION: Final = "13"
SUBPROTOCOLS: Final = (Subprotocol(SUBPROTOCOL_BINARY), Subprotocol(SUBPROTOCOL_JSON))
ACCEPTED: Final = 101
UPGRADE: Final = "Upgrade"
WEBSOCKET: Final = "websocket"


def _select(_protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours in our order; a client that asks for none gets none, and JSON."""
    for subprotocol in SUBPROTOCOLS:
        if subprotocol in offered:
            return subprotocol
    if offered:
        raise NegotiationError(f"subprotocols here are {' and '.join(SUBPROTOCOLS)}")
    return None


class Handshake:
    """The answer to one upgrade request, which has come whole and by GET.

    Args:
        headers: of the request, as they came.
        max_size: largest message of the connection that may follow, bytes.

    Attributes:
        answer: bytes to send.
        protocol: the state machine from here on.
        encoding: what the client chose.

    Raises:
        Refused: `upgrade-required` if it asks for no WebSocket, or for one of another version; `bad-request`.
    """

    __slots__ = ("answer", "encoding", "protocol")

    def __init__(self, headers: Iterable[tuple[str, str]], max_size: int) -> None:
        try:
            asked = _for_websocket(Headers(headers))
        except InvalidHeader as error:
            raise _refusal(error) from None
        if asked.get_all("Sec-WebSocket-Version") not in ([], [VERSION]):
            raise Refused(ErrorCode.UPGRADE_REQUIRED, f"the WebSocket version here is {VERSION}")
        protocol = ServerProtocol(
            subprotocols=SUBPROTOCOLS, select_subprotocol=_select, extensions=None, max_size=max_size, state=OPEN
        )
        response = protocol.accept(Request("/ws", asked))
        if response.status_code != ACCEPTED:
            raise _refusal(protocol.handshake_exc)
        self.answer = response.serialize()
        self.protocol = protocol
        self.encoding = Encoding.BINARY if protocol.subprotocol == SUBPROTOCOL_BINARY else Encoding.TEXT


def _for_websocket(headers: Headers) -> Headers:
    """`headers` with our protocol alone, if it is among those that the client would change to (RFC 9110, 7.8)."""
    offered = [token.strip().lower() for line in headers.get_all(UPGRADE) for token in line.split(",")]
    if WEBSOCKET in offered:
        del headers[UPGRADE]
        headers[UPGRADE] = WEBSOCKET
    return headers


def _refusal(reason: Exception | None) -> Refused:
    """What stood in the way, without a word of the client's."""
    if isinstance(reason, InvalidUpgrade):
        return Refused(ErrorCode.UPGRADE_REQUIRED, "this is a WebSocket, and the request asks for none")
    if isinstance(reason, NegotiationError):
        return Refused(ErrorCode.BAD_REQUEST, str(reason))
    name = reason.name if isinstance(reason, InvalidHeader) else "handshake"
    return Refused(ErrorCode.BAD_REQUEST, f"{name} is missing, or not what it must be")
