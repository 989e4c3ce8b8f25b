"""Cuts what a connection brings into requests, so that aiohttp's parser has one at a time.

What comes behind a request waits here until that one is answered: so each refusal belongs to the request that it is
for, none before it is lost, and what stands behind an upgrade is known.
"""

import re
from enum import Enum, auto
from typing import Final

from aiohttp import StreamReader

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.envelope import ApiError

__all__ = ["LINE_BYTES", "Intake", "not_http"]

LINE_BYTES: Final = 8_190
"""Of a request's target, and of each header."""
BODY_BYTES: Final = 131_072
MOST_HEADERS: Final = 128
END: Final = b"\r\n\r\n"
"""Of a head, and of a chunked body."""
TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
BEGINNING: Final = re.compile(rb"(?:" + TOKEN + rb"(?: [\x21-\xff]*(?: [\x20-\xff]*\r?)?)?)?")
"""What may become a line, so far."""
LINE: Final = re.compile(rb"(" + TOKEN + rb" ([\x21-\xff]+) HTTP/)(\d)\.(\d)\r\n")
"""RFC 9112, 3 and 2.3."""


class _At(Enum):
    """What comes next."""

    LINE = auto()
    HEADERS = auto()
    BODY = auto()  # its length is known
    CHUNKS = auto()
    ANSWER = auto()  # nothing is taken until the request is answered
    ANYTHING = auto()  # requests came right behind a chunked body, whose end only the parser knows


class Intake:
    """What of a connection the parser has not had yet.

    Attributes:
        held: bytes that wait.
    """

    def __init__(self) -> None:
        self.held = b""
        self._at = _At.LINE
        self._left = 0  # bytes of the body
        self._lines = 0  # of the head
        self._end = b""  # the last bytes that were taken, of which an end may begin
        self._body: StreamReader | None = None
        self._is_answered = False

    @property
    def is_in_head(self) -> bool:
        """Whether a head has begun and is not whole."""
        return self._at is _At.HEADERS or (self._at is _At.LINE and bool(self.held))

    @property
    def has_more(self) -> bool:
        """Whether what waits may become a request without anything to come."""
        return bool(self.held) and self._at is not _At.LINE

    @property
    def body_bytes(self) -> int:
        """About how much memory the body that is under way takes: of a file most is in a scratch file."""
        return 0 if self._body is None else min(self._body.total_bytes, BODY_BYTES)

    @property
    def is_in_chunks(self) -> bool:
        """Whether a chunked body is under way."""
        return self._at is _At.CHUNKS or self._at is _At.ANYTHING

    @property
    def is_head_taken(self) -> bool:
        """Whether what was taken last is a head, or its end."""
        return self._at is _At.ANSWER

    def take(self) -> bytes:
        """The next bytes for the parser, none for now if empty.

        Raises ApiError: `bad-request`, `uri-too-long`, `headers-too-large`, `http-version-not-supported`.
        """
        match self._at:
            case _At.LINE:
                line = self._take_line()
                return line + self._take_headers() if line else line
            case _At.HEADERS:
                return self._take_headers()
            case _At.BODY:
                taken = self._cut(min(self._left, len(self.held)))
                self._left -= len(taken)
                return taken
            case _At.CHUNKS if self._body is not None and self._body.is_eof() and self._end == END:
                return b""
            case _At.CHUNKS | _At.ANYTHING:
                taken = self._cut(len(self.held))
                self._end = (self._end + taken)[-len(END) :]
                return taken
        return b""

    def begin(self, *, length: int, is_chunked: bool, body: StreamReader) -> None:
        """The head that was taken last is a request's."""
        self._left, self._body, self._is_answered, self._end = length, body, False, b""
        self._at = _At.CHUNKS if is_chunked else _At.BODY

    def mix(self) -> None:
        """The parser has had more than one request."""
        self._at = _At.ANYTHING

    def stop(self) -> None:
        """The parser can read nothing more."""
        self._at, self._body = _At.ANSWER, None

    def answered(self) -> None:
        """The request has its answer."""
        self._is_answered = True
        self.settle()

    def settle(self) -> None:
        """See whether the request is over, with its body."""
        if self._body is None or not self._is_answered or not self._body.is_eof() or self._at is _At.ANYTHING:
            return
        is_whole = self._at is not _At.CHUNKS or self._end == END
        self._at = _At.LINE if is_whole else _At.ANYTHING
        self._body = None

    def _cut(self, size: int) -> bytes:
        taken, self.held = self.held[:size], self.held[size:]
        return taken

    def _take_line(self) -> bytes:
        """The line, as the parser can read it; RFC 9112, 2.2, has empty ones before it be passed over."""
        self.held = self.held.lstrip(b"\r\n")
        size = self.held.find(b"\n") + 1
        if not size:
            if not BEGINNING.fullmatch(self.held):
                raise not_http()
            if len(self.held) > LINE_BYTES:
                raise _target_too_long()
            return b""
        line = self._cut(size)
        found = LINE.fullmatch(line)
        if found is None:
            raise not_http()
        if len(found[2]) > LINE_BYTES:
            raise _target_too_long()
        major, minor = int(found[3]), int(found[4])
        if major != 1:
            raise ApiError(ErrorCode.HTTP_VERSION_NOT_SUPPORTED, "this server speaks HTTP/1.1")
        self._at, self._lines, self._end = _At.HEADERS, 0, line[-2:]
        # A higher minor version is answered as the highest that is known (RFC 9110, 2.5).
        return line if minor <= 1 else found[1] + b"1.1\r\n"

    def _take_headers(self) -> bytes:
        known = len(self._end)
        at = (self._end + self.held).find(END)
        is_whole = at >= 0
        taken = self._cut(at + len(END) - known if is_whole else len(self.held))
        self._end = (self._end + taken)[-len(END) + 1 :]
        self._lines += taken.count(b"\n")
        if self._lines > MOST_HEADERS + 1:
            raise ApiError(ErrorCode.HEADERS_TOO_LARGE, f"a request may have at most {MOST_HEADERS} headers")
        if is_whole:
            self._at = _At.ANSWER
        return taken


def not_http() -> ApiError:
    """The refusal of what is no request. It tells nothing of what was sent."""
    return ApiError(ErrorCode.BAD_REQUEST, "this is not HTTP/1.1, or is not well-formed")


def _target_too_long() -> ApiError:
    return ApiError(ErrorCode.URI_TOO_LONG, f"a request's target may have at most {LINE_BYTES} bytes")
