"""The opening handshake (RFC 6455, section 4), by `websockets`' state machine."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers
from websockets.exceptions import NegotiationError
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythmd.addresses import is_allowed_origin
from rhythmd.hub.ports import Credentials, Encoding

__all__ = ["MAX_HEAD_BYTES", "Handshake", "http_error"]

MAX_HEAD_BYTES: Final = 16_384
ACCESS_COOKIES: Final = ("__Host-rhythm_access", "rhythm_access")
VERSION: Final = "13"
SUBPROTOCOLS: Final = (Subprotocol(SUBPROTOCOL_BINARY), Subprotocol(SUBPROTOCOL_JSON))


def http_error(status: str, text: str, headers: str = "") -> bytes:
    """A whole HTTP/1.1 answer that ends the connection; `headers` are lines with their line ends."""
    body = f"{text}\n"
    return (
        f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body.encode())}\r\n{headers}\r\n{body}"
    ).encode()


# RFC 6455, section 4.4: the answer to another version names ours.
WRONG_VERSION: Final = http_error(
    "426 Upgrade Required",
    f"the WebSocket version here is {VERSION}",
    f"Upgrade: websocket\r\nSec-WebSocket-Version: {VERSION}\r\n",
)


def _select(_protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours in our order; a client that asks for none gets none, and JSON."""
    for subprotocol in SUBPROTOCOLS:
        if subprotocol in offered:
            return subprotocol
    if offered:
        raise NegotiationError(f"subprotocols here are {' and '.join(SUBPROTOCOLS)}")
    return None


class Handshake:
    """Answers one upgrade request.

    Args:
        head: the request, through its empty line.
        max_size: largest message of the connection that may follow, bytes.
        origins: Origin values that are allowed beside the server's own.

    Attributes:
        answer: bytes to send.
        protocol: the state machine from here on; None when the answer is a refusal.
        encoding: what the client chose.
        bot: whether it called itself one.
        credentials: what it showed of who it is.
    """

    __slots__ = ("answer", "bot", "credentials", "encoding", "protocol")

    def __init__(self, head: bytes, max_size: int, origins: Sequence[str]) -> None:
        protocol = ServerProtocol(
            subprotocols=SUBPROTOCOLS, select_subprotocol=_select, extensions=None, max_size=max_size
        )
        protocol.receive_data(head)
        request = next(iter(protocol.events_received()), None)
        self.protocol: ServerProtocol | None = None
        self.encoding = Encoding.TEXT
        self.bot = False
        self.credentials = Credentials()
        if not isinstance(request, Request):
            self.answer = b"".join(protocol.data_to_send()) or http_error("400 Bad Request", "not an HTTP request")
        elif not _origin_allowed(request.headers, origins):
            self.answer = http_error("403 Forbidden", "this origin is not allowed")
        elif request.headers.get_all("Sec-WebSocket-Version") not in ([], [VERSION]):
            self.answer = WRONG_VERSION
        else:
            protocol.send_response(protocol.accept(request))
            self.answer = b"".join(protocol.data_to_send())
            if protocol.state is OPEN:
                self._accepted(protocol, request)

    def _accepted(self, protocol: ServerProtocol, request: Request) -> None:
        self.protocol = protocol
        if protocol.subprotocol == SUBPROTOCOL_BINARY:
            self.encoding = Encoding.BINARY
        query = parse_qs(urlsplit(request.path).query)
        self.bot = query.get("bot") in (["1"], ["true"])
        self.credentials = _credentials(request.headers, query.get("ticket", [None])[0])


def _origin_allowed(headers: Headers, origins: Sequence[str]) -> bool:
    """A browser says which page asks: ours, or one from the list. Other clients say nothing."""
    values = headers.get_all("Origin")
    if not values:
        return True
    return len(values) == 1 and is_allowed_origin(values[0], headers.get_all("Host"), origins)


def _credentials(headers: Headers, ticket: str | None) -> Credentials:
    """What the client shows on purpose goes before the cookie that its browser shows by itself."""
    token = _bearer(headers)
    if token is not None or ticket is not None:
        return Credentials(token, ticket)
    cookie = _cookie(headers)
    return Credentials(cookie, is_cookie=cookie is not None)


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = next(iter(headers.get_all("Authorization")), "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _cookie(headers: Headers) -> str | None:
    """The access token that the REST side set. RFC 6265, section 5.4: one header, pairs apart by "; "."""
    pairs = (pair.strip().partition("=") for header in headers.get_all("Cookie") for pair in header.split(";"))
    cookies = {name: value for name, _, value in pairs}
    return next((cookies[name] for name in ACCESS_COOKIES if cookies.get(name)), None)
