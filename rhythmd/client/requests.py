"""Requests that are not answered yet, in order, so that they can be sent again after a lost connection."""

import asyncio
from collections.abc import Mapping

from rhythm_protocol.messages import Message
from rhythmd.client.codec import Envelope, encode_binary

__all__ = ["Request", "Requests"]


class Request:
    """A control message that wants an answer.

    Attributes:
        sent: whether the connection of this moment has it.
        risked: whether any connection had it, so that it may have been done.
    """

    def __init__(self, id_: int, payload: bytes) -> None:
        self.id = id_
        self.payload = payload
        self.sent = False
        self.risked = False
        self.answer: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()


class Requests:
    """The open requests of one session, and the numbers of its messages."""

    def __init__(self) -> None:
        self._open: dict[int, Request] = {}
        self._last_id = 0

    def next_id(self) -> int:
        """A number that no message has had."""
        self._last_id += 1
        return self._last_id

    def add(self, type_: str, data: Message | Mapping[str, object]) -> Request:
        id_ = self.next_id()
        request = self._open[id_] = Request(id_, encode_binary(type_, data, id_))
        return request

    def unsent(self) -> Request | None:
        """The first one that the connection of this moment does not have."""
        return next((request for request in self._open.values() if not request.sent), None)

    def interrupt(self) -> None:
        """The connection is lost."""
        for request in self._open.values():
            request.sent = False

    def settle(self, id_: int, answer: Envelope) -> None:
        """An answer came."""
        request = self._open.pop(id_, None)
        if request is not None and not request.answer.done():
            request.answer.set_result(answer)

    def give_up(self, request: Request) -> None:
        """Nobody waits for its answer any more."""
        self._open.pop(request.id, None)

    def fail_risked(self, last_id: int | None, error: Exception) -> None:
        """Answers are lost: of all that was sent up to `last_id`, or of all if that is not known. The rest goes on."""
        for request in list(self._open.values()):
            if request.risked and (last_id is None or request.id <= last_id):
                self._fail(request, error)

    def fail(self, error: BaseException) -> None:
        """No answer will come."""
        for request in list(self._open.values()):
            self._fail(request, error)

    def _fail(self, request: Request, error: BaseException) -> None:
        del self._open[request.id]
        if not request.answer.done():
            request.answer.set_exception(error)
