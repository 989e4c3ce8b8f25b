"""A server that lets a session resume, but has forgotten what it last sent."""

from typing import Final

import msgspec
from playwright.async_api import WebSocketRoute

from rhythm_protocol import control
from rhythm_protocol.binary import OP_CONTROL
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import (
    ChatKind,
    ChatLine,
    ChatMessage,
    Error,
    JoinAck,
    JoinRoom,
    Limits,
    Message,
    Notes,
    QuotaState,
    Resume,
    ResumeAck,
    RoomInfo,
    RoomSettings,
    SlotState,
    User,
    Welcome,
)
from rhythm_protocol.midi import NOTE_ON

__all__ = ["ForgetfulServer"]

SLOT: Final = 3
OTHER_SLOT: Final = 4
ROOM: Final = RoomInfo("r1", "Salon", RoomSettings(), has_password=False, players=1, owner=None)
LIMITS: Final = Limits(65_536, 500, 100, 20.0, 40.0, 50.0, 2.0)


class ForgetfulServer:
    """Plays the server for a page, with one member: them. It answers no line of chat on their first socket.

    Attributes:
        resumes: the `resume` messages that came.
        heard: the chat lines that came, on any socket.
        history: what the room remembers of its chat.
        last_id: what it says of the requests that it handled.
        is_busy: whether it refuses to resume, but only once.
    """

    def __init__(self) -> None:
        self.resumes: list[Resume] = []
        self.heard: list[str] = []
        self.history: list[ChatLine] = []
        self.last_id: int | None = None
        self.is_busy = False
        self._sockets: list[WebSocketRoute] = []

    def connect(self, socket: WebSocketRoute) -> None:
        """A page connects."""
        self._sockets.append(socket)
        number = len(self._sockets)
        socket.on_message(self._receive)
        self._send("welcome", Welcome(_user(number), f"token {number}", 0, 1, LIMITS))

    async def lose(self) -> None:
        """End the page's socket as if it had been silent."""
        await self._sockets[-1].close(code=4000)

    def hold(self, *keys: int) -> None:
        """Say that another player holds these keys now, and nobody anything else."""
        state = [(NOTE_ON, key, 100) for key in keys]
        self._send("notes", Notes([SlotState(OTHER_SLOT, state)]))

    def line(self, content: str) -> ChatLine:
        """The next line of the history, by the page's user."""
        line = ChatLine(len(self.history) + 1, 0, ChatKind.TEXT, content, _user(1).id, "Ada", "#ffffff")
        self.history.append(line)
        return line

    def _receive(self, payload: str | bytes) -> None:
        if not isinstance(payload, bytes) or payload[0] != OP_CONTROL:
            return
        envelope = control.decode_binary(payload)
        match control.parse_client(envelope):
            case JoinRoom():
                self._send("ack", self._room(), envelope.id)
            case Resume() as resume:
                self.resumes.append(resume)
                self._resume(resume, envelope.id)
            case ChatMessage(content=content):
                self.heard.append(content)
                if len(self._sockets) > 1:
                    self._send("chat-message", self.line(content))
                    self._send("ack", {}, envelope.id)
            case _:
                pass

    def _resume(self, resume: Resume, id_: int | None) -> None:
        if self.is_busy:
            self.is_busy = False
            self._send("error", Error(ErrorCode.UNAVAILABLE, "not now"), id_)
            return
        user, room = _user(1), self._room()
        self._send(
            "ack", ResumeAck(user, resume.session, recovered=False, missed=0, join=room, last_id=self.last_id), id_
        )

    def _room(self) -> JoinAck:
        return JoinAck(
            SLOT, ROOM, [msgspec.structs.replace(_user(1), slot=SLOT)], [], QuotaState(0, 0, 0), [*self.history]
        )

    def _send(self, type_: str, data: Message | dict[str, object], id_: int | None = None) -> None:
        self._sockets[-1].send(control.encode_binary(type_, data, id_))


def _user(number: int) -> User:
    return User(f"u{number}", "Ada", "#ffffff")
