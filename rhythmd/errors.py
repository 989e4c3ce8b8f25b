"""The server's own exceptions.

    RhythmdError
    +-- ConfigError       the operator's configuration is wrong; stops the start
    +-- Refused           the peer asked for something it cannot have; goes to it as an `error`

What is wrong with a message's form is `rhythm_protocol.errors.ProtocolError`. Anything else is our own mistake.
"""

from rhythm_protocol.errors import ErrorCode

__all__ = ["ConfigError", "Refused", "RhythmdError"]


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
