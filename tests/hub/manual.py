"""A hub without sockets, on a loop whose ticks the test turns by hand."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, cast

from rhythm_protocol.binary import encode_midi
from rhythm_protocol.close import ABNORMAL, NORMAL, Close
from rhythm_protocol.control import encode_binary, encode_text
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.midi import MidiEvent
from rhythmd.clock import server_ms
from rhythmd.config import Config, LimitsConfig, load_config
from rhythmd.errors import Refused
from rhythmd.fairness.account import Account, NetworkAccount, Prices
from rhythmd.fairness.disk import Disk
from rhythmd.fairness.turns import Turns
from rhythmd.hub.hub import Hub
from rhythmd.hub.ports import Encoding, Performance, SheetSource
from rhythmd.hub.sending.delivery import Delivery, State
from rhythmd.hub.sessions.session import Session
from rhythmd.ports import LiveState, Store
from rhythmd.store.live import NoLiveState
from rhythmd.telemetry import Stats
from tests.client import read_message

__all__ = ["FakePeer", "ManualHub", "bare_hub", "payloads"]

TURNS_TO_SETTLE = 100  # in the slowest room of the tests: thirty steps of three messages in five slices


class EmptyRooms:
    """As much of a `ports.RoomStore` as a hub without kept rooms asks."""

    async def get(self, room_id: str) -> None:
        return None

    async def by_name(self, name: str) -> None:
        return None

    async def by_look(self, name: str) -> None:
        return None


class EmptyStore:
    rooms = EmptyRooms()


class NoSheets:
    """A `hub.ports.SheetSource` without any."""

    async def performance(self, _sheet_id: str, _user_id: str | None, _roles: frozenset[str]) -> Performance:
        raise Refused(ErrorCode.NOT_FOUND, "there is no such sheet", "sheet")


class NoAudit:
    """An `auth.auditor.AuditTrail` that keeps nothing."""

    def record(self, action: str, *, actor: str, target: str, address: str, **details: str) -> None:
        pass


def bare_hub(
    config: Config,
    loop: asyncio.AbstractEventLoop,
    live: LiveState | None = None,
    sheets: SheetSource | None = None,
) -> Hub:
    """A hub that stores no rooms, hashes no password and knows nobody; without `live` a restart finds nothing."""
    nobody, store = cast(Any, None), cast(Store, EmptyStore())
    live, sheets = live or NoLiveState(), sheets or NoSheets()
    stats = Stats()
    turns = Turns(loop, config.limits, stats)
    return Hub(config, stats, loop, store, nobody, nobody, nobody, live, sheets, NoAudit(), turns, Disk(config, None))


class ManualHub:
    """A hub with the defaults and over them `settings`, each as `section.key=value`. Close it."""

    def __init__(self, *settings: str, sheets: SheetSource | None = None, live: LiveState | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self.hub = bare_hub(load_config(None, {}, settings), self._loop, live, sheets)

    def close(self) -> None:
        self._loop.close()

    def restore(self) -> None:
        """Put back what the hub before left in the live state."""
        self._loop.run_until_complete(self.hub.restore())

    def tick(self) -> None:
        """One turn of the loop: what is ready now runs, what that makes ready waits for the next."""
        self._loop.call_soon(self._loop.stop)
        self._loop.run_forever()

    def settle(self) -> None:
        """Let everything that was played and said be written, however many slices it takes."""
        for _ in range(TURNS_TO_SETTLE):
            self.tick()
        while any(session.delivery.state is State.CATCHING_UP for session in self.hub.sessions):
            self.tick()  # one who was slow again at once rests before another snapshot

    def connect(self, encoding: Encoding = Encoding.BINARY) -> "FakePeer":
        return FakePeer(self, encoding)


def payloads(frames: bytes) -> Iterator[bytes]:
    """The payloads of whole, unmasked WebSocket frames (RFC 6455, 5.2)."""
    at = 0
    while at < len(frames):
        start = at + {126: 4, 127: 10}.get(frames[at + 1], 2)
        length = frames[at + 1] if start == at + 2 else int.from_bytes(frames[at + 2 : start], "big")
        at = start + length
        yield frames[start:at]


class _FreeAccount(Account):
    """Waits for no turn: what a test does must not depend on how long it takes."""

    __slots__ = ()

    def may_go_on(self, now: float) -> bool:
        return True


class FakePeer:
    """A client without a socket. Implements `hub.ports.Peer`.

    Attributes:
        heard: the server's messages that nobody has taken, as `tests.client.read_message` gives them.
        closed: the rule by which the server closed it.
        is_stalled: whether what is written stays on its way. The first such write says that the buffer is full.
    """

    def __init__(self, manual: ManualHub, encoding: Encoding) -> None:
        self._manual = manual
        self._hub = hub = manual.hub
        self._on_its_way: list[bytes] = []
        self.encoding = encoding
        self.address = "127.0.0.1"
        self.bot = False
        self.account: Account = _FreeAccount(Prices(LimitsConfig()), NetworkAccount())
        self.heard: list[object] = []
        self.closed: Close | None = None
        self.is_stalled = False
        self.session = hub.attach(self, None)

    def write(self, frame: bytes) -> None:
        if not self.is_stalled:
            self._hear(frame)
            return
        self._on_its_way.append(frame)
        if len(self._on_its_way) == 1:
            self._hub.on_pause(self.session)

    @property
    def delivery(self) -> Delivery:
        """The way to this client."""
        return self.session.delivery

    def _hear(self, frames: bytes) -> None:
        is_binary = self.encoding is Encoding.BINARY
        self.heard += [read_message(payload, is_binary=is_binary) for payload in payloads(frames)]

    def waiting_bytes(self) -> int:
        return sum(map(len, self._on_its_way))

    def unread_bytes(self) -> int:
        return 0

    def unread_s(self) -> float:
        return 0.0

    def read_on(self) -> None:
        """Take in what is on its way, and stall no more."""
        self.is_stalled = False
        frames, self._on_its_way = self._on_its_way, []
        for frame in frames:
            self._hear(frame)
        if frames and self.closed is None:
            self._hub.on_drain(self.session)

    def close(self, rule: Close) -> None:
        if self.closed is None:
            self.closed = rule
            self._hub.on_lost(self.session, rule)

    def drop(self, rule: Close = ABNORMAL) -> None:
        """Lose the connection, with what is on its way."""
        self._on_its_way.clear()
        self.close(rule)

    def leave(self) -> None:
        """Close the socket as a client does that will not come back."""
        self.close(NORMAL)

    def hand_to(self, session: Session) -> None:
        self.session = session

    def say(self, type_: str, data: Mapping[str, object], id_: int | None = None) -> None:
        """Send one control message, and wait until the store, if it was asked, has answered."""
        if self.encoding is Encoding.BINARY:
            self._hub.on_binary(self.session, encode_binary(type_, data, id_))
        else:
            self._hub.on_text(self.session, encode_text(type_, data, id_).decode())
        while self.session.waiting is not None:
            self._manual.tick()

    def play(self, events: list[MidiEvent]) -> None:
        """Play `events` now."""
        base = server_ms() & 0xFFFFFFFF
        if self.encoding is Encoding.BINARY:
            self._hub.on_binary(self.session, encode_midi(base, events))
        else:
            self.say("midi-event", {"time": base, "events": [list(event) for event in events]})

    def take(self) -> list[object]:
        """What was heard since the last call."""
        heard, self.heard = self.heard, []
        return heard
