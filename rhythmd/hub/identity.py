"""Who a client proved to be, and the port to whoever can tell."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Authenticator", "Credentials", "Identity"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client showed at the handshake. `token` is an access token, `ticket` a one-time ticket."""

    token: str | None = None
    ticket: str | None = None

    def __bool__(self) -> bool:
        return self.token is not None or self.ticket is not None


@dataclass(frozen=True, slots=True)
class Identity:
    """A user with an account.

    `expires` (Unix seconds) is when the proof ends unless it is renewed; `login_id` is the login it belongs to.
    """

    user_id: str
    name: str
    colour: str
    status_text: str
    roles: frozenset[str]
    login_id: str
    expires: float
    chat_muted: bool = False


class Authenticator(Protocol):
    """Tells who is behind credentials."""

    async def identify(self, credentials: Credentials, address: str) -> Identity:
        """Raises Refused: `login-expired`, `login-revoked`, `user-banned` or `unavailable`."""
