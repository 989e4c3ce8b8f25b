"""What people do to a server, noted while they do it: what a connection sent, and when; what a browser asked for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, NamedTuple

__all__ = ["Asked", "Doings", "Frame", "Room"]

_HTTP_END: Final = b"\r\n\r\n"
_ASCII: Final = 0x80
_MEDIUM: Final = 126
_LENGTHS: Final = {126: 2, 127: 8}
_MASK_SIZE: Final = 4


@dataclass(frozen=True)
class Room:
    """A room's name, and what it is made with if there is none."""

    name: str
    settings: dict[str, Any]


class Frame(NamedTuple):
    """A frame of a client: when it was sent, its size on the wire, and what it carries."""

    moment: float
    size: int
    opcode: int
    payload: bytes


class Asked(NamedTuple):
    """A request over HTTP, from when it was sent until it was answered.

    Args:
        source: the address that it came from.
        member: whose account it showed, if it is no guest's.
        path: of the request.
        sent: the moment.
        answered: the moment.
    """

    source: str
    member: str | None
    path: str
    sent: float
    answered: float


@dataclass(eq=False)
class Doings:
    """One WebSocket.

    Attributes:
        source: the address that it comes from.
        room: that it is in, if it is in one.
        quota: allowance and maximum of note points there, if the server has said so.
        opened: the moment.
        closed: the moment; None while it is open.
        sent: bytes, and when.
        told: when each control message came.
    """

    source: str
    room: Room | None = None
    quota: tuple[int, int] | None = None
    opened: float = field(default_factory=monotonic)
    closed: float | None = None
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    told: list[float] = field(default_factory=list)

    def enter(self, room: Room | None, quota: dict[str, int]) -> None:
        """It is in a room from here on; `quota` as the server says it."""
        self.room, self.quota = room, (quota["allowance"], quota["maximum"])

    def note(self, data: bytes) -> None:
        """These bytes are sent now."""
        self.sent.append((monotonic(), data))

    def end(self) -> None:
        """It is closed."""
        if self.closed is None:
            self.closed = monotonic()

    def frames(self) -> Iterator[Frame]:
        """All frames that were sent, in order; a handshake before them is left out."""
        rest = b""
        for moment, data in self.sent:
            rest += data
            if rest[0] < _ASCII:
                rest = rest.partition(_HTTP_END)[2]
            at = 0
            while (frame := _frame(moment, rest, at)) is not None:
                yield frame
                at += frame.size
            rest = rest[at:]


def _frame(moment: float, data: bytes, at: int) -> Frame | None:
    """The masked frame (RFC 6455, 5.2) that begins there, if it is whole."""
    if len(data) < at + 2:
        return None
    length, start = data[at + 1] & 0x7F, at + 2
    if length >= _MEDIUM:
        end = start + _LENGTHS[length]
        length, start = int.from_bytes(data[start:end]), end
    mask, start = data[start : start + _MASK_SIZE], start + _MASK_SIZE
    stop = start + length
    if len(data) < stop:
        return None
    return Frame(moment, stop - at, data[at] & 0x0F, _unmasked(data[start:stop], mask))


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // _MASK_SIZE + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
