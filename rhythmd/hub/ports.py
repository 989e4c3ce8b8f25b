"""The hub's ports: what it asks of a socket, what a socket tells it, who is behind one, and what sheets there are.

`net/connection.py` implements `Peer`; `hub/hub.py` implements `Receiver`. Neither knows the other's module.
`bridges.py` implements `LoginVerifier` and `SheetSource`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeVar

from rhythm_protocol.close import Close
from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.traces import TracedMute
from rhythmd.fairness.account import Account
from rhythmd.midi.score import Score

__all__ = [
    "Arrival",
    "Credentials",
    "Encoding",
    "Identity",
    "LapsedLogin",
    "LoginVerifier",
    "Peer",
    "Performance",
    "Receiver",
    "SheetSource",
    "Stranger",
]


SessionT = TypeVar("SessionT")
Session_contra = TypeVar("Session_contra", contravariant=True)


class Encoding(IntEnum):
    """How a peer wants its messages: the two subprotocols."""

    BINARY = 0
    TEXT = 1


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client showed at the handshake. `token` is an access token, `ticket` a one-time ticket.

    A browser shows its cookie without being asked; whoever shows something else wants it looked at.
    """

    token: str | None = None
    ticket: str | None = None
    is_cookie: bool = False

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
        made: Unix seconds of the account's making; 0 for a guest.
        browser: what tells the browser of the socket from others; "" if it showed nothing.
        traced: the mute of another account, whose traces lead to this user.
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
    made: float = 0.0
    browser: str = ""
    traced: TracedMute | None = None

    def seconds_left(self) -> float:
        """How long the proof is good for."""
        return round(max(self.expires - time.time(), 0.0), 3)


@dataclass(frozen=True, slots=True)
class LapsedLogin:
    """The login of a cookie that is not good any more. Its browser's user is a guest, who is told `code`."""

    code: ErrorCode
    browser: str = ""
    traced: TracedMute | None = None


@dataclass(frozen=True, slots=True)
class Stranger:
    """A guest of whom nothing is known but their browser, and whether traces of a muted account lead to them."""

    browser: str
    traced: TracedMute | None = None


Arrival = Identity | LapsedLogin | Stranger | None
"""What is known of who opens a socket."""


class LoginVerifier(Protocol):
    """Tells who is behind credentials."""

    async def verify(self, credentials: Credentials, address: str) -> Identity:
        """Raises Refused: `login-expired`, `login-invalid`, `user-banned` or `unavailable`."""

    async def admit(self, credentials: Credentials, address: str) -> Identity | LapsedLogin:
        """The same at a handshake, where a cookie whose login is over is no reason to keep its browser out."""


@dataclass(frozen=True, slots=True)
class Performance:
    """A sheet of the library, ready to be played. `artist` may be empty."""

    sheet_id: str
    title: str
    artist: str
    score: Score


class SheetSource(Protocol):
    """The sheets that may be played in rooms."""

    async def performance(self, sheet_id: str, user_id: str | None, roles: frozenset[str]) -> Performance:
        """The sheet, for a user who may read it. Neither reading nor parsing is done on the loop, and both end.

        Args:
            user_id: None for a guest.
            roles: of that user.

        Raises:
            Refused: `not-found` when there is none, or none that this user may read; `unavailable`.
        """


class Peer(Protocol[Session_contra]):
    """One open WebSocket connection."""

    @property
    def encoding(self) -> Encoding: ...

    @property
    def address(self) -> str:
        """The client's IP address."""
        ...

    @property
    def bot(self) -> bool:
        """Whether the client called itself one (`/ws?bot=1`)."""
        ...

    @property
    def write(self) -> Callable[[bytes], None]:
        """Sends whole frames; never blocks, never raises."""
        ...

    def waiting_bytes(self) -> int:
        """How much waits for the client to read."""
        ...

    def unread_bytes(self) -> int:
        """How much the client has sent that was not its turn, or is not whole."""
        ...

    def unread_s(self) -> float:
        """For how long there has been some of that, in seconds."""
        ...

    def close(self, rule: Close) -> None:
        """Start the close handshake; nothing is written afterwards. Idempotent."""
        ...

    def drop(self, rule: Close) -> None:
        """The same, without waiting for long: what waits is lost."""
        ...

    @property
    def account(self) -> Account:
        """What pays for work that is done for this client outside of `Receiver`'s calls."""
        ...

    def hand_to(self, session: Session_contra) -> None:
        """From now on, what comes in is said by `session`."""
        ...


class Receiver(Protocol[SessionT]):
    """Where a connection takes what happens to it. Every method is plain `def` and returns at once."""

    def attach(self, peer: Peer[SessionT], identity: Arrival) -> SessionT:
        """A new client: a user with an account, or a guest."""
        ...

    def on_binary(self, session: SessionT, payload: bytes) -> None: ...

    def on_text(self, session: SessionT, payload: str) -> None: ...

    def on_pause(self, session: SessionT) -> None:
        """More waits for the client than music may."""

    def on_drain(self, session: SessionT) -> None:
        """The client has read most of it."""

    def on_slowed(self, session: SessionT) -> None:
        """More comes from the client than may, so it is read more slowly."""

    def unconfirmed(self, session: SessionT) -> int | None:
        """A number to ask the client for in a ping, when it shall confirm what it got."""

    def on_confirm(self, session: SessionT, number: int) -> None:
        """The client got all that was written before the ping with this number."""

    def on_lost(self, session: SessionT, rule: Close) -> None:
        """The peer is gone, for this reason; called once."""
