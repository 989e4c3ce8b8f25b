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
    """A user who is known: one with an account, or a guest who was here before.

    Args:
        expires: Unix seconds; the proof ends then unless it is renewed.
        login_id: the login that it belongs to.
        name, colour: None for a guest, who is given them.
        muted_until: Unix seconds; no chat before, anywhere.
    """

    user_id: str
    login_id: str
    expires: float
    guest: bool
    name: str | None = None
    colour: str | None = None
    status_text: str = ""
    roles: frozenset[str] = frozenset()
    muted_until: float = 0.0


class Authenticator(Protocol):
    """Tells who is behind credentials."""

    async def identify(self, credentials: Credentials, address: str) -> Identity:
        """Raises Refused: `login-expired`, `login-invalid`, `user-banned` or `unavailable`."""
