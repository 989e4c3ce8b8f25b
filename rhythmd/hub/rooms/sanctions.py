"""What moderators impose on people in a room: bans, and mutes of notes and of chat.

All of it is of the person, wherever they are: whoever leaves, comes back, or comes back on another socket has it still.
It ends with its time, when it is lifted, or with the room.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from math import inf
from time import monotonic
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import customer_network, parse_address
from rhythmd.clock import unix_ms
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Member, Player
from rhythmd.rows import FOREVER, Sanction, SanctionKind

__all__ = ["SANCTIONS_LIMIT", "Imposed", "SanctionList", "Sanctions"]

SANCTIONS_LIMIT: Final = 1_000  # of each kind
SHARED: Final = "|"
"""Between a network and a user, where both are stored as one."""


class Imposed(NamedTuple):
    """One sanction: what it applies to, a user's id first; its end in `monotonic` seconds; what the user was called."""

    keys: tuple[str, ...]
    until: float
    name: str = ""

    @property
    def seconds_left(self) -> float | None:
        """None: it has no end."""
        return None if self.until == inf else max(self.until - monotonic(), 0.0)

    @property
    def subjects(self) -> list[str]:
        """What it is stored under, a row each: the user's id, and with it the networks, which others may share."""
        user, *networks = self.keys
        return [user, *(f"{network}{SHARED}{user}" for network in networks)]


class SanctionList:
    """Sanctions of one kind, by user and, for guests, by network.

    Args:
        full: the code of a refusal when there are as many as may be.
    """

    __slots__ = ("_full", "_imposed", "_users", "next_end")

    def __init__(self, full: ErrorCode) -> None:
        self._full = full
        self._imposed: dict[str, Imposed] = {}  # by user
        self._users: dict[str, set[str]] = {}  # what they stand under, and whose: several may share a network
        self.next_end = inf

    def add(self, player: Player, seconds: int | None) -> None:
        """Impose it for `seconds`, or for good. Raises Refused when the list is full."""
        before = self.of(player.id)
        keys = tuple(dict.fromkeys((*player.ban_keys(), *(before.keys if before is not None else ()))))
        if before is None and len(self._imposed) >= SANCTIONS_LIMIT and len(self.all()) >= SANCTIONS_LIMIT:
            raise Refused(self._full, f"a room has at most {SANCTIONS_LIMIT} of these")
        self.restore(keys, inf if seconds is None else seconds, player.name)

    def restore(self, keys: tuple[str, ...], seconds: float, name: str = "") -> None:
        """Put one in force under all its keys, the user's id first, with what is left of it."""
        keys = tuple(customer_network(key) for key in keys)  # one of an older server may have an address
        self._forget(keys[0])
        until = monotonic() + seconds
        self._imposed[keys[0]] = Imposed(keys, until, name)
        for key in keys:
            self._users.setdefault(key, set()).add(keys[0])
        self.next_end = min(self.next_end, until)

    def restore_all(self, imposed: Iterable[Imposed]) -> None:
        """Put those in force that `all` gave before."""
        for keys, until, name in imposed:
            self.restore(keys, until - monotonic(), name)

    def change(self, user_id: str, seconds: int | None) -> bool:
        """Give that of a user another end; whether there was one."""
        one = self.of(user_id)
        if one is not None:
            self.restore(one.keys, inf if seconds is None else seconds, one.name)
        return one is not None

    def all(self) -> list[Imposed]:
        """Those in force."""
        now = monotonic()
        return [one for one in self._imposed.values() if one.until > now]

    def of(self, user_id: str) -> Imposed | None:
        """That of a user, if it is in force."""
        one = self._imposed.get(user_id)
        return one if one is not None and one.until > monotonic() else None

    def lift(self, user_id: str) -> bool:
        """End that of a user; whether there was one. Those of others at the same network stay."""
        one = self.of(user_id)
        self._forget(user_id)
        return one is not None

    def over(self, player: Player) -> list[Imposed]:
        """Those in force that apply to `player`: their own, and those of others at a guest's network."""
        if not self._imposed:
            return []
        users = dict.fromkeys(user for key in player.ban_keys() for user in self._users.get(key, ()))
        return [one for user in users if (one := self.of(user)) is not None]

    def applies_to(self, player: Player) -> bool:
        """Whether one is in force for `player` now."""
        return bool(self.over(player))

    def forget_ended(self) -> None:
        """Forget what is over."""
        now = monotonic()
        for user in [user for user, one in self._imposed.items() if one.until <= now]:
            self._forget(user)
        self.next_end = min((one.until for one in self._imposed.values()), default=inf)

    def _forget(self, user_id: str) -> None:
        one = self._imposed.pop(user_id, None)
        for key in () if one is None else one.keys:
            users = self._users[key]
            users.discard(user_id)
            if not users:
                del self._users[key]


class Sanctions(dict[SanctionKind, SanctionList]):
    """Everything that is imposed in a room, by kind.

    A member is marked as muted, so that the way of a note costs nothing; only of one who is marked the time is asked.

    Args:
        members: of the room.
        tell: lets the room know what a member is like now.
    """

    def __init__(self, members: Mapping[int, Member], tell: Callable[[Member], None]) -> None:
        super().__init__()
        self._members = members
        self._tell = tell
        for kind in SanctionKind:
            self[kind] = SanctionList(ErrorCode.BAN_LIMIT if kind is SanctionKind.BAN else ErrorCode.MUTE_LIMIT)

    @property
    def bans(self) -> SanctionList:
        return self[SanctionKind.BAN]

    @property
    def mutes(self) -> tuple[SanctionList, SanctionList]:
        return self[SanctionKind.NOTES], self[SanctionKind.CHAT]

    def restore_stored(self, rows: Iterable[Sanction]) -> None:
        """Put in force what a store has kept. Older servers stored what one stands under with one time and author."""
        rows = list(rows)
        networks: defaultdict[tuple[SanctionKind, str], list[str]] = defaultdict(list)
        for row in rows:
            network, is_shared, user = row.subject.partition(SHARED)
            if is_shared:
                networks[row.kind, user].append(network)
        ordered = sorted((row for row in rows if SHARED not in row.subject), key=_author)
        for (kind, *_), group in groupby(ordered, key=_author):
            parts = list(group)
            left = inf if parts[0].until >= FOREVER else (parts[0].until - unix_ms()) / 1000
            keys = _user_first(parts)
            self[kind].restore((*keys, *networks[kind, keys[0]]), left, parts[0].name)

    def all(self) -> dict[SanctionKind, list[Imposed]]:
        """Those in force, by kind."""
        return {kind: some for kind, imposed in self.items() if (some := imposed.all())}

    def mark(self, member: Member) -> bool:
        """Let `member` be muted as the lists say; whether that is news."""
        before = (member.notes_muted, member.chat_muted)
        member.notes_muted = self[SanctionKind.NOTES].applies_to(member.player)
        member.chat_muted = self[SanctionKind.CHAT].applies_to(member.player)
        return before != (member.notes_muted, member.chat_muted)

    def refresh(self) -> list[Member]:
        """Mute and unmute whom what is imposed now applies to; those for whom that is news, and the room was told."""
        changed = [member for member in self._members.values() if self.mark(member)]
        for member in changed:
            self._tell(member)
        return changed

    def silences(self, member: Member) -> bool:
        """Whether the notes of `member` are muted at this moment."""
        return member.notes_muted and self._lasts(SanctionKind.NOTES, member)

    def gags(self, member: Member) -> bool:
        """Whether `member` may say nothing at this moment: by a moderator of the room, or of the server."""
        return member.player.chat_muted or (member.chat_muted and self._lasts(SanctionKind.CHAT, member))

    def require_voice(self, member: Member) -> None:
        """Raise Refused when `member` may say nothing, whatever the way."""
        if self.gags(member):
            raise Refused(ErrorCode.CHAT_MUTED, "you are muted in this chat")

    def _lasts(self, kind: SanctionKind, member: Member) -> bool:
        """Whether the mute of a member who is marked is not over. If it is, the room hears of it."""
        lasts = self[kind].applies_to(member.player)
        if not lasts:
            self.refresh()
        return lasts

    def end(self) -> None:
        """Forget what is over, and let those be heard again whose mute it was."""
        now = monotonic()
        ended = [imposed for imposed in self.values() if imposed.next_end <= now]
        for imposed in ended:
            imposed.forget_ended()
        if ended:
            self.refresh()


def _author(row: Sanction) -> tuple[SanctionKind, int, str, int, str]:
    return row.kind, row.created, row.by or "", row.until, row.name


def _user_first(parts: Sequence[Sanction]) -> tuple[str, ...]:
    """What one sanction stands under: the user's id, which is no address, comes first."""
    subjects = (one.subject for one in parts)
    return tuple(sorted(subjects, key=lambda subject: parse_address(subject.partition("/")[0]) is not None))
