"""Values that the services take and return."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from rhythmd.rows import Account, Role

__all__ = ["Client", "Clock", "Grant", "Guest", "Login", "Principal"]

USER_AGENT_LENGTH: Final = 256

Clock = Callable[[], int]
"""Milliseconds."""


class Client(Struct, frozen=True):
    """The client that a request comes from. `address` is an IP address, `user_agent` a header's text of any length.

    `browser` is what a cookie of ours tells it from others by; "" if it showed none.
    """

    address: str = ""
    user_agent: str = ""
    browser: str = ""

    @property
    def agent(self) -> str:
        """The header's text, short and whole: a store refuses bytes that were no UTF-8."""
        return self.user_agent[:USER_AGENT_LENGTH].encode("utf-8", "replace").decode()


class Grant(Struct, frozen=True, kw_only=True):
    """The tokens of a session. Times are Unix ms."""

    session_id: str
    access_token: str
    access_expires: int
    refresh_token: str
    refresh_expires: int


class Login(Struct, frozen=True, kw_only=True):
    """An account and the session that was opened, or renewed, for it."""

    account: Account
    grant: Grant


class Guest(Struct, frozen=True, kw_only=True):
    """A guest, who has no account and no refresh token: asking again in time gives the same guest."""

    id: str
    access_token: str
    access_expires: int


class Principal(Struct, frozen=True, kw_only=True):
    """The account or guest behind a request or a socket, as the store has it now.

    `account` is None for a guest. `expires` (Unix ms) is the end of the token that proved it.
    """

    user_id: str
    session_id: str
    expires: int
    account: Account | None = None

    @property
    def is_guest(self) -> bool:
        return self.account is None

    @property
    def roles(self) -> frozenset[Role]:
        return self.account.roles if self.account else frozenset()
