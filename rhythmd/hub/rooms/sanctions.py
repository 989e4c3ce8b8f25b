"""What moderators impose on people in a room: bans, and mutes of notes and of chat.

All of it is of the person, wherever they are: whoever leaves, comes back, or comes back on another socket has it still.
It ends with its time, when it is lifted, or with the room.
"""

from collections.abc import Callable, Iterable
from math import inf
from time import monotonic
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import customer_network
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Member, Player
from rhythmd.rows import SanctionKind

__all__ = ["SANCTIONS_LIMIT", "Imposed", "SanctionList", "Sanctions"]

SANCTIONS_LIMIT: Final = 1_000  # of each kind


class Imposed(NamedTuple):
    """One sanction: what it applies to, a user's id first; its end in `monotonic` seconds; what the user was called."""

    keys: tuple[str, ...]
    until: float
    name: str = ""

    @property
    def seconds_left(self) -> float | None:
        """None: it has no end."""
        return None if self.until == inf else max(self.until - monotonic(), 0.0)


class SanctionList:
    """Sanctions of one kind, by user and, for guests, by network.

    Args:
        full: the code of a refusal when there are as many as may be.
    """

    __slots__ = ("_full", "_imposed", "next_end")

    def __init__(self, full: ErrorCode) -> None:
        self._full = full
        self._imposed: dict[str, Imposed] = {}  # a guest's stands under the id and under the network
        self.next_end = inf

    def add(self, player: Player, seconds: int | None) -> None:
        """Impose it for `seconds`, or for good. Raises Refused when the list is full."""
        self.forget_ended()
        keys = tuple(dict.fromkeys((*player.ban_keys(), *self.keys_of(player.id))))
        if len(self._imposed) >= SANCTIONS_LIMIT and player.id not in self._imposed:
            raise Refused(self._full, f"a room has at most {SANCTIONS_LIMIT} of these")
        self.restore(keys, inf if seconds is None else seconds, player.name)

    def restore(self, keys: tuple[str, ...], seconds: float, name: str = "") -> None:
        """Put one in force under all its keys, with what is left of it."""
        keys = tuple(customer_network(key) for key in keys)  # one of an older server may have an address
        until = monotonic() + seconds
        self._imposed |= dict.fromkeys(keys, Imposed(keys, until, name))
        self.next_end = min(self.next_end, until)

    def restore_all(self, imposed: Iterable[Imposed]) -> None:
        """Put those in force that `all` gave before."""
        for keys, until, name in imposed:
            self.restore(keys, until - monotonic(), name)

    def change(self, key: str, seconds: int | None) -> bool:
        """Give that of a user's id or an address another end; whether there was one."""
        keys = self.keys_of(key)
        if keys:
            self.restore(keys, inf if seconds is None else seconds, self._imposed[key].name)
        return bool(keys)

    def all(self) -> list[Imposed]:
        """Those in force, each once."""
        now = monotonic()
        return list({one.keys: one for one in self._imposed.values() if one.until > now}.values())

    def of(self, key: str) -> Imposed | None:
        """That of a user's id or an address, if it is in force."""
        one = self._imposed.get(key)
        return one if one is not None and one.until > monotonic() else None

    def keys_of(self, key: str) -> tuple[str, ...]:
        """What that of a user's id or an address stands under, that among it; nothing if there is none."""
        one = self.of(key)
        return () if one is None else one.keys

    def lift(self, key: str) -> bool:
        """End that of a user's id or an address, under all its keys; whether there was one."""
        keys = self.keys_of(key)
        self._imposed = {key: one for key, one in self._imposed.items() if key not in keys}
        return bool(keys)

    def applies_to(self, player: Player) -> bool:
        """Whether it is in force for `player` now."""
        return bool(self._imposed) and any(self.of(key) is not None for key in player.ban_keys())

    def forget_ended(self) -> None:
        """Forget what is over."""
        now = monotonic()
        self._imposed = {key: one for key, one in self._imposed.items() if one.until > now}
        self.next_end = min((one.until for one in self._imposed.values()), default=inf)


class Sanctions(dict[SanctionKind, SanctionList]):
    """Everything that is imposed in a room, by kind."""

    def __init__(self) -> None:
        super().__init__()
        for kind in SanctionKind:
            self[kind] = SanctionList(ErrorCode.BAN_LIMIT if kind is SanctionKind.BAN else ErrorCode.MUTE_LIMIT)

    @property
    def bans(self) -> SanctionList:
        return self[SanctionKind.BAN]

    @property
    def mutes(self) -> tuple[SanctionList, SanctionList]:
        return self[SanctionKind.NOTES], self[SanctionKind.CHAT]

    def all(self) -> dict[SanctionKind, list[Imposed]]:
        """Those in force, by kind."""
        return {kind: some for kind, imposed in self.items() if (some := imposed.all())}

    def mark(self, member: Member) -> bool:
        """Let `member` be muted as the lists say; whether that is news."""
        before = (member.notes_muted, member.chat_muted)
        member.notes_muted = self[SanctionKind.NOTES].applies_to(member.player)
        member.chat_muted = self[SanctionKind.CHAT].applies_to(member.player)
        return before != (member.notes_muted, member.chat_muted)

    def refresh(self, members: Iterable[Member], tell: Callable[[Member], None]) -> list[Member]:
        """Mute and unmute whom what is imposed now applies to; those for whom that is news, and `tell` was called."""
        changed = [member for member in members if self.mark(member)]
        for member in changed:
            tell(member)
        return changed

    def forget_ended(self) -> bool:
        """Whether a mute has ended since this was asked last."""
        now = monotonic()
        ended = [kind for kind, imposed in self.items() if imposed.next_end <= now]
        for kind in ended:
            self[kind].forget_ended()
        return bool(ended)
