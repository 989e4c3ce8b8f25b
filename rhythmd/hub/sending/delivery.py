"""What a client gets at this moment: one state, and one table of how it changes.

A client's socket may be slow, lost, or new to a session that has missed things. Whatever happens to it is an `Event`;
`TRANSITIONS` says which state follows, and nothing else decides what is written to a client.

| state | what it is | control messages | music |
|---|---|---|---|
| `AWAY` | without a socket; may come back | logged | missed |
| `RESUMING` | a new socket, not told yet what it missed | logged | missed |
| `RESUMING_THROTTLED` | the same, and it reads too slowly | logged | missed |
| `LIVE` | gets everything | written | written |
| `THROTTLED` | reads too slowly | written, within a bound | backlog |
| `CATCHING_UP` | reads again; its room is in the middle of writing | written | backlog |
| `OVERRUN` | over its bound, about to be closed | logged | missed |

| from | event | to | why |
|---|---|---|---|
| `AWAY` | `CONNECTED` | `LIVE` | a new session has missed nothing |
| `AWAY` | `RESUMED` | `RESUMING` | the answer to `resume` goes first; what is said until then waits in the log |
| `RESUMING` | `PAUSED` | `RESUMING_THROTTLED` | that answer alone may fill a slow socket |
| `RESUMING_THROTTLED` | `DRAINED` | `RESUMING` | the socket took it; what was missed is still to come |
| `RESUMING` | `UPDATED` | `CATCHING_UP` | the log is written; of the music it needs a snapshot |
| `RESUMING_THROTTLED` | `UPDATED` | `THROTTLED` | the same, when it has read what waits |
| `RESUMING` | `OVERFLOWED` | `OVERRUN` | what it missed is more than may wait for it |
| `RESUMING_THROTTLED` | `OVERFLOWED` | `OVERRUN` | the same |
| `LIVE` | `PAUSED` | `THROTTLED` | more waits than music may: old notes there could not be taken back |
| `THROTTLED` | `DRAINED` | `CATCHING_UP` | slices under way would come twice, or before a newcomer is announced |
| `THROTTLED` | `OVERFLOWED` | `OVERRUN` | a client that never reads must not fill the memory |
| `CATCHING_UP` | `PAUSED` | `THROTTLED` | slow again, with the same backlog |
| `CATCHING_UP` | `ADMITTED` | `LIVE` | it has its backlog or a snapshot, and hears on from there |
| any but `AWAY` | `LOST` | `AWAY` | the connection is gone, for whatever reason |

An event that a state has no row for changes nothing: a socket that drains when its client is `OVERRUN` stays so, since
what would come behind the gap would be counted as what is missing.
"""

from collections.abc import Callable
from enum import Enum, auto
from time import monotonic
from typing import Final, Protocol

from rhythmd.clock import server_ms
from rhythmd.fairness.memory import Holding
from rhythmd.hub.ports import Encoding
from rhythmd.hub.sending.outbound import KeptMessage, Outbound

__all__ = ["TRANSITIONS", "Audience", "Backlog", "ControlLog", "Delivery", "Event", "Socket", "State"]

NEVER: Final = float("inf")
NOTHING: Final = b""
ENTRY_BYTES: Final = 10
"""What a log takes for a message beside the message itself, which it shares with others."""


class State(Enum):
    """What a client gets; the table above says what each is for."""

    AWAY = auto()
    RESUMING = auto()
    RESUMING_THROTTLED = auto()
    LIVE = auto()
    THROTTLED = auto()
    CATCHING_UP = auto()
    OVERRUN = auto()


class Event(Enum):
    """What happens to a client's connection."""

    CONNECTED = auto()
    """The first socket of a new session."""
    RESUMED = auto()
    """Another socket took the session over."""
    UPDATED = auto()
    """The control messages that it missed are written."""
    PAUSED = auto()
    """More waits for the socket than music may."""
    DRAINED = auto()
    """The socket has taken most of what waited."""
    ADMITTED = auto()
    """The fan-out let it hear on."""
    OVERFLOWED = auto()
    """More waits for the socket than anything may."""
    LOST = auto()
    """The connection is gone."""


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.AWAY, Event.CONNECTED): State.LIVE,
    (State.AWAY, Event.RESUMED): State.RESUMING,
    (State.RESUMING, Event.PAUSED): State.RESUMING_THROTTLED,
    (State.RESUMING_THROTTLED, Event.DRAINED): State.RESUMING,
    (State.RESUMING, Event.UPDATED): State.CATCHING_UP,
    (State.RESUMING_THROTTLED, Event.UPDATED): State.THROTTLED,
    (State.RESUMING, Event.OVERFLOWED): State.OVERRUN,
    (State.RESUMING_THROTTLED, Event.OVERFLOWED): State.OVERRUN,
    (State.LIVE, Event.PAUSED): State.THROTTLED,
    (State.THROTTLED, Event.DRAINED): State.CATCHING_UP,
    (State.THROTTLED, Event.OVERFLOWED): State.OVERRUN,
    (State.CATCHING_UP, Event.PAUSED): State.THROTTLED,
    (State.CATCHING_UP, Event.ADMITTED): State.LIVE,
    **{(state, Event.LOST): State.AWAY for state in State if state is not State.AWAY},
}

SLOW: Final = frozenset({State.THROTTLED, State.RESUMING_THROTTLED})
HEARING: Final = frozenset({State.LIVE, State.THROTTLED, State.CATCHING_UP})
"""States in which music is written, or kept to be written."""


class Socket(Protocol):
    """As much of `ports.Peer` as is needed to write to it."""

    @property
    def encoding(self) -> Encoding: ...

    @property
    def write(self) -> Callable[[bytes], None]: ...

    def waiting_bytes(self) -> int: ...


class Backlog:
    """Music that waits for one client: whole frames played since `since_ms`, shared with all other listeners.

    A backlog over `limit` bytes is stale and empty: its client gets a snapshot instead.

    Args:
        holding: counts what waits.
    """

    __slots__ = ("_frames", "_holding", "_limit", "is_stale", "since_ms", "size")

    def __init__(self, since_ms: int, limit: int, holding: Holding) -> None:
        self.since_ms = since_ms
        self.is_stale = False
        self.size = 0
        self._limit = limit
        self._holding = holding
        self._frames: list[bytes] = []

    def append(self, frame: bytes) -> None:
        if self.is_stale:
            return
        self.size += len(frame)
        self._holding.take(len(frame))
        self._frames.append(frame)
        if self.size > self._limit:
            self.spoil()

    def spoil(self) -> None:
        """Forget all of it."""
        self.is_stale = True
        self._frames.clear()
        self._holding.give(self.size)
        self.size = 0

    def take(self, now_ms: int, patience_ms: int) -> bytes | None:
        """All frames as one; None, and stale, when the oldest waited longer than `patience_ms`."""
        if now_ms - self.since_ms > patience_ms:
            self.spoil()
        return None if self.is_stale else NOTHING.join(self._frames)


class ControlLog:
    """Counts a session's control messages and keeps those that are not confirmed: the last, within two limits.

    Args:
        limit: messages that are kept.
        limit_bytes: of their frames.
        holding: counts the memory that they take.

    Attributes:
        count: how many there were.
        messages: those that are kept.
        size: of all their frames, in bytes.
        is_agreed: the client counts from where this does; not sure between `restart` and the next confirmation.
    """

    __slots__ = (
        "_asked", "_holding", "_is_given_up", "_limit", "_limit_bytes", "count", "is_agreed", "messages", "size",
    )  # fmt: skip

    def __init__(self, limit: int, limit_bytes: int, holding: Holding) -> None:
        self.count = 0
        self.is_agreed = True
        self.size = 0
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._holding = holding
        # An empty deque takes 600 bytes, of each idle connection.
        self.messages: list[KeptMessage] = []
        self._is_given_up = False
        self._asked = 0

    @property
    def is_confirmed(self) -> bool:
        """Whether the client has got all of them."""
        return not self.messages and not self._is_given_up

    # Nothing is added to a message to count it, no sequence number: a frame stays the same bytes for all listeners.
    # Both sides count what goes by, and the pong to a ping brings the client's count back.

    def append(self, message: Outbound, encoding: Encoding) -> None:
        """Count `message`, which goes to a client of this encoding."""
        self.count += 1
        if self._is_given_up:
            return
        kept = message.kept(encoding)
        self.messages.append(kept)
        self.size += kept.size
        self._holding.take(ENTRY_BYTES + kept.keep())
        while self.size > self._limit_bytes or len(self.messages) > self._limit:
            self._forget(1)

    def _forget(self, number: int) -> None:
        messages = self.messages[:number]
        del self.messages[:number]
        self.size -= sum(message.size for message in messages)
        self._holding.give(sum(ENTRY_BYTES + message.drop() for message in messages))

    def give_up(self) -> bool:
        """Keep none of them, and none that comes until all are confirmed; whether any were kept.

        The client misses nothing as long as it stays. One that comes back gets its room as it is, as after `restart`.
        """
        had_some = bool(self.messages)
        self._is_given_up = True
        self._forget(len(self.messages))
        return had_some

    def to_confirm(self) -> int | None:
        """The count, if the client has not been asked to confirm it yet."""
        if self._asked == self.count or (self.is_agreed and self.is_confirmed):
            return None
        self._asked = self.count
        return self.count

    def confirm(self, received: int) -> None:
        """The client has got so many of them; a number that cannot be is ignored."""
        if received <= self.count:
            self.is_agreed = True
            self._forget(max(0, len(self.messages) - (self.count - received)))
            if received == self.count:
                self._is_given_up = False

    def after(self, received: int) -> list[KeptMessage] | None:
        """The messages after the first `received`; None when they are not all here."""
        missed = self.count - received
        if not 0 <= missed <= len(self.messages):
            return None
        return self.messages[len(self.messages) - missed :]

    def restart(self) -> None:
        """Begin to count anew. A client that does not learn of it may still come with its old count."""
        self._forget(len(self.messages))
        self.count = 0
        self._asked = -1
        self.is_agreed = self._is_given_up = False


class Audience(Protocol):
    """The fan-out of the room that a client is in. It is told of every change of the client's state."""

    def delivery_changed(self, delivery: "Delivery") -> None: ...


class Delivery:
    """The way to one client.

    Args:
        log: of the control messages that it may not have got.
        write_limit: bytes that may wait for a client that reads too slowly.
        music_limit: bytes of music that may wait beside them.
        on_overflow: called, once a connection, when more than `write_limit` waits.
        holding: counts the music that waits.

    Attributes:
        state: what the client gets now.
        socket: None while the client is away.
        encoding: of the socket, or of the last one.
        backlog: music that waits, while the client is in a room and not live.
        rests_until: when it may get a snapshot again (`monotonic` seconds).
    """

    __slots__ = (
        "_audience", "_holding", "_music_limit", "_on_overflow", "_slow_since", "_write_limit", "backlog", "encoding",
        "log", "rests_until", "socket", "state",
    )  # fmt: skip

    def __init__(
        self, log: ControlLog, write_limit: int, music_limit: int, on_overflow: Callable[[], None], holding: Holding
    ) -> None:
        self.log = log
        self.state = State.AWAY
        self.socket: Socket | None = None
        self.encoding = Encoding.BINARY
        self.backlog: Backlog | None = None
        self.rests_until = 0.0
        self._audience: Audience | None = None
        self._write_limit = write_limit
        self._music_limit = music_limit
        self._on_overflow = on_overflow
        self._holding = holding
        self._slow_since = NEVER

    # Sending

    def send(self, message: Outbound) -> None:
        """Send one message as its row says: counted ones are logged, shed ones are left out when anything waits."""
        row = message.row
        if row.is_shed and not self._is_idle():
            return
        frame = message.frame(self.encoding)
        if row.is_counted:
            self.log.append(message, self.encoding)
        state, socket = self.state, self.socket
        if (state is State.LIVE or state is State.CATCHING_UP) and socket is not None:
            socket.write(frame)  # without asking how much waits: the socket says when that is too much
        elif state is State.THROTTLED:
            self._write_bounded(frame)

    def write(self, frame: bytes) -> None:
        """Write music to a client that is live."""
        if self.socket is not None:
            self.socket.write(frame)

    def _is_idle(self) -> bool:
        return self.state is State.LIVE and self.socket is not None and not self.socket.waiting_bytes()

    def _write_bounded(self, frame: bytes) -> bool:
        """Write `frame` if it fits; whether it did."""
        socket = self.socket
        if socket is None or self.state is State.OVERRUN:
            return False
        if socket.waiting_bytes() + len(frame) > self._write_limit:
            self._step(Event.OVERFLOWED)
            self._on_overflow()
            return False
        socket.write(frame)
        return True

    @property
    def hears(self) -> bool:
        """Whether music of this moment is of use to the client: written now, or from a backlog that is not stale."""
        if self.state is State.LIVE:
            return True
        return self.state in HEARING and self.backlog is not None and not self.backlog.is_stale

    def to_confirm(self) -> int | None:
        """A count of control messages to ask the client for, if all of them are written and it is not asked yet."""
        return self.log.to_confirm() if self.state in HEARING else None

    # What happens to the client's connection

    def connect(self, socket: Socket) -> None:
        """A new session's first socket."""
        self._take_socket(socket, Event.CONNECTED)

    def resume(self, socket: Socket, *, is_slow: bool) -> None:
        """Another socket speaks for the client; nothing is written to it before `bring_up_to_date`.

        Args:
            is_slow: whether more waits for it already than music may.
        """
        self._take_socket(socket, Event.RESUMED)
        if is_slow:
            self.pause()

    def _take_socket(self, socket: Socket, event: Event) -> None:
        if (self.state, event) in TRANSITIONS:
            self.socket = socket
            self.encoding = socket.encoding
            self._step(event)

    def missed(self, received: int, most_bytes: int) -> int | None:
        """How many control messages there are after the first `received`.

        None when they are not all in the log, or would take more than `most_bytes` on their way.
        """
        missed = self.log.after(received) if self.log.is_agreed else None
        if missed is None or sum(len(message.frame(self.encoding)) for message in missed) > most_bytes:
            return None
        return len(missed)

    def bring_up_to_date(self, received: int) -> int | None:
        """Write the control messages after the first `received`: how many bytes, or None when the log lacks some."""
        missed = self.log.after(received)
        if missed is None:
            return None
        size = 0
        for message in missed:
            frame = message.frame(self.encoding)
            if not self._write_bounded(frame):
                return size
            size += len(frame)
        self._step(Event.UPDATED)
        return size

    def pause(self) -> None:
        """More waits for the socket than music may."""
        self._step(Event.PAUSED)

    def drain(self) -> None:
        """The socket has taken most of what waited."""
        self._step(Event.DRAINED)

    def admit(self) -> None:
        """The fan-out lets the client hear on from here."""
        if (self.state, Event.ADMITTED) in TRANSITIONS:  # slow again, it needs its backlog
            self._forget_backlog()
            self._step(Event.ADMITTED)

    def lose(self) -> None:
        """The connection is gone."""
        self.socket = None
        self._step(Event.LOST)

    def end(self) -> None:
        """The client's session is over. Nothing is kept, neither by this nor, in a circle, this by its session."""
        self.log.give_up()
        self._on_overflow = _nobody

    @property
    def is_slow(self) -> bool:
        return self.state in SLOW

    def slow_s(self) -> float:
        """For how long the client has been reading too slowly, in seconds; 0 when it is not."""
        return max(0.0, monotonic() - self._slow_since)

    # The room that it is in

    def enter(self, audience: Audience) -> None:
        """Hear the music of a room from now on."""
        self._audience = audience
        if self.state is State.THROTTLED:
            self.backlog = Backlog(server_ms(), self._music_limit, self._holding)

    def leave(self) -> None:
        """Hear no music any more."""
        self._audience = None
        self._forget_backlog()
        self._step(Event.ADMITTED)

    def _forget_backlog(self) -> None:
        if self.backlog is not None:
            self.backlog.spoil()
            self.backlog = None

    def _step(self, event: Event) -> None:
        """Go to the state that the table names; stay where it names none."""
        before = self.state
        after = TRANSITIONS.get((before, event), before)
        if after is before:
            return
        self.state = after
        if after not in HEARING:
            self._forget_backlog()
        if after not in SLOW:
            self._slow_since = NEVER
        elif before not in SLOW:
            self._slow_since = monotonic()
        audience = self._audience
        if audience is None:
            if after is State.CATCHING_UP:  # there is no music to catch up with
                self.state = State.LIVE
            return
        if self.backlog is None and after in (State.THROTTLED, State.CATCHING_UP):
            self.backlog = Backlog(server_ms(), self._music_limit, self._holding)
            if event is Event.UPDATED:
                self.backlog.spoil()  # it does not have what came before
        audience.delivery_changed(self)


def _nobody() -> None:
    """What waits for a session that is over is nobody's."""
