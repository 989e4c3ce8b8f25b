"""Whatever a client says, and wherever it is cut off, it has got each counted message of its session once and in order.

The server's side of the count is what it put into the session's log; the client's side is what it read, in whichever
subprotocol each of its sockets spoke.
"""

from typing import Any, Final

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rhythm_protocol.binary import ClockReply, encode_clock_request, encode_cursor
from rhythm_protocol.messages import Notes, ResumeAck, Welcome
from rhythm_protocol.resume import SessionCounter
from rhythmd.fairness.memory import Holding
from rhythmd.hub.ports import Encoding
from rhythmd.hub.sending.delivery import ControlLog
from rhythmd.hub.sending.outbound import Outbound
from tests.client import Answer, Music, Pointers, note_on, read_message
from tests.hub.manual import FakePeer, ManualHub, payloads

ROOMS: Final = ("Salon", "Attic")
CLIENTS: Final = 3
LOGGED: Final = 6  # few, so that some resumes recover nothing
RESUME_ID: Final = 1_000_000
UNCOUNTED: Final = (Welcome, Notes, Music, Pointers, ClockReply)

clients = st.integers(0, CLIENTS - 1)
rooms = st.sampled_from(ROOMS)
encodings = st.sampled_from(Encoding)

Said = tuple[str, dict[str, Any]]

OFTEN: Final[tuple[Said, ...]] = (
    ("chat-message", {"content": "good evening"}),
    ("typing", {"typing": True}),
    ("user-update", {"name": "Clara", "status": "busy"}),
    ("clock", {"value": 7}),
    ("cursor", {"x": 1, "y": 2}),
)
SELDOM: Final[tuple[Said, ...]] = (
    ("leave-room", {}),
    ("chat-message", {"content": "/help"}),
    ("chat-message", {"content": "/me waves"}),
    ("chat-message", {"content": "/mute_self"}),
    ("chat-message", {"content": "/nickname Brahms"}),
    ("chat-message", {"content": "/status_text at the piano"}),
    ("chat-message", {"content": "/clear_chat"}),
    ("chat-message", {"content": "/dance"}),
    ("chat-message", {"content": "psst", "to": "nobody"}),
    ("room-update", {"settings": {"stage": "cave", "playout_ms": 80}}),
    ("room-update", {"settings": {"playout_ms": None, "only_owner_can_chat": True}}),
    ("room-update", {"settings": {"allow_black_midi": True, "welcome_message": "Hello, %%user%%"}}),
    ("clear-chat", {}),
    ("timing", {"late_ms": 120}),
    ("metronome", {"running": True, "bpm": 90}),
    ("metronome", {"running": False}),
    ("record", {"on": False}),
    ("midi-event", {"time": 0, "events": [[0, 0xF0, 0, 0]]}),
    ("no-such-type", {}),
    ("join-room", {}),
    ("authenticate", {}),
)
"""What is said of nobody, all of it handled or refused at once."""

AT_SOMEBODY: Final = ("kick", "ban", "unban", "mute", "transfer-owner", "whisper", "/kick", "/ban", "/mute", "/unmute")


class SpiedLog(ControlLog):
    """A log that remembers for ever what was counted since the count began."""

    __slots__ = ("said",)

    def __init__(self, holding: Holding) -> None:
        super().__init__(LOGGED, 1_000_000, holding)
        self.said: list[Outbound] = []

    def append(self, message: Outbound, encoding: Encoding) -> None:
        super().append(message, encoding)
        self.said.append(message)

    def restart(self) -> None:
        super().restart()
        self.said.clear()


class Reader:
    """A client that keeps each counted message of its session.

    Attributes:
        peer: its newest socket.
        read: what was counted, since the count began.
    """

    def __init__(self, manual: ManualHub, encoding: Encoding) -> None:
        self._manual = manual
        self._counter = SessionCounter()
        self.read: list[object] = []
        self.peer = self._connect(encoding)

    def _connect(self, encoding: Encoding) -> FakePeer:
        peer = self._manual.connect(encoding)
        (welcome,) = peer.take()
        assert isinstance(welcome, Welcome)
        self._counter.welcomed(welcome.session)
        assert peer.delivery.log.count == 0
        peer.delivery.log = SpiedLog(self._manual.hub.memory.of("log"))
        return peer

    @property
    def log(self) -> SpiedLog:
        """Of its session, on the server's side."""
        log = self.peer.delivery.log
        assert isinstance(log, SpiedLog)
        return log

    @property
    def is_away(self) -> bool:
        """Whether its connection is lost: cut off, or closed because too much was said before it could go on."""
        return self.peer.closed is not None

    def listen(self) -> None:
        """Take in all that has arrived."""
        for message in self.peer.take():
            if isinstance(message, Answer) and message.id == RESUME_ID and message.error is None:
                self._resumed(msgspec.convert(message.data, ResumeAck))
                continue
            if isinstance(message, Answer) and message.id == RESUME_ID:
                self._counter.refused()  # it was in no room, and not waited for
                self.read.clear()
            if not isinstance(message, UNCOUNTED):
                self._counter.heard("")
                self.read.append(message)

    def _resumed(self, ack: ResumeAck) -> None:
        self._counter.resumed(ack)
        if ack.recovered:
            assert self._counter.received == len(self.read)
            assert ack.missed == self.log.count - len(self.read)
        else:
            self.read.clear()

    def lose(self, *, unread: bool) -> None:
        """Lose the connection; with `unread`, also what has come on it and is not processed."""
        if unread:
            self.peer.heard.clear()
        self.listen()
        self.peer.drop()

    def resume(self, encoding: Encoding) -> None:
        """Come back on another socket; all is heard before anything else is done."""
        self._claim(encoding)
        self.listen()
        self._manual.tick()

    def resume_in_vain(self, encoding: Encoding) -> None:
        """Lose the other socket as well, before the answer has come."""
        self._claim(encoding)
        self.peer.heard.clear()
        self.peer.drop()

    def _claim(self, encoding: Encoding) -> None:
        self.listen()
        self.peer = self._connect(encoding)
        claim = self._counter.resume
        assert claim is not None
        self.peer.say("resume", msgspec.to_builtins(claim), RESUME_ID)

    def confirm(self) -> None:
        """Answer a ping, if one is due, with all that was written before it."""
        self.listen()
        number = self._manual.hub.unconfirmed(self.peer.session)
        if number is not None:
            self._manual.hub.on_confirm(self.peer.session, number)

    def check(self) -> None:
        """All that was counted on the server's side has come, each message once, in order, and the counts agree."""
        self.listen()
        assert self.read == [decoded(message) for message in self.log.said]
        assert self._counter.received == self.log.count == len(self.read)


def decoded(message: Outbound) -> object:
    """A message of the server's as a client reads it."""
    (payload,) = payloads(message.frame(Encoding.BINARY))
    return read_message(payload, is_binary=True)


class SessionMachine(RuleBasedStateMachine):
    """Clients in two rooms, in slices of two listeners."""

    def __init__(self) -> None:
        super().__init__()
        self.manual = ManualHub(
            "hub.yield_after=2",
            "hub.cursor_interval_ms=1",
            f"hub.resume_messages={LOGGED}",
            "limits.messages_burst=5000",
        )
        self.readers: list[Reader] = []
        self.last_id = 0

    @initialize(kinds=st.tuples(*[encodings] * CLIENTS))
    def open(self, kinds: tuple[Encoding, ...]) -> None:
        self.readers = [Reader(self.manual, encoding) for encoding in kinds]
        for reader in self.readers:
            self.say(reader, "join-room", {"room": ROOMS[0], "create": True})

    def say(self, reader: Reader, type_: str, data: dict[str, Any], *, asks: bool = True) -> None:
        """Say it, unless the client is away; with an id if it `asks` for an answer."""
        self.last_id += 1
        if not reader.is_away:
            reader.peer.say(type_, data, self.last_id if asks else None)

    @rule(who=clients, room=rooms)
    def join(self, who: int, room: str) -> None:
        self.say(self.readers[who], "join-room", {"room": room, "create": True})

    @rule(who=clients, what=st.sampled_from(OFTEN), times=st.integers(1, 5), asks=st.booleans())
    def say_often(self, who: int, what: Said, times: int, asks: bool) -> None:
        for _ in range(times):
            self.say(self.readers[who], *what, asks=asks)

    @rule(who=clients, what=st.sampled_from(SELDOM), asks=st.booleans())
    def say_seldom(self, who: int, what: Said, asks: bool) -> None:
        self.say(self.readers[who], *what, asks=asks)

    @rule(who=clients, whom=clients, what=st.sampled_from(AT_SOMEBODY))
    def say_of_somebody(self, who: int, whom: int, what: str) -> None:
        user = self.readers[whom].peer.session.player.id
        if what == "whisper":
            self.say(self.readers[who], "chat-message", {"content": "psst", "to": user})
        elif what.startswith("/"):
            self.say(self.readers[who], "chat-message", {"content": f"{what} {user}"})
        else:
            self.say(self.readers[who], what, {"user": user})

    @rule(who=clients, payload=st.sampled_from([b"", b"\xff", b"\x10", b"\x10\xc1", b"\x01\x00", b"\x03"]))
    def say_nonsense(self, who: int, payload: bytes) -> None:
        reader = self.readers[who]
        if reader.is_away:
            return
        if reader.peer.encoding is Encoding.BINARY:
            self.manual.hub.on_binary(reader.peer.session, payload)
        else:
            self.manual.hub.on_text(reader.peer.session, payload.decode("latin-1"))

    @rule(who=clients, payload=st.sampled_from([encode_clock_request(7), encode_cursor(1, 2)]))
    def say_in_bytes(self, who: int, payload: bytes) -> None:
        """Say several times what has a binary twin, in its layout."""
        reader = self.readers[who]
        if not reader.is_away and reader.peer.encoding is Encoding.BINARY:
            for _ in range(5):
                self.manual.hub.on_binary(reader.peer.session, payload)

    @rule(who=clients)
    def play(self, who: int) -> None:
        if not self.readers[who].is_away:
            self.readers[who].peer.play([note_on()])

    @rule(who=clients)
    def stall(self, who: int) -> None:
        reader = self.readers[who]
        reader.peer.is_stalled = not reader.is_away

    @rule(who=clients)
    def read_on(self, who: int) -> None:
        if not self.readers[who].is_away:
            self.readers[who].peer.read_on()

    @rule(who=clients, unread=st.booleans())
    def lose(self, who: int, unread: bool) -> None:
        reader = self.readers[who]
        if not reader.is_away:
            reader.lose(unread=unread)

    @rule(who=clients, encoding=encodings, is_half_open=st.booleans())
    def resume(self, who: int, encoding: Encoding, is_half_open: bool) -> None:
        """Come back; a half-open socket is taken over, and what was on its way there is lost."""
        reader = self.readers[who]
        if reader.is_away or is_half_open:
            reader.resume(encoding)

    @rule(who=clients, encoding=encodings)
    def resume_in_vain(self, who: int, encoding: Encoding) -> None:
        if self.readers[who].is_away:
            self.readers[who].resume_in_vain(encoding)

    @rule(who=clients)
    def confirm(self, who: int) -> None:
        reader = self.readers[who]
        if not reader.is_away and not reader.peer.is_stalled:
            reader.confirm()

    @rule()
    def tick(self) -> None:
        self.manual.tick()

    @rule()
    def settle(self) -> None:
        """In quiet, the two sides of each client that is here and reads agree."""
        self.manual.settle()
        for reader in self.readers:
            if not reader.is_away and not reader.peer.is_stalled:
                reader.check()

    @invariant()
    def reads_what_was_said(self) -> None:
        """After each step, also in the middle of slices: what was read is the beginning of what was said."""
        for reader in self.readers:
            if reader.is_away:
                continue  # the count may have begun anew, and the client not know it yet
            reader.listen()
            assert reader.read == [decoded(message) for message in reader.log.said[: len(reader.read)]]

    def teardown(self) -> None:
        try:
            for reader in self.readers:
                self.manual.settle()
                if reader.is_away:
                    reader.resume(Encoding.TEXT)
                reader.peer.read_on()
            self.settle()
        finally:
            self.manual.close()


SessionMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
test_every_session_is_counted_alike_on_both_sides = SessionMachine.TestCase
