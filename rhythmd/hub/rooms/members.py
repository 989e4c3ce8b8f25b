"""The users in a room, their places, and the roster of all places."""

import time
from typing import Final, Protocol

from msgspec import structs

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Status, User
from rhythmd.addresses import customer_network, is_loopback
from rhythmd.auth.ranks import Rank, is_moderator, rank_of
from rhythmd.auth.traces import TracedMute
from rhythmd.clock import server_us
from rhythmd.errors import Refused
from rhythmd.hub.ports import Identity
from rhythmd.hub.rooms.quota import Inbox, NoteQuota
from rhythmd.hub.sending.delivery import Delivery
from rhythmd.hub.sending.outbound import ControlMessage
from rhythmd.midi.state import NoteState, fair_level
from rhythmd.names.looks import gist, look

__all__ = ["BROWSER", "Member", "Occupant", "Player", "Roster"]

FIRST_SLOT: Final = 1  # 0 is the server's own
LAST_SLOT: Final = 0xFFFF
SLOT_DIGITS: Final = 5
MOST_IGNORED: Final = 100
MOST_CHOICES: Final = 10  # that an error names
BROWSER: Final = "browser:"
MOST_HELD: Final = 4_096
"""Messages that say what all in a room hold: two players with every key of all channels down. To make them takes some
milliseconds; on their way they are 20 KB, or 58 KB as JSON."""
LEAST_HELD: Final = 32
"""Of them are each player's in any case: there are rooms of thousands."""
"""Before what tells a browser from others, where it stands beside ids and networks."""


class Player:
    """A connected user: what they are called and look like, and what they may do. Outlives the rooms that it is in.

    Attributes:
        deliveries_paid_at, inbox: what the budgets of rooms have of them, whoever comes and goes.
    """

    __slots__ = (
        "_name", "address", "bot", "browser", "colour", "deliveries_paid_at", "gist", "guest", "id", "ignored",
        "inbox", "look", "muted_until", "roles", "since", "status", "status_text", "traced",
    )  # fmt: skip

    def __init__(self, id_: str, name: str, colour: str, address: str, *, guest: bool, bot: bool) -> None:
        self.id = id_
        self.name = name
        self.colour = colour
        self.address = address
        self.ignored: dict[str, str] | None = None  # ids and names of whose lines are not shown
        self.guest = guest
        self.bot = bot
        self.browser = ""  # what tells it from others; "" of one that showed nothing
        self.since = 0.0  # Unix seconds: when the account was made, or the guest came; 0 if that is long ago
        self.muted_until = 0.0  # Unix seconds; no chat anywhere, by a moderator
        self.traced: TracedMute | None = None  # of an account that this user seems to be
        self.roles: frozenset[str] = frozenset()
        self.status = Status.ONLINE
        self.status_text = ""
        self.deliveries_paid_at = 0.0
        self.inbox: Inbox | None = None

    def as_user(self) -> User:
        return User(
            id=self.id,
            name=self.name,
            colour=self.colour,
            status=self.status,
            status_text=self.status_text,
            guest=self.guest,
            bot=self.bot,
        )

    @property
    def name(self) -> str:
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name
        self.look = look(name)  # of thousands in a lobby, when one of them is asked for by name
        self.gist = gist(name)

    @property
    def chat_muted(self) -> bool:
        return self.muted_until > time.time() or self.is_traced

    @property
    def is_traced(self) -> bool:
        """Whether they seem to be somebody who is muted everywhere."""
        return self.traced is not None and self.traced.until > time.time()

    @property
    def is_moderator(self) -> bool:
        return is_moderator(self.roles)

    def ignores(self, user_id: str) -> bool:
        return self.ignored is not None and user_id in self.ignored

    def ignore(self, user_id: str, name: str) -> bool:
        """Show no lines of this user from now on; False when too many are ignored."""
        ignored = self.ignored = self.ignored or {}
        if user_id not in ignored and len(ignored) >= MOST_IGNORED:
            return False
        ignored[user_id] = name
        return True

    def unignore(self, who: str) -> bool:
        """Show lines of the user with this id or name again; False when there is none."""
        for user_id, name in (self.ignored or {}).items():
            if who in (user_id, name):
                del (self.ignored or {})[user_id]
                return True
        return False

    @property
    def network(self) -> str | None:
        """What the user shares with others of the same customer of a provider.

        None for loopback: a whole machine, or everybody behind a proxy that is not trusted, shares it.
        """
        return None if is_loopback(self.address) else customer_network(self.address)

    def traces(self) -> tuple[str, ...]:
        """What one is known by who comes back as somebody else: the id first, the network, the browser."""
        network, browser = self.network, f"{BROWSER}{self.browser}" if self.browser else None
        return (self.id, *(key for key in (network, browser) if key is not None))


class Occupant(Protocol):
    """What takes a place in a room: a session. `key` tells sessions apart, also two of one user."""

    @property
    def player(self) -> Player: ...

    @property
    def key(self) -> str: ...

    @property
    def identity(self) -> Identity | None: ...

    @property
    def delivery(self) -> Delivery: ...


class Member:
    """A user's place in one room.

    Attributes:
        slot: the player's number in the room, unique among those present; `slot_bytes` as it is on the wire.
        notes: what they hold; made with the first note, since most members of a concert only listen.
        joined_us: when, on the server's clock.
        announced: whether the room has been told of them.
        reconnecting: whether the connection is lost, and the place reserved for a while.
        events: of any kind that they have sent in the last refill period in which they sent one.
        refused_period: number of the quota's refill period in which notes were refused last.
    """

    __slots__ = (
        "_events_period", "announced", "chat_muted", "delivery", "events", "joined_us", "notes", "notes_muted",
        "occupant", "player", "quota", "reconnecting", "refused_period", "self_muted", "slot", "slot_bytes",
    )  # fmt: skip

    def __init__(self, occupant: Occupant, slot: int, quota: NoteQuota) -> None:
        self.give_to(occupant)
        self.joined_us = server_us()
        self.slot = slot
        self.slot_bytes = slot.to_bytes(2, "little")
        self.quota = quota
        self.notes: NoteState | None = None
        self.announced = False
        self.reconnecting = False
        self.notes_muted = False
        self.self_muted = False
        self.chat_muted = False
        self.refused_period = -1
        self.events = 0
        self._events_period = -1

    def give_to(self, occupant: Occupant) -> None:
        """Let `occupant` have this place from now on."""
        self.occupant = occupant
        self.player = occupant.player
        self.delivery = occupant.delivery

    @property
    def came(self) -> float:
        """When they took the place (Unix seconds); who gives it back and takes another one came then."""
        return time.time() - (server_us() - self.joined_us) / 1_000_000

    def rank(self, *, owns: bool) -> Rank:
        """How much this member may decide in the room, which they own or not."""
        return rank_of(self.player.roles, owns=owns)

    def as_user(self) -> User:
        """The user as the room sees them."""
        return structs.replace(
            self.player.as_user(),
            slot=self.slot,
            notes_muted=self.notes_muted or self.self_muted,
            chat_muted=self.chat_muted or self.player.chat_muted,
            reconnecting=self.reconnecting,
        )

    def count_events(self, count: int, period: int, others: int) -> bool:
        """Count events of any kind, `others` of which may be no notes; False at more than any music needs.

        The bound is what the quota's notes need at most in one refill `period`, press and release, and controllers.
        What is free must have a bound, too. On the hot path.
        """
        if period != self._events_period:
            self._events_period = period
            self.events = 0
        self.events += count
        return self.events <= 2 * self.quota.maximum + others

    def send(self, type_: str, data: object) -> None:
        """Send a message to this member alone."""
        self.delivery.send(ControlMessage(type_, data))


def _hint(similar: list[Member]) -> str:
    """What to add where one is there whose name is only similar: they are never taken for the one who is meant."""
    return "".join(f"; #{member.slot} is {member.player.name}" for member in similar)


def _which_of(reference: str, members: list[Member]) -> str:
    """What to say instead of a name that several have."""
    choices = ", ".join(f"#{member.slot} ({member.player.id})" for member in members[:MOST_CHOICES])
    more = f" and {len(members) - MOST_CHOICES} more" if len(members) > MOST_CHOICES else ""
    return f"{len(members)} here could be called {reference}: say which by number or id, {choices}{more}"


class Roster(dict[int, Member]):
    """The members of a room by slot, the longest present first.

    Attributes:
        last_slot: that was given away.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last_slot = FIRST_SLOT - 1
        self._lent: set[int] = set()  # to players who are no members

    def __setitem__(self, slot: int, member: Member) -> None:
        super().__setitem__(slot, member)
        self.last_slot = slot

    def of_user(self, user_id: str) -> Member | None:
        """The member who is this user, if one is."""
        return next((member for member in self.values() if member.player.id == user_id), None)

    def find(self, reference: str) -> Member:
        """The member with this id, slot (`#3`) or name, if no other member could be meant by it. Raises Refused.

        Others could whose names look like it, or differ only in what is easily not noticed, such as a full stop.
        """
        member = self.of_user(reference) or self._of_slot(reference)
        if member is not None:
            return member
        wanted = gist(reference)
        meant = [member for member in self.values() if member.player.gist == wanted]
        if len(meant) > 1:
            raise Refused(ErrorCode.AMBIGUOUS_USER, _which_of(reference, meant), "user")
        if not meant or meant[0].player.look != look(reference):
            raise Refused(ErrorCode.USER_NOT_FOUND, f"nobody here is called {reference}{_hint(meant)}", "user")
        return meant[0]

    def _of_slot(self, reference: str) -> Member | None:
        number = reference.removeprefix("#")
        is_slot = number != reference and number.isascii() and number.isdigit() and len(number) <= SLOT_DIGITS
        return self.get(int(number)) if is_slot else None

    def held(self, skip: Delivery | None = None) -> list[tuple[int, bytes]]:
        """What each but `skip` holds, by slot, as `NoteState.packed` has it; bounded for all together.

        Nothing is forgotten: the state of each stays whole, and is let go for all when they go. Of those who hold most
        a newcomer hears less of what was struck before they came.
        """
        players = [member for member in self.values() if member.notes is not None]
        sizes = [0 if member.notes is None else member.notes.size for member in players]
        level = MOST_HELD
        if sum(sizes) > MOST_HELD:
            level = max(LEAST_HELD, fair_level(sizes, MOST_HELD))
        states = (
            (member.slot, member.notes.packed(level))
            for member in players
            if member.notes is not None and member.delivery is not skip
        )
        return [(slot, packed) for slot, packed in states if packed]

    def heir(self) -> Member | None:
        """The longest present of those who are there, rather one who is not muted."""
        present = [member for member in self.values() if not member.reconnecting]
        heard = (member for member in present if not (member.notes_muted or member.chat_muted))
        return next(heard, present[0] if present else None)

    def ignoring(self, user_id: str | None) -> list[Member]:
        """Everybody who is not shown the lines of this user."""
        return [member for member in self.values() if user_id is not None and member.player.ignores(user_id)]

    def free_slot(self) -> int:
        """The next number that nobody has. Not the lowest: a late note must not pass to a newcomer."""
        slot = self.last_slot
        while True:
            slot = slot + 1 if slot < LAST_SLOT else FIRST_SLOT
            if slot not in self and slot not in self._lent:
                return slot

    def lend_slot(self) -> int:
        """A slot for a player who is no member, until it is taken back."""
        slot = self.last_slot = self.free_slot()
        self._lent.add(slot)
        return slot

    def take_back(self, slot: int) -> None:
        """A slot that was lent is free again."""
        self._lent.discard(slot)
