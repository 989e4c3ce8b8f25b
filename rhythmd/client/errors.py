"""Errors that end a client command before its time.

RhythmdError
+-- ClientError           the text is for the user
    +-- FileError         the file to play or to write
    +-- Unreachable       no rhythmd server answers there
    +-- RequestRefused    the server answered with an error
    +-- RemovedFromRoom   the owner kicked or banned this client
    +-- ConnectionEnded   the server closed the connection, or it broke
        +-- PlayedTooMuch the server closed it because too many events came
        +-- SessionLost   the server is there again, but does not know what was before
"""

from typing import ClassVar, Final

from rhythm_protocol.close import ABNORMAL, NORMAL, TRY_AGAIN_LATER, Close
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RoomLeft
from rhythmd.errors import RhythmdError

__all__ = [
    "PLAY_LESS",
    "ClientError",
    "ConnectionEnded",
    "FileError",
    "PlayedTooMuch",
    "RemovedFromRoom",
    "RequestRefused",
    "SessionLost",
    "Unreachable",
]

PLAY_LESS: Final = "play it slower (--speed 0.5), or in a room that allows black MIDI"
"""What to do about it, for a user of `rhythmd play`."""

_PASSING: Final = frozenset(
    {ErrorCode.STOPPING, ErrorCode.UNAVAILABLE, ErrorCode.CONNECTION_LOST, ErrorCode.RATE_LIMITED}
)


class ClientError(RhythmdError):
    """Root of the client's errors. `exit_status` is what the process ends with."""

    exit_status: ClassVar[int] = 1


class FileError(ClientError):
    """A file is missing, cannot be written, or is no MIDI."""

    exit_status = 2


class Unreachable(ClientError):
    """Nothing at the URL speaks `rhythm.v1`; `rule` says when to try again."""

    exit_status = 3
    rule: ClassVar[Close] = ABNORMAL


class RequestRefused(ClientError):
    """The server refused a request; `rule` says whether to ask again, and when.

    Args:
        request: the type of the message that was refused.
        code: from the published table, or one that came later.
        message: why, for people.
    """

    exit_status = 4

    def __init__(self, request: str, code: str, message: str) -> None:
        super().__init__(f"the server refused {request}: {message} ({code})")
        self.code = code
        self.rule = TRY_AGAIN_LATER if code in _PASSING else NORMAL


class RemovedFromRoom(ClientError):
    """Put out of the room without having asked for it."""

    exit_status = 4

    def __init__(self, left: RoomLeft) -> None:
        reason = f": {left.message}" if left.message else ""
        super().__init__(f"{left.reason} from the room{reason}")


class ConnectionEnded(ClientError):
    """The connection is gone; `rule` says whether to come back, and when."""

    exit_status = 5

    def __init__(self, rule: Close, reason: str = "") -> None:
        told = f": {reason}" if reason else ""
        super().__init__(f"the connection ended: {rule.name} ({rule.code}){told}; {self._advice(rule)}")
        self.rule = rule

    def _advice(self, rule: Close) -> str:
        if rule.reconnect_after is None:
            return "trying again will not help"
        low, high = rule.reconnect_after
        return f"try again in {low:g} to {high:g} s"


class PlayedTooMuch(ConnectionEnded):
    """More events came at once than any room takes from one player."""

    def _advice(self, rule: Close) -> str:
        return f"too many events came at once, {PLAY_LESS}"


class SessionLost(ConnectionEnded):
    """The server is there again, but the session, the place in the room or an answer is lost: begin anew."""
