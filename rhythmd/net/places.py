"""The places that connections hold: how many there may be, and which of them makes room when one more comes.

Places are counted in all, for HTTP alone, and by network, whose sockets and whose HTTP are counted apart: when a class
reloads the page, each of them opens six connections beside the sockets of the others. A connection that waits for its
client makes room for a newcomer: first the one that has been idle for longest after an answer, then one on which
nothing is asked, then one whose client does not read its answer. If none waits, the network with the most connections
for HTTP gives up its newest one for a network that has fewer, whatever that one does. A socket makes room for nobody.
One that is closing does not count, so that its client can come back at once; of a network's that stay nevertheless,
the oldest is ended when they are as many as its sockets may be.
"""

from collections import OrderedDict
from enum import Enum, auto
from time import monotonic
from typing import Final, NamedTuple, Protocol

from rhythmd.config import LimitsConfig

__all__ = ["PATIENCE_S", "Place", "Places", "Waiting", "most_http_of_one"]

HTTP_SHARE: Final = 4
"""One network may have this part (a fourth) of the connections for HTTP at once: its own, and those of proxies."""


def most_http_of_one(limits: LimitsConfig) -> int:
    """How many connections for HTTP one network may have."""
    return max(limits.connections_per_address, min(limits.http_connections, limits.connections) // HTTP_SHARE)


class Waiting(Enum):
    """What a connection waits for its client with."""

    IDLE = auto()  # all is answered
    FRESH = auto()  # nothing is asked yet
    UNREAD = auto()  # an answer is sent, and not read


PATIENCE_S: Final = {Waiting.IDLE: 0.0, Waiting.FRESH: 2.0, Waiting.UNREAD: 5.0}
"""For which it does so before it makes room, which the first of these does before the others."""


class Holder(Protocol):
    """A connection that holds a place."""

    def make_room(self, *, is_read: bool) -> None:
        """End. Its place is somebody else's already; `is_read`: and what was sent to its client is on its way."""


class _Line:
    """Those that count together, the oldest first, and who of them waits for its client, the longest first."""

    __slots__ = ("_waiting", "members")

    def __init__(self) -> None:
        self.members: OrderedDict[Place, None] = OrderedDict()
        self._waiting: dict[Waiting, OrderedDict[Place, float]] = {kind: OrderedDict() for kind in PATIENCE_S}

    @property
    def count(self) -> int:
        return len(self.members)

    def add(self, place: "Place", kind: Waiting, now: float) -> None:
        self._waiting[kind][place] = now

    def remove(self, place: "Place", kind: Waiting) -> None:
        self._waiting[kind].pop(place, None)

    def make_room(self) -> bool:
        """End the connection that makes room first; False if none has waited for long enough."""
        now = monotonic()
        for kind, waiting in self._waiting.items():
            place = next(iter(waiting), None)
            if place is not None and now - waiting[place] >= PATIENCE_S[kind]:
                place.make_room()
                return True
        return False


class Place:
    """One connection's place. It begins as one for HTTP, of which the client has asked nothing yet."""

    __slots__ = ("_holder", "_places", "ends", "is_http", "kind", "lines", "scope")

    def __init__(self, places: "Places", holder: Holder, line: _Line) -> None:
        self._places = places
        self._holder = holder
        self.is_http = True
        self.kind: Waiting | None = None
        self.scope: _Scope | None = None
        self.ends: str | None = None  # the network with whose others it is about to end
        self.lines = [line]

    def wait(self, kind: Waiting | None) -> None:
        """From now on it waits for its client with this; None: it has something to do."""
        if self.kind is not None:
            for line in self.lines:
                line.remove(self, self.kind)
        self.kind = kind if self.is_http else None
        if self.kind is not None:
            now = monotonic()
            for line in self.lines:
                line.add(self, self.kind, now)

    def claim(self, network: str) -> bool:
        """Count it with those that work for this network; False if these are too many and none makes room."""
        return self._places.claim(self, _Scope(network, is_socket=False))

    def claim_socket(self, network: str) -> bool:
        """Count it with the sockets of this network; False if these are too many."""
        return self._places.claim(self, _Scope(network, is_socket=True))

    def keep(self) -> None:
        """It is a socket from here on."""
        self.wait(None)
        self._places.leave_http(self)

    def end(self) -> None:
        """It is about to end: whoever comes from the same network, perhaps instead of it, need not wait for that."""
        self.wait(None)
        self._places.let_end(self)

    def leave(self) -> None:
        """Its connection is gone. More than once is the same as once."""
        self.wait(None)
        self._places.leave(self)

    def abort(self) -> None:
        self.leave()
        self._holder.make_room(is_read=False)

    def make_room(self) -> None:
        is_read = self.kind is not Waiting.UNREAD
        self.leave()
        self._holder.make_room(is_read=is_read)


class _Scope(NamedTuple):
    """A network's sockets, or its other connections."""

    network: str
    is_socket: bool


class Places:
    """All places.

    Args:
        limits: of connections.
    """

    def __init__(self, limits: LimitsConfig) -> None:
        self._most = limits.connections
        self._most_http = min(limits.http_connections, limits.connections)
        self._most_sockets_of_one = limits.connections_per_address
        self._most_http_of_one = most_http_of_one(limits)
        self._taken: set[Place] = set()
        self._http = _Line()
        self._sockets: dict[str, _Line] = {}  # by network, as the next one
        self._requests: dict[str, _Line] = {}
        self._ending: dict[str, OrderedDict[Place, None]] = {}

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def http(self) -> int:
        """Connections that are no sockets, or not yet."""
        return self._http.count

    def enter(self, holder: Holder, network: str | None = None) -> Place | None:
        """A place for a new connection; None if all are taken and none makes room.

        Args:
            holder: the connection.
            network: that it comes from; None if that is not known yet.
        """
        is_full = self.http >= self._most_http or len(self) >= self._most
        if is_full and not self.make_room() and not self._make_fullest_give(network):
            return None
        place = Place(self, holder, self._http)
        self._taken.add(place)
        self._http.members[place] = None
        place.wait(Waiting.FRESH)
        return place

    def make_room(self) -> bool:
        """End the connection that makes room first; False if there is none."""
        return self._http.make_room()

    def _make_fullest_give(self, network: str | None) -> bool:
        """End the newest connection of the network with the most; False if it had no more than this one then has."""
        own = self._requests.get(network) if network is not None else None
        fullest = max(self._requests.values(), key=lambda line: line.count, default=None)
        if fullest is None or fullest.count <= 1 + (own.count if own is not None else 0):
            return False
        next(reversed(fullest.members)).make_room()
        return True

    def _lines(self, scope: _Scope) -> dict[str, _Line]:
        return self._sockets if scope.is_socket else self._requests

    def claim(self, place: Place, scope: _Scope) -> bool:
        if place.scope == scope or place not in self._taken:
            return place.scope == scope
        line = self._lines(scope).get(scope.network)
        most = self._most_sockets_of_one if scope.is_socket else self._most_http_of_one
        if line is not None and line.count >= most and not line.make_room():
            return False
        kind = place.kind
        place.wait(None)
        self.leave_scope(place)
        line = self._lines(scope).setdefault(scope.network, _Line())
        line.members[place] = None
        place.scope = scope
        place.lines.append(line)
        place.wait(kind)
        return True

    def leave_http(self, place: Place) -> None:
        if place.is_http:
            place.is_http = False
            place.lines.remove(self._http)
            self._http.members.pop(place, None)

    def let_end(self, place: Place) -> None:
        """Count it with those of its network that are about to end; the oldest of too many ends now."""
        scope = place.scope
        self.leave_scope(place)
        if scope is None:
            return
        place.ends = scope.network
        ending = self._ending.setdefault(scope.network, OrderedDict())
        ending[place] = None
        if len(ending) > self._most_sockets_of_one:
            next(iter(ending)).abort()

    def leave(self, place: Place) -> None:
        if place in self._taken:
            self._taken.remove(place)
            self.leave_http(place)
            self.leave_scope(place)
            self._leave_ending(place)

    def _leave_ending(self, place: Place) -> None:
        network, place.ends = place.ends, None
        if network is not None:
            del self._ending[network][place]
            if not self._ending[network]:
                del self._ending[network]

    def leave_scope(self, place: Place) -> None:
        scope, place.scope = place.scope, None
        if scope is not None:
            line = place.lines.pop()
            del line.members[place]
            if not line.count:
                del self._lines(scope)[scope.network]
