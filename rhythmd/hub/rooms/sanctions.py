"""What moderators impose on people in a room: bans, and mutes of notes and of chat.

All of it is of the person, wherever they are: whoever leaves, comes back, or comes back on another socket has it still.
It ends with its time, when it is lifted, or with the room.

A person who comes back as somebody else is known by their traces, for as long as the operator says: their network and
their browser. Others may have the same ones, a class of thirty behind one address, so a trace is not enough for an
account that was there before: whoever has one of their own is judged by it. Only the browser of a guest, who has
nothing else, stands for all who log in with it.
"""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import groupby
from math import inf
from time import monotonic, time
from typing import Final, NamedTuple

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import customer_network, parse_address
from rhythmd.auth.ranks import Rank, rank_of
from rhythmd.clock import unix_ms
from rhythmd.config import RoomsConfig
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import BROWSER, Member, Player
from rhythmd.rows import FOREVER, Sanction, SanctionKind

__all__ = ["SANCTIONS_LIMIT", "Imposed", "SanctionList", "Sanctions", "stored_lists"]

SANCTIONS_LIMIT: Final = 1_000  # of each kind
PER_NETWORK: Final = 100  # of each kind, on guests of one network
PER_TRACE: Final = 8  # that a network, or a browser, stands for
MOST_KEYS: Final = 32  # of one sanction, with what somebody had who got it again and again
SHARED: Final = "|"
"""Between a trace and a user, where both are stored as one."""
GIVEN_NAME: Final = re.compile(r"Guest \d{4}")
DEFAULTS: Final = RoomsConfig()


class Imposed(NamedTuple):
    """One sanction: what it applies to, a user's id first; its end in `monotonic` seconds; what the user was called.

    `since` is when it was imposed (Unix seconds), `rank` that of who did it, `guest` whether it was on a guest.
    """

    keys: tuple[str, ...]
    until: float
    name: str = ""
    since: float = 0.0
    rank: Rank = Rank.OWNER
    guest: bool = True

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
    """Sanctions of one kind, by what they apply to. What a look for one costs does not grow with how many there are.

    A network or browser stands for `PER_TRACE` of them at most, which those of the highest rank that last longest are;
    the first one of that rank stays, since it applies to all who came after it. Of guests of one network there are
    `PER_NETWORK` at most: the one that ends first, or the oldest, whose guest is most likely gone, makes room.

    Args:
        full: the code of a refusal when there are as many as may be.
        rooms: says how long traces count.
        spares_present: whether guests who came before somebody of their network got it are left alone.
    """

    __slots__ = (
        "_browser_s", "_ends", "_full", "_given_way", "_guests", "_imposed", "_network_s", "_spares_present",
        "_touched", "_users",
    )  # fmt: skip

    def __init__(self, full: ErrorCode, rooms: RoomsConfig = DEFAULTS, *, spares_present: bool = False) -> None:
        self._full = full
        self._spares_present = spares_present
        self._network_s = rooms.ban_network_minutes * 60
        self._browser_s = rooms.ban_browser_days * 86_400
        self._imposed: dict[str, Imposed] = {}  # by user
        self._users: dict[str, dict[str, None]] = {}  # by trace, the user whose it was first in front
        self._guests: dict[str, dict[str, None]] = {}  # by network, the one imposed first in front
        self._ends: list[tuple[float, str]] = []  # a heap; some of it may be out of date
        self._given_way: deque[Imposed] = deque(maxlen=PER_NETWORK)
        self._touched: set[str] = set()

    def add(self, player: Player, seconds: int | None, rank: Rank = Rank.OWNER) -> None:
        """Impose it for `seconds`, or for good, with the power of `rank`. Raises Refused when the list is full."""
        before = self.of(player.id)
        keys = tuple(dict.fromkeys((*player.traces(), *(before.keys if before is not None else ()))))
        if before is None and len(self._imposed) >= SANCTIONS_LIMIT and len(self.all()) >= SANCTIONS_LIMIT:
            raise Refused(self._full, f"a room has at most {SANCTIONS_LIMIT} of these")
        until = inf if seconds is None else monotonic() + seconds
        rank = rank if before is None else max(rank, before.rank)
        self.restore(Imposed(keys[:MOST_KEYS], until, player.name, time(), rank, player.guest))

    def restore(self, one: Imposed) -> None:
        """Put one in force that `all` gave before; an older server's may have an address, or not say since when."""
        keys = tuple(dict.fromkeys(map(customer_network, one.keys)))
        user = keys[0]
        self._forget(user)
        one = self._imposed[user] = one._replace(keys=keys, since=one.since or time())
        for key in keys[1:]:
            self._file_under(key, user)
        self._touch(keys)
        if one.guest and len(keys) > 1 and not keys[1].startswith(BROWSER):
            self._make_room(keys[1], one)
        if one.until != inf:
            self._ends_at(one.until, user)

    def _file_under(self, key: str, user: str) -> None:
        """Let a trace stand for that of a user, too; of too many the one that matters least goes."""
        users = self._users.setdefault(key, {})
        users[user] = None
        if len(users) <= PER_TRACE:
            return
        some = [self._imposed[other] for other in users]
        first = min(some, key=lambda one: (-one.rank, one.since))
        least = min((one for one in some if one is not first), key=lambda one: (one.rank, self._counts_until(key, one)))
        del users[least.keys[0]]

    def _counts_until(self, key: str, one: Imposed) -> float:
        """Until when a trace of it counts (`monotonic` seconds)."""
        lasts_s = self._browser_s if key.startswith(BROWSER) else self._network_s
        return min(one.until, monotonic() + one.since + lasts_s - time())

    def _make_room(self, network: str, newest: Imposed) -> None:
        """Forget the one on a guest of this network that ends first, the oldest of such, if there are too many."""
        guests = self._guests.setdefault(network, {})
        guests[newest.keys[0]] = None
        if len(guests) > PER_NETWORK:
            some = [one for user in guests if (one := self._imposed[user]) is not newest and one.rank <= newest.rank]
            if some:
                least = min(some, key=lambda one: (one.rank, one.until))
                self._forget(least.keys[0])
                self._given_way.append(least)

    def _ends_at(self, until: float, user: str) -> None:
        heappush(self._ends, (until, user))
        if len(self._ends) > 2 * len(self._imposed) + PER_NETWORK:
            self._ends = [(one.until, one.keys[0]) for one in self._imposed.values() if one.until != inf]
            heapify(self._ends)

    @property
    def next_end(self) -> float:
        """When the next of them may be over (`monotonic` seconds)."""
        return self._ends[0][0] if self._ends else inf

    def change(self, user_id: str, seconds: int | None, rank: Rank = Rank.OWNER) -> bool:
        """Give that of a user another end, with the power of `rank`; whether there was one."""
        one = self.of(user_id)
        if one is not None:
            until = inf if seconds is None else monotonic() + seconds
            self.restore(one._replace(until=until, rank=max(one.rank, rank)))
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

    def over(self, player: Player, came: float | None = None) -> list[Imposed]:
        """Those in force that apply to `player`: their own, and those of others whose traces they have.

        `came`: when a guest took their seat (Unix seconds), which counts more than when they connected.
        """
        return list(dict.fromkeys(self._over(player, came)))

    def _over(self, player: Player, came: float | None) -> Iterator[Imposed]:
        """The same one by one; one that two traces lead to comes twice."""
        if not self._imposed:
            return
        own = self.of(player.id)
        if own is not None and self._covers(own, player, came):
            yield own
        for key in player.traces()[1:]:
            for user in self._users.get(key, ()):
                one = self.of(user)
                if one is not None and one is not own and self._covers(one, player, came):
                    yield one

    def _covers(self, one: Imposed, player: Player, came: float | None) -> bool:
        """Whether it applies to `player`, who has a key of it. What a lower rank imposed never keeps one from work."""
        if rank_of(player.roles) >= max(one.rank, Rank.MODERATOR):
            return False
        if player.id == one.keys[0]:
            return True
        age_s = time() - one.since
        if came is not None and player.guest:
            is_new = came >= one.since
        else:
            is_new = int(player.since * 1_000) >= int(one.since * 1_000)  # accounts have milliseconds
        if player.browser and f"{BROWSER}{player.browser}" in one.keys and age_s < self._browser_s:
            return player.guest or is_new or one.guest
        if player.network not in one.keys or age_s >= self._network_s:
            return False
        return is_new or (player.guest and not self._spares_present)

    def applies_to(self, player: Player, came: float | None = None) -> bool:
        """Whether one is in force for `player`, who `came` into the room then, now."""
        return next(self._over(player, came), None) is not None

    def forget_ended(self) -> None:
        """Forget what is over."""
        now = monotonic()
        while self._ends and self._ends[0][0] <= now:
            _, user = heappop(self._ends)
            if self.of(user) is None:
                self._forget(user)

    def take_given_way(self) -> list[Imposed]:
        """Those that have made room for others since the last call; of many, the last of them."""
        given_way = [one for one in self._given_way if one.keys[0] not in self._imposed]
        self._given_way.clear()
        return given_way

    def take_touched(self) -> set[str]:
        """What those that are new, another one or over since the last call stand under."""
        touched, self._touched = self._touched, set()
        return touched

    def _touch(self, keys: Iterable[str]) -> None:
        if self._spares_present:  # a ban is asked at the door
            self._touched.update(keys)

    def _forget(self, user_id: str) -> None:
        one = self._imposed.pop(user_id, None)
        if one is None:
            return
        self._touch(one.keys)
        for key in one.keys[1:]:
            for index in (self._users, self._guests):
                users = index.get(key, {})
                users.pop(user_id, None)
                if not users:
                    index.pop(key, None)


class Sanctions(dict[SanctionKind, SanctionList]):
    """Everything that is imposed in a room, by kind.

    A member is marked as muted, so that the way of a note costs nothing; only of one who is marked the time is asked.

    Args:
        members: of the room.
        tell: lets the room know what a member is like now.
        rooms: for how long people are known by what.
    """

    def __init__(
        self, members: Mapping[int, Member], tell: Callable[[Member], None], rooms: RoomsConfig = DEFAULTS
    ) -> None:
        super().__init__(_empty_lists(rooms))
        self._members = members
        self._tell = tell

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
        member.notes_muted = self[SanctionKind.NOTES].applies_to(member.player, member.came)
        member.chat_muted = self[SanctionKind.CHAT].applies_to(member.player, member.came)
        return before != (member.notes_muted, member.chat_muted)

    def seat(self, member: Member, former: str = "") -> None:
        """Mark a member who is new in their seat, or had it under the name of `former` on another socket.

        One who may say nothing comes with the name that they had, and without a text. Of one who is known by their
        traces only, and so is new, nobody has read a name yet: an account's may have been chosen to be read.
        """
        self.mark(member)
        player, identity = member.player, member.occupant.identity
        if not member.chat_muted and not player.is_traced:
            return
        own = self[SanctionKind.CHAT].of(player.id)
        known = identity.name if own is not None and identity is not None else ""
        name = former or (own.name if own is not None else "") or known
        if not name:
            name = player.name if GIVEN_NAME.fullmatch(player.name) else f"Guest {player.id[:4]}"
        player.name, player.status_text = name, ""

    def refresh(self) -> list[Member]:
        """Mute and unmute whom what is imposed now applies to; those for whom that is news, and the room was told.

        Only those are looked at who have something in common with what has changed.
        """
        touched: set[str] = set().union(*(mute.take_touched() for mute in self.mutes))
        if not touched:
            return []
        members = self._members.values()
        changed = [member for member in members if touched & {*member.player.traces()} and self.mark(member)]
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
        lasts = self[kind].applies_to(member.player, member.came)
        if not lasts and self.mark(member):
            self._tell(member)
        return lasts

    @property
    def next_end(self) -> float:
        """When the next of them may be over (`monotonic` seconds)."""
        return min(imposed.next_end for imposed in self.values())

    def end(self) -> None:
        """Forget what is over, and let those be heard again whose mute it was."""
        now = monotonic()
        ended = [imposed for imposed in self.values() if imposed.next_end <= now]
        for imposed in ended:
            imposed.forget_ended()
        if ended:
            self.refresh()


def _empty_lists(rooms: RoomsConfig) -> dict[SanctionKind, SanctionList]:
    return {
        kind: SanctionList(
            ErrorCode.BAN_LIMIT if kind is SanctionKind.BAN else ErrorCode.MUTE_LIMIT,
            rooms,
            spares_present=kind is not SanctionKind.BAN,
        )
        for kind in SanctionKind
    }


def stored_lists(rows: Sequence[Sanction], rooms: RoomsConfig = DEFAULTS) -> dict[SanctionKind, SanctionList]:
    """What a store has kept. Older servers stored what one stands under with one time and author.

    A room may have thousands of rows: call it in a thread.
    """
    lists = _empty_lists(rooms)
    networks: defaultdict[tuple[SanctionKind, str], list[str]] = defaultdict(list)
    for row in rows:
        network, is_shared, user = row.subject.partition(SHARED)
        if is_shared:
            networks[row.kind, user].append(network)
    ordered = sorted((row for row in rows if SHARED not in row.subject), key=_author)
    for (kind, *_), group in groupby(ordered, key=_author):
        parts = list(group)
        first, keys = parts[0], _user_first(parts)
        left = inf if first.until >= FOREVER else (first.until - unix_ms()) / 1000
        keys = (*keys, *networks[kind, keys[0]])
        since, rank = first.created / 1000, Rank(first.rank)
        lists[kind].restore(Imposed(keys, monotonic() + left, first.name, since, rank, first.guest))
    return lists


def _author(row: Sanction) -> tuple[SanctionKind, int, str, int, str]:
    return row.kind, row.created, row.by or "", row.until, row.name


def _user_first(parts: Sequence[Sanction]) -> tuple[str, ...]:
    """What one sanction stands under: the user's id, which is no address, comes first."""
    subjects = (one.subject for one in parts)
    return tuple(sorted(subjects, key=lambda subject: parse_address(subject.partition("/")[0]) is not None))
