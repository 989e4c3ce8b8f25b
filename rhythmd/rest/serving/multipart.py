"""A form with files as it comes over the wire, `multipart/form-data` (RFC 7578): bytes in, events out.

The parser keeps a part's head at most, never its content. It takes what browsers and HTTP libraries send, and refuses
what RFC 7578 advises against: transfer encodings, and forms within forms.
"""

import re
from enum import Enum, auto
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

__all__ = ["FormError", "FormParser", "Part", "boundary_of"]

HEAD_BYTES: Final = 4_096
PADDING_BYTES: Final = 256
"""White space behind a boundary (RFC 2046, 5.1.1), at most."""
LONGEST_BOUNDARY: Final = 200
"""RFC 2046 allows 70 characters."""
PLAIN: Final = frozenset({"7bit", "8bit", "binary"})

_PARAMETER: Final = re.compile(
    rb';[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^;"\s]*))[ \t]*', re.DOTALL
)
_ESCAPED: Final = re.compile(rb'\\(["\\])')


class FormError(ValueError):
    """The body is not such a form. The text says why."""


class Part(NamedTuple):
    """The head of a part.

    Args:
        name: of the field.
        file_name: what the sender calls the file, any text; None for a part that is no file.
        media_type: as claimed, in small letters; "" if it is not.
    """

    name: str
    file_name: str | None
    media_type: str


class _State(Enum):
    CONTENT = auto()
    """Also what stands before the first boundary, as the content of no part."""
    BOUNDARY = auto()
    HEAD = auto()
    END = auto()


class FormParser:
    """Takes the body in pieces of any size. What `feed` returns belongs to the last part that it returned.

    Args:
        boundary: from the header of the request.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._buffer = bytearray(b"\r\n")  # the first boundary needs no line before it
        self._state = _State.CONTENT
        self._has_part = False

    @property
    def is_complete(self) -> bool:
        """Whether the last boundary has come. What comes after it is passed over."""
        return self._state is _State.END

    def feed(self, data: bytes) -> list[Part | bytes]:
        """The events in `data`: heads of parts, and pieces of content. Raises FormError."""
        self._buffer += data
        events: list[Part | bytes] = []
        while self._step(events):
            pass
        return events

    def _step(self, events: list[Part | bytes]) -> bool:
        """Whether there may be more to see in what has come so far."""
        match self._state:
            case _State.CONTENT:
                return self._read_content(events)
            case _State.BOUNDARY:
                return self._read_boundary()
            case _State.HEAD:
                return self._read_head(events)
            case _State.END:
                self._buffer.clear()
                return False

    def _read_content(self, events: list[Part | bytes]) -> bool:
        end = self._buffer.find(self._delimiter)
        found = end >= 0
        if not found:
            end = max(0, len(self._buffer) - len(self._delimiter) + 1)  # what may be the beginning of a boundary stays
        if end and self._has_part:
            events.append(bytes(self._buffer[:end]))
        del self._buffer[: end + len(self._delimiter) if found else end]
        if found:
            self._state = _State.BOUNDARY
        return found

    def _read_boundary(self) -> bool:
        """What stands between a boundary and the end of its line."""
        if self._buffer.startswith(b"--"):
            self._state = _State.END
            return True
        end = self._buffer.find(b"\r\n")
        padding = self._buffer[:end] if end >= 0 else self._buffer.removesuffix(b"\r")
        may_be_end = end < 0 and padding == b"-"
        if (padding.strip(b" \t") and not may_be_end) or len(padding) > PADDING_BYTES:
            raise FormError("a boundary is followed by something else")
        if end < 0:
            return False
        del self._buffer[:end]  # the line's end stays: it ends a head without any field
        self._state = _State.HEAD
        return True

    def _read_head(self, events: list[Part | bytes]) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if (end + 3 if end >= 0 else len(self._buffer)) > HEAD_BYTES:
            raise FormError("the head of a part is too long")
        if end < 0:
            return False
        events.append(_parse_head(bytes(self._buffer[2:end])))
        del self._buffer[: end + 4]
        self._has_part = True
        self._state = _State.CONTENT
        return True


def boundary_of(content_type: str) -> bytes:
    """The boundary that the request's header names. Raises FormError."""
    boundary = _parameters(content_type.encode("utf-8", "surrogateescape")).get("boundary", b"")
    if not 1 <= len(boundary) <= LONGEST_BOUNDARY:
        raise FormError("the header names no boundary")
    return boundary


def _parse_head(head: bytes) -> Part:
    fields: dict[str, bytes] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon or not name.strip() or name != name.strip():
            raise FormError("the head of a part has a line that is no field")
        fields[name.decode("latin-1").lower()] = value.strip()
    disposition = fields.get("content-disposition", b"")
    if disposition.partition(b";")[0].strip().lower() != b"form-data":
        raise FormError("a part is no field of a form")
    if fields.get("content-transfer-encoding", b"binary").decode("latin-1").lower() not in PLAIN:
        raise FormError("a part has a transfer encoding")
    return _part(_parameters(disposition), fields.get("content-type", b""))


def _part(parameters: dict[str, bytes], content_type: bytes) -> Part:
    if "name" not in parameters:
        raise FormError("a part names no field")
    media_type = content_type.partition(b";")[0].strip().decode("latin-1").lower()
    if media_type.startswith("multipart/"):
        raise FormError("a part is a form itself")
    file_name = parameters.get("filename")
    if "filename*" in parameters:
        file_name = unquote_to_bytes(parameters["filename*"].rpartition(b"'")[2])
    shown = None if file_name is None else _text(file_name)
    return Part(_text(parameters["name"]), shown, media_type)


def _parameters(value: bytes) -> dict[str, bytes]:
    """What stands behind the first semicolon of a header. Raises FormError."""
    position = value.find(b";")
    found: dict[str, bytes] = {}
    while 0 <= position < len(value):
        match = _PARAMETER.match(value, position)
        if match is None:
            raise FormError("a header cannot be read")
        name, quoted, plain = match.groups()
        found.setdefault(name.decode("ascii").lower(), plain if quoted is None else _ESCAPED.sub(rb"\1", quoted))
        position = match.end()
    return found


def _text(value: bytes) -> str:
    """A name, with the three characters that browsers write as percent signs and digits."""
    for encoded, character in (("%22", '"'), ("%0D", "\r"), ("%0A", "\n")):
        value = value.replace(encoded.encode(), character.encode())
    return value.decode("utf-8", "replace")
