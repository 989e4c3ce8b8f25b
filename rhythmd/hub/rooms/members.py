"""Who is in a room: a user's profile, and what the room knows of the one user."""

import time
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import structs

from rhythm_protocol.messages import Status, User
from rhythmd.addresses import is_loopback
from rhythmd.clock import server_us
from rhythmd.hub.ports import Encoding
from rhythmd.hub.rooms.quota import NoteQuota
from rhythmd.hub.sending.outbound import Message, Packet
from rhythmd.midi.state import NoteState

__all__ = ["Member", "Occupant", "Profile"]


MODERATORS: Final = frozenset({"moderator", "admin"})


class Profile:
    """What a user is called and looks like; changed by `user-update`. Outlives the rooms it is in."""

    __slots__ = ("address", "bot", "colour", "guest", "id", "muted_until", "name", "roles", "status", "status_text")

    def __init__(self, id_: str, name: str, colour: str, address: str, *, guest: bool, bot: bool) -> None:
        self.id = id_
        self.name = name
        self.colour = colour
        self.address = address
        self.guest = guest
        self.bot = bot
        self.muted_until = 0.0  # Unix seconds; no chat anywhere, by a moderator
        self.roles: frozenset[str] = frozenset()
        self.status = Status.ONLINE
        self.status_text = ""

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
    def chat_muted(self) -> bool:
        return self.muted_until > time.time()

    @property
    def is_moderator(self) -> bool:
        return not MODERATORS.isdisjoint(self.roles)

    def ban_keys(self) -> tuple[str, ...]:
        """What a ban holds on to: the id and, since a guest gets a new one at will, a guest's address.

        Not loopback: a whole machine, or everybody behind a proxy, shares it.
        """
        if self.guest and not is_loopback(self.address):
            return (self.id, self.address)
        return (self.id,)


class Occupant(Protocol):
    """Who takes a place in a room: a session. `key` tells sessions apart, also two of one user."""

    profile: Profile
    key: str
    encoding: Encoding
    write: Callable[[bytes], None]

    def tell(self, message: Message) -> None: ...


class Member:
    """A user's place in one room. `slot` is the player's number there, unique among those present.

    Attributes:
        joined_us: when, on the server's clock.
        reconnecting: the connection is lost; the place is held for a while.
    """

    __slots__ = (
        "_events",
        "_events_period",
        "announced",
        "chat_muted",
        "encoding",
        "joined_us",
        "key",
        "notes",
        "notes_muted",
        "profile",
        "quota",
        "reconnecting",
        "refused_period",
        "self_muted",
        "slot",
        "slot_bytes",
        "tell",
        "write",
    )

    def __init__(self, occupant: Occupant, slot: int, quota: NoteQuota) -> None:
        self.profile = occupant.profile
        self.key = occupant.key
        self.bind(occupant)
        self.joined_us = server_us()
        self.slot = slot
        self.slot_bytes = slot.to_bytes(2, "little")
        self.quota = quota
        self.notes: NoteState | None = None  # made with the first note: most members of a concert only listen
        self.announced = False
        self.reconnecting = False
        self.notes_muted = False
        self.self_muted = False
        self.chat_muted = False
        self.refused_period = -1
        self._events = 0
        self._events_period = -1

    def bind(self, occupant: Occupant) -> None:
        """Write where `occupant` writes now."""
        self.encoding = occupant.encoding
        self.write = occupant.write
        self.tell = occupant.tell

    def as_user(self) -> User:
        """The user as the room sees them."""
        return structs.replace(
            self.profile.as_user(),
            slot=self.slot,
            notes_muted=self.notes_muted or self.self_muted,
            chat_muted=self.chat_muted or self.profile.chat_muted,
            reconnecting=self.reconnecting,
        )

    def count_events(self, count: int, period: int, others: int) -> bool:
        """Count events of any kind; False when there are more than any music needs. On the hot path.

        The bound is what the quota's notes need at most in one refill `period`, press and release, and `others` for
        controllers. The quota charges note-ons only; what is free must have a bound, too.
        """
        if period != self._events_period:
            self._events_period = period
            self._events = 0
        self._events += count
        return self._events <= 2 * self.quota.maximum + others

    def send(self, type_: str, data: object) -> None:
        """Tell this member alone."""
        self.tell(Packet(type_, data))
