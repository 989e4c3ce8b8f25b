"""The port through which a room is kept: what of it outlives its members, or the process.

Each room has one keeper. Handlers ask it and never know which one it is: `hub/keeping/` has one that writes to the
store and one that writes to the live file.
"""

from collections.abc import Coroutine
from typing import Any, Protocol

from msgspec import UnsetType

from rhythm_protocol.messages import ChatKind, RoomSettings
from rhythmd.hub.rooms.members import Member
from rhythmd.rows import SanctionKind

__all__ = ["Keeper", "Later"]

Later = Coroutine[Any, Any, None] | None
"""None when it is done; else what to wait for. Either way it may be acknowledged then, and a restart finds it."""


class Keeper(Protocol):
    """Keeps one room.

    What is asked for is allowed already: the rules are the handlers' and the room's. Every method that returns `Later`
    does the whole act, what the members see of it included, and may raise Refused (`unavailable`), at once or later.
    """

    @property
    def owner_id(self) -> str | None:
        """The account that the room belongs to, also while its user is elsewhere."""
        ...

    @property
    def passes_ownership(self) -> bool:
        """Whether the longest present becomes the owner when the owner leaves."""
        ...

    @property
    def has_password(self) -> bool: ...

    def check_password(self, password: str | None) -> bool | Coroutine[Any, Any, bool]:
        """Whether `password` opens the room; any does when it has none. A slow hash is computed beside the loop."""
        ...

    def say(self, author: Member, kind: ChatKind, content: str, request_id: int | None) -> Later:
        """A line of chat for everybody.

        Args:
            author: who says it.
            kind: `text` or `me`.
            content: of the line.
            request_id: of the last message with an id that the author's session has had handled, this one included.
        """
        ...

    def clear_chat(self) -> Later:
        """Forget the chat, here and on every screen."""
        ...

    def sanction(self, kind: SanctionKind, user_id: str, by: str, reason: str = "") -> Later:
        """Write down what is in force for a user's id; `by` is the id of their judge."""
        ...

    def pardon(self, kind: SanctionKind, user_id: str) -> Later:
        """End what is in force for a user's id; what cannot be forgotten now stays, so that it can be ended later."""
        ...

    def change(self, name: str, settings: RoomSettings, password: str | UnsetType | None) -> Later:
        """Put a new name and new settings in force. `password`: UNSET stays, None is taken away."""
        ...

    def room_changed(self) -> None:
        """The room's owner, metronome or anything else that a list of rooms shows is another one."""

    def room_closed(self) -> "Keeper":
        """The room is no longer live; who is its keeper from then on, and does not keep the room itself alive."""
        ...

    def seat_taken(self, member: Member) -> None:
        """A member is new, or another in some way."""

    def seat_left(self, member: Member) -> None:
        """A member is gone."""
