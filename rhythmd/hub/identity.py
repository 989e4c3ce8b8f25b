"""Who a client proved to be, and the port to whoever can tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol

__all__ = ["Authenticator", "Credentials", "EndedLogins", "Identity"]

REMEMBERED_S: Final = 60.0  # longer than any identification takes


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


class EndedLogins:
    """The ids of logins that ended a moment ago.

    Whoever identifies a client may have asked the store just before the end, and have the answer just after it.
    """

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[str, float] = {}  # the oldest first

    def add(self, login_ids: Iterable[str]) -> None:
        now = monotonic()
        while self._until and next(iter(self._until.values())) <= now:
            del self._until[next(iter(self._until))]
        self._until |= dict.fromkeys(login_ids, now + REMEMBERED_S)

    def __contains__(self, login_id: str) -> bool:
        return login_id in self._until
