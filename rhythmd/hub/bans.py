"""Who may not come back into a room, and until when."""

from time import monotonic
from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.hub.member import Profile

__all__ = ["BanList"]

BANS_LIMIT: Final = 1_000


class BanList:
    """Bans by user and, for guests, by address. Lives and ends with the room."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def add(self, profile: Profile, seconds: int | None) -> None:
        """Ban for `seconds`, or for good. Raises Refused when the list is full."""
        now = monotonic()
        self._until = {key: until for key, until in self._until.items() if until > now}
        if len(self._until) >= BANS_LIMIT:
            raise Refused(ErrorCode.INVALID_FIELD, f"a room holds at most {BANS_LIMIT} bans", "user")
        until = float("inf") if seconds is None else now + seconds
        for key in profile.ban_keys():
            self._until[key] = until

    def lift(self, key: str) -> bool:
        """End the ban of a user's id or an address; False when there was none."""
        return self._until.pop(key, None) is not None

    def holds(self, profile: Profile) -> bool:
        now = monotonic()
        return any(self._until.get(key, 0.0) > now for key in profile.ban_keys())
