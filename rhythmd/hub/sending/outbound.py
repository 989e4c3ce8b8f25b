"""Messages on their way out: whole WebSocket frames, encoded at most once for each encoding in use."""

from abc import ABC, abstractmethod

from rhythm_protocol.control import encode_binary, encode_text
from rhythm_protocol.websocket import BINARY, TEXT, server_frame
from rhythmd.hub.ports import Encoding

__all__ = ["Message", "Packet"]


class Message(ABC):
    """Something to send to any number of peers."""

    __slots__ = ("_binary", "_text")

    def __init__(self) -> None:
        self._binary: bytes | None = None
        self._text: bytes | None = None

    @abstractmethod
    def binary(self) -> bytes:
        """The payload for `rhythm.v1`."""

    @abstractmethod
    def text(self) -> bytes:
        """The payload for `rhythm.v1.json`, UTF-8."""

    def frame(self, encoding: Encoding) -> bytes:
        """The whole frame, the same object at every call."""
        if encoding is Encoding.BINARY:
            if self._binary is None:
                self._binary = server_frame(BINARY, self.binary())
            return self._binary
        if self._text is None:
            self._text = server_frame(TEXT, self.text())
        return self._text


class Packet(Message):
    """A control message: `type_` and `data` as `rhythm_protocol.messages` has them, `id_` on answers."""

    __slots__ = ("_data", "_id", "_type")

    def __init__(self, type_: str, data: object, id_: int | None = None) -> None:
        super().__init__()
        self._type = type_
        self._data = data
        self._id = id_

    def binary(self) -> bytes:
        return encode_binary(self._type, self._data, self._id)

    def text(self) -> bytes:
        return encode_text(self._type, self._data, self._id)
