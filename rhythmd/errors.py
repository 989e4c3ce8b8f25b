"""The server's own exceptions.

    RhythmdError
    +-- ConfigError       the operator's configuration is wrong; stops the start
    +-- Refused           the peer asked for something it cannot have; goes to it as an `error`
    +-- RefusedFile       a file is not what it must be
    +-- FileTooCostly     a file takes more time or memory than the server gives to one

What is wrong with a message's form is `rhythm_protocol.errors.ProtocolError`. Anything else is our own mistake.
"""

from rhythm_protocol.errors import ErrorCode

__all__ = ["ConfigError", "FileTooCostly", "Refused", "RefusedFile", "RhythmdError"]


class RhythmdError(Exception):
    """Root of everything this server raises on purpose."""


class ConfigError(RhythmdError):
    """A key or value in the configuration is wrong. The text names the source, the key and what is allowed."""


class Refused(RhythmdError):
    """A well-formed request that is not granted.

    Args:
        code: from the published table.
        message: why, for people.
        field: the request's field that stands in the way, if one does.
    """

    def __init__(self, code: ErrorCode, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class RefusedFile(RhythmdError):
    """A file that is not what it must be.

    Args:
        reason: what is wrong with it, and where, for people who sent it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FileTooCostly(RhythmdError):
    """A file that takes more time or memory than the server gives to one.

    Args:
        reason: which of the two, for people who sent it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
