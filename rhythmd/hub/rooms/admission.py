"""Reserved seats and bans: whom a room lets in before all others, and whom it does not."""

from math import inf
from time import monotonic
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import customer_network
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Player

__all__ = ["BANS_LIMIT", "BanList", "Reservations"]

RESERVED_S: Final = 30.0
BANS_LIMIT: Final = 1_000


class _Ban(NamedTuple):
    keys: tuple[str, ...]
    until: float


class BanList:
    """Bans by user and, for guests, by network. Lives and ends with the room."""

    __slots__ = ("_bans",)

    def __init__(self) -> None:
        self._bans: dict[str, _Ban] = {}  # a guest's stands under the id and under the network

    def add(self, player: Player, seconds: int | None) -> None:
        """Ban for `seconds`, or for good. Raises Refused when the list is full."""
        now = monotonic()
        self._bans = {key: ban for key, ban in self._bans.items() if ban.until > now}
        if len(self._bans) >= BANS_LIMIT:
            raise Refused(ErrorCode.BAN_LIMIT, f"a room has at most {BANS_LIMIT} bans")
        self.restore(player.ban_keys(), inf if seconds is None else seconds)

    def restore(self, keys: tuple[str, ...], seconds: float) -> None:
        """Put a ban in force under all its keys, with what is left of it."""
        keys = tuple(customer_network(key) for key in keys)  # one of an older server may have an address
        self._bans |= dict.fromkeys(keys, _Ban(keys, monotonic() + seconds))

    def restore_all(self, bans: list[tuple[tuple[str, ...], float]]) -> None:
        """Put bans in force that `all` gave before."""
        for keys, until in bans:
            self.restore(keys, until - monotonic())

    def change(self, key: str, seconds: int | None) -> bool:
        """Give the ban of a user's id or an address another end; whether there was one."""
        keys = self.keys_of(key)
        if keys:
            self.restore(keys, inf if seconds is None else seconds)
        return bool(keys)

    def all(self) -> list[tuple[tuple[str, ...], float]]:
        """Each ban's keys, and its end in `monotonic` seconds."""
        return list({ban.keys: ban.until for ban in self._bans.values()}.items())

    def keys_of(self, key: str) -> tuple[str, ...]:
        """What the ban of a user's id or an address stands under, that among it; nothing if there is none."""
        ban = self._bans.get(key)
        return ban.keys if ban is not None and ban.until > monotonic() else ()

    def lift(self, key: str) -> bool:
        """End the ban of a user's id or an address, under both; whether there was one."""
        keys = self.keys_of(key)
        self._bans = {key: ban for key, ban in self._bans.items() if key not in keys}
        return bool(keys)

    def applies_to(self, player: Player) -> bool:
        """Whether `player` may not come in now."""
        now = monotonic()
        bans = (self._bans.get(key) for key in player.ban_keys())
        return any(ban is not None and ban.until > now for ban in bans)


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
