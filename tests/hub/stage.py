"""A client of one room, with all that can happen to its connection, and a look at what becomes of what it is sent."""

from collections.abc import Callable
from typing import Final, NamedTuple

from rhythm_protocol.binary import CursorAt
from rhythm_protocol.messages import ChatCleared, Notes
from rhythm_protocol.midi import pack_events
from rhythmd.clock import server_ms
from rhythmd.hub.ports import Encoding
from rhythmd.hub.sending.delivery import Backlog, ControlLog, Delivery, Event, State
from rhythmd.hub.sending.fanout import Fanout
from rhythmd.hub.sending.outbound import ControlMessage, CursorPositions, Music
from tests.client import note_on
from tests.hub.manual import ManualHub

__all__ = ["BLOCK", "LOGGED", "WRITE_LIMIT", "Socket", "Stage", "Treatment", "message", "pointers", "size", "snapshot"]

WRITE_LIMIT: Final = 1_000
MUSIC_LIMIT: Final = 200
PATIENCE_MS: Final = 60_000
LOGGED: Final = 20  # messages that the log keeps
BLOCK: Final = b"\x02\x00\x01" + bytes(4) + pack_events([note_on()])


class Treatment(NamedTuple):
    """What happens to a message on its way to a client, in the docstring's words."""

    control: str
    music: str


class Socket:
    """A socket of which the test says how much waits.

    Attributes:
        written: the frames that were written, in order.
        waiting: bytes that wait.
        is_stalled: whether what is written waits as well.
    """

    def __init__(self, encoding: Encoding = Encoding.BINARY) -> None:
        self.encoding = encoding
        self.written: list[bytes] = []
        self.waiting = 0
        self.is_stalled = False

    @property
    def write(self) -> Callable[[bytes], None]:
        return self._write

    def _write(self, frame: bytes) -> None:
        self.written.append(frame)
        if self.is_stalled:
            self.waiting += len(frame)

    def waiting_bytes(self) -> int:
        return self.waiting


class Stage:
    """One client in a room of three, whose fan-out serves one listener at a time.

    Attributes:
        delivery: the way to the client.
        socket: the client's newest one.
        overflows: how often more waited than may.
    """

    def __init__(self, manual: ManualHub) -> None:
        self.manual = manual
        self.fanout = Fanout(manual.hub.pacer, self, 1)
        self.others = [self._listener(), self._listener()]
        self.socket = Socket()
        self.overflows = 0
        self.delivery = self._new_delivery()
        for delivery in (*self.others, self.delivery):
            self.fanout.add(delivery)

    @property
    def playout_ms(self) -> int:
        return PATIENCE_MS

    def held(self, skip: Delivery) -> list[tuple[int, bytes]]:
        return []

    def _listener(self) -> Delivery:
        delivery = self._new_delivery()
        delivery.connect(Socket())
        return delivery

    def _new_delivery(self) -> Delivery:
        memory = self.manual.hub.memory
        log = ControlLog(LOGGED, 100_000, memory.of("log"))
        return Delivery(log, WRITE_LIMIT, MUSIC_LIMIT, self._overflow, memory.of("backlog"))

    def _overflow(self) -> None:
        self.overflows += 1

    def begin_slices(self) -> None:
        """Let the fan-out be in the middle of writing to the others, until the loop turns."""
        self.fanout.broadcast(message(), {self.delivery})

    def say(self) -> int:
        """Send the client a control message; its size."""
        said = message()
        self.delivery.send(said)
        return len(said.frame(self.delivery.encoding))

    def reach(self, state: State) -> None:
        """Bring the client, who was away, there."""
        self.begin_slices()
        for event in PATHS[state]:
            self.cause(event)
        assert self.delivery.state is state

    def cause(self, event: Event) -> None:
        """Let `event` happen, by the call with which the hub says so."""
        match event:
            case Event.CONNECTED:
                self.connect()
            case Event.RESUMED:
                self.resume()
            case Event.UPDATED:
                assert self.delivery.bring_up_to_date(self.delivery.log.count) is not None
            case Event.PAUSED:
                self.delivery.pause()
            case Event.DRAINED:
                self.delivery.drain()
            case Event.ADMITTED:
                self.delivery.admit()
            case Event.OVERFLOWED:
                self.overflow()
            case Event.LOST:
                self.delivery.lose()

    def connect(self) -> None:
        self.delivery.connect(self._new_socket())

    def resume(self, *, is_slow: bool = False) -> None:
        self.delivery.resume(self._new_socket(), is_slow=is_slow)

    def _new_socket(self) -> Socket:
        socket = Socket()
        if self.delivery.socket is None:
            self.socket = socket
        return socket

    def overflow(self) -> None:
        """Send more than may wait: a message to somebody who listens, or one that was missed."""
        self.socket.waiting = WRITE_LIMIT
        self.say()
        if self.delivery.state in (State.RESUMING, State.RESUMING_THROTTLED):
            self.delivery.bring_up_to_date(self.delivery.log.count - 1)
        self.socket.waiting = 0

    def treatment(self) -> Treatment:
        """What becomes of music and of a control message now. The state is another one afterwards."""
        music = self.music()
        return Treatment(self.control(), music)

    def music(self) -> str:
        """What becomes of music now."""
        before, written = size(self.delivery.backlog), len(self.socket.written)
        self.fanout.play(self.others[0], BLOCK)
        self.fanout.finish()
        if len(self.socket.written) > written:
            assert self.socket.written[written:] == [Music([BLOCK]).frame(Encoding.BINARY)]
            return "written"
        # What is stale keeps nothing: a snapshot stands for it.
        backlog = self.delivery.backlog
        return "backlog" if size(backlog) > before or (backlog is not None and backlog.is_stale) else "missed"

    def control(self) -> str:
        """What becomes of a control message now."""
        written, count = len(self.socket.written), self.delivery.log.count
        self.say()
        assert self.delivery.log.count == count + 1
        if len(self.socket.written) == written:
            return "logged"
        assert self.socket.written[written:] == [message().frame(Encoding.BINARY)]
        self.socket.waiting = WRITE_LIMIT
        self.say()
        assert self.delivery.log.count == count + 2
        return "written" if len(self.socket.written) == written + 2 else "written, within a bound"


PATHS: Final = {
    State.AWAY: (),
    State.RESUMING: (Event.CONNECTED, Event.LOST, Event.RESUMED),
    State.RESUMING_THROTTLED: (Event.CONNECTED, Event.LOST, Event.RESUMED, Event.PAUSED),
    State.LIVE: (Event.CONNECTED,),
    State.THROTTLED: (Event.CONNECTED, Event.PAUSED),
    State.CATCHING_UP: (Event.CONNECTED, Event.PAUSED, Event.DRAINED),
    State.OVERRUN: (Event.CONNECTED, Event.PAUSED, Event.OVERFLOWED),
}


def message() -> ControlMessage:
    return ControlMessage("chat-cleared", ChatCleared())


def snapshot() -> ControlMessage:
    return ControlMessage("notes", Notes([]))


def pointers() -> CursorPositions:
    return CursorPositions([CursorAt(2, 1, 1)])


def size(backlog: Backlog | None) -> int:
    """Bytes of music that wait."""
    return 0 if backlog is None else len(backlog.take(server_ms(), PATIENCE_MS) or b"")
