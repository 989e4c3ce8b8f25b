"""Shares of what all have in common: rooms, recordings, reserved seats, sheets that play, the file for a restart.

A guest costs nothing: who is refused as one guest comes as the next. So guests are counted by network. Those of one
network may take `limits.guest_network_share` percent of a good, all guests together `limits.guest_share`; what is left
is for those who have an account, and for what the server itself makes of it. An account costs a request, and one
network makes many an hour: one may take as much as the guests of a network, and those that are used from one network
`limits.account_network_share` percent together. So somebody of another network always finds some left.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from math import ceil
from typing import Final, NamedTuple, Protocol

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import customer_network, is_loopback
from rhythmd.config import Config, LimitsConfig
from rhythmd.errors import Refused

__all__ = ["Claim", "CommonGood", "Holder", "Person", "Scope", "Shares"]

MIB: Final = 1 << 20


class Person(Protocol):
    """Somebody who wants something."""

    @property
    def id(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def guest(self) -> bool: ...


class Holder(NamedTuple):
    """Somebody who takes of a good.

    Attributes:
        key: a guest's network, or the user's id.
        guest: whether they have no account.
        is_network: whether `key` is a network. A guest over loopback has none: a whole machine shares it.
        network: from which an account is used; "" over loopback, where it is not known, and of a guest.
    """

    key: str
    guest: bool = False
    is_network: bool = False
    network: str = ""

    @property
    def origin(self) -> str:
        """The network that somebody comes from, "" if they have none."""
        return self.key if self.is_network else self.network


class Scope(StrEnum):
    """Whose share is used up, as a refusal says it."""

    ACCOUNT = "you have"
    NETWORK = "the guests of your network have"
    ACCOUNTS = "the accounts of your network have"
    GUESTS = "guests have"
    ALL = "this server has"


class Claim:
    """What somebody has taken of a good, until they give it back. `holder` is None for the server itself."""

    __slots__ = ("_good", "amount", "holder")

    def __init__(self, good: "CommonGood", holder: Holder | None, amount: int) -> None:
        self._good = good
        self.holder = holder
        self.amount = 0
        self.resize(amount)

    def resize(self, amount: int) -> None:
        """Have so much from now on."""
        self._good.count(self.holder, amount - self.amount)
        self.amount = amount

    def release(self) -> None:
        """Give it back. To do so twice does nothing."""
        self.resize(0)


class CommonGood:
    """A good, how much there is of it, and who has taken how much.

    Args:
        limits: the shares.
        size: how much there is.
        most_of_network: that those of one network need, whatever their share.
    """

    def __init__(self, limits: LimitsConfig, size: int, most_of_network: int | None = None) -> None:
        most = size if most_of_network is None else most_of_network
        of_guests = ceil(size * min(limits.guest_network_share, limits.guest_share) / 100)
        of_accounts = ceil(size * limits.account_network_share / 100)
        self._most = {
            Scope.ACCOUNT: min(of_guests, of_accounts),
            Scope.NETWORK: min(most, of_guests),
            Scope.ACCOUNTS: min(most, of_accounts),
            Scope.GUESTS: ceil(size * limits.guest_share / 100),
            Scope.ALL: size,
        }
        self._taken: Counter[str] = Counter()

    def bounds(self, holder: Holder | None) -> Iterator[tuple[Scope, str, int]]:
        """What counts for this holder: whose share, what it is counted under, how much it is."""
        if holder is not None and holder.is_network:
            yield Scope.NETWORK, f"network {holder.key}", self._most[Scope.NETWORK]
        if holder is not None and not holder.guest:
            yield Scope.ACCOUNT, f"account {holder.key}", self._most[Scope.ACCOUNT]
        if holder is not None and holder.network:
            yield Scope.ACCOUNTS, f"accounts of {holder.network}", self._most[Scope.ACCOUNTS]
        if holder is not None and holder.guest:
            yield Scope.GUESTS, Scope.GUESTS, self._most[Scope.GUESTS]
        yield Scope.ALL, Scope.ALL, self._most[Scope.ALL]

    def count(self, holder: Holder | None, amount: int) -> None:
        """So much more is taken, or given back if it is negative."""
        for _, name, _ in self.bounds(holder):
            self._taken[name] += amount
            if not self._taken[name]:
                del self._taken[name]

    def taken(self, holder: Holder | None) -> int:
        """How much this holder has, together with those who are counted with them."""
        return next(self._taken[name] for _, name, _ in self.bounds(holder))

    def used_up(self, holder: Holder | None, amount: int = 1) -> Scope | None:
        """Whose share has not so much left for this holder; None if there is enough."""
        return next((scope for scope, name, most in self.bounds(holder) if self._taken[name] + amount > most), None)

    def require(self, holder: Holder | None, code: ErrorCode, what: str, amount: int = 1) -> None:
        """Raise Refused with `code` unless there is so much left for this holder."""
        scope = self.used_up(holder, amount)
        if scope is not None:
            raise Refused(code, f"{scope} as many {what} as may be")

    def take(self, holder: Holder | None, amount: int = 1) -> Claim:
        """Take so much, whether there is enough or not."""
        return Claim(self, holder, amount)


class Shares:
    """The goods of one server.

    Attributes:
        rooms: that are live.
        seats: that are reserved for those who have no socket yet.
        recordings: stored ones; the store counts them, so only their bounds are used.
        performances: rooms in which a sheet is played.
        live_bytes: of the file with what a restart must not lose.
    """

    def __init__(self, config: Config) -> None:
        limits = config.limits
        self.rooms = CommonGood(limits, config.rooms.limit)
        self.seats = CommonGood(limits, limits.connections, limits.connections_per_address)
        self.recordings = CommonGood(limits, config.recording.limit)
        self.performances = CommonGood(limits, limits.performances)
        self.live_bytes = CommonGood(limits, config.hub.live_mb * MIB or sys.maxsize)  # 0: nothing is written

    def holder(self, person: Person) -> Holder:
        """What this user is counted under."""
        network = "" if is_loopback(person.address) else customer_network(person.address)
        if not person.guest:
            return Holder(person.id, network=network)
        return Holder(network, guest=True, is_network=True) if network else Holder(person.id, guest=True)
