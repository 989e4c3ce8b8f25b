"""Reserved seats: whom a room lets in before all others."""

from time import monotonic
from typing import Final

__all__ = ["Reservations"]

RESERVED_S: Final = 30.0


class Reservations:
    """Users with a reserved seat, and until when. What is over is forgotten at the next look."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def reserve(self, user_id: str) -> None:
        self._until[user_id] = monotonic() + RESERVED_S

    def release(self, user_id: str) -> None:
        self._until.pop(user_id, None)

    def clear(self) -> None:
        self._until.clear()

    def __contains__(self, user_id: str) -> bool:
        return self._until.get(user_id, 0.0) > monotonic()

    def __len__(self) -> int:
        now = monotonic()
        if self._until:
            self._until = {user: until for user, until in self._until.items() if until > now}
        return len(self._until)
