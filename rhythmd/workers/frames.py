"""What the server and a worker say to each other: values in frames, over a Unix socket that also carries open files."""

import socket
from enum import StrEnum
from typing import Final, TypeVar

import msgspec
from msgspec import Struct, msgpack

__all__ = [
    "FILES",
    "FRAME_BYTES",
    "MadeFile",
    "Outcome",
    "Reply",
    "Request",
    "receive",
    "receive_with_files",
    "send",
    "send_with_files",
]

FILES: Final = 2
"""Descriptors beside a request: the file to read and the file to write."""
FRAME_BYTES: Final = 1_048_576
"""The longest frame; what a file says about itself fits many times."""
_LENGTH_BYTES: Final = 4

StructT = TypeVar("StructT", bound=Struct)


class Request(Struct, frozen=True):
    """A job: the function (`package.module:name`), and its seconds of processor time and by the clock."""

    function: str
    cpu_s: float
    wall_s: float


class Outcome(StrEnum):
    """How far a job has come. BEGAN is said once the function is loaded, then one of the others.

    REFUSED: the file is not what it must be. COSTLY: it needs too much memory. FAILED: the job itself has a fault.
    """

    BEGAN = "began"
    DONE = "done"
    REFUSED = "refused"
    COSTLY = "costly"
    FAILED = "failed"


class MadeFile(Struct, frozen=True):
    """What a job says of the file that it wrote: the digest in hexadecimal, and how many bytes it has."""

    sha256: str
    size: int


class Reply(Struct, frozen=True):
    """An outcome, with its reason, for FAILED a traceback; the result of DONE is a struct in msgpack."""

    outcome: Outcome
    reason: str = ""
    result: bytes = b""


def _frame(value: Struct) -> bytes:
    body = msgpack.encode(value)
    return len(body).to_bytes(_LENGTH_BYTES) + body


def send(connection: socket.socket, value: Struct) -> None:
    """Raises OSError."""
    connection.sendall(_frame(value))


def send_with_files(connection: socket.socket, value: Struct, files: list[int]) -> None:
    """The same, with these descriptors. Raises OSError."""
    frame = _frame(value)
    sent = socket.send_fds(connection, [frame], files)
    connection.sendall(frame[sent:])


def receive(connection: socket.socket, wanted: type[StructT], begin: bytes = b"") -> StructT:
    """The next value; `begin` is what of it has come already.

    Raises EOFError when the other side is gone, OSError, and ValueError when it says something else.
    """
    data = bytearray(begin)
    _fill(connection, data, _LENGTH_BYTES)
    length = int.from_bytes(data[:_LENGTH_BYTES])
    if length > FRAME_BYTES:
        raise ValueError(f"a frame of {length} bytes")
    _fill(connection, data, _LENGTH_BYTES + length)
    try:
        return msgpack.decode(data[_LENGTH_BYTES:], type=wanted)
    except msgspec.MsgspecError as error:
        raise ValueError(f"a frame that is no {wanted.__name__}: {error}") from error


def receive_with_files(connection: socket.socket, wanted: type[StructT]) -> tuple[StructT, list[int]]:
    """The next value and the descriptors that came with it, now this process's own. Raises as `receive`."""
    begin, files, _, _ = socket.recv_fds(connection, _LENGTH_BYTES, FILES)
    return receive(connection, wanted, begin), files


def _fill(connection: socket.socket, data: bytearray, size: int) -> None:
    while len(data) < size:
        part = connection.recv(min(size - len(data), 65_536))
        if not part:
            raise EOFError("the other side is gone")
        data += part
