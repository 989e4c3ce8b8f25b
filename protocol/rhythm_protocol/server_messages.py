"""What the server sends: the structs of `SERVER_MESSAGES`, and what stands in the `ack` of a join or a resume."""

from msgspec import field

from rhythm_protocol.values import (
    U16,
    U32,
    U64,
    Byte,
    ChatLine,
    Limits,
    Message,
    Metronome,
    QuotaState,
    RoomInfo,
    SlotState,
    User,
    check_u64,
)

__all__ = [
    "ChatCleared",
    "ClockAnswer",
    "Cursors",
    "Error",
    "JoinAck",
    "MetronomeState",
    "MidiBlockData",
    "MidiOutput",
    "Notes",
    "Playout",
    "RecordingInfo",
    "RecordingReady",
    "RecordingState",
    "ResumeAck",
    "RoomLeft",
    "RoomUpdated",
    "Stopping",
    "UserJoined",
    "UserLeft",
    "UserTyping",
    "UserUpdated",
    "Welcome",
]


class Welcome(Message, frozen=True):
    """The first message on every socket. `server_time` is microseconds of the server's clock."""

    user: User
    session: str
    server_time: int
    version: int
    limits: Limits


class JoinAck(Message, frozen=True):
    """`members` are those the room has been told of, oldest first; `notes` is what sounds at this moment."""

    slot: int
    room: RoomInfo
    members: list[User]
    notes: list[SlotState]
    quota: QuotaState
    chat: list[ChatLine] = field(default_factory=list)


class ResumeAck(Message, frozen=True):
    """The session goes on. `user` and `session` are the old ones again.

    `recovered`: the `missed` counted control messages follow, in order. Otherwise they are lost, and `join` has the
    room as it is now, unless the session was in none. The music follows as `notes` either way, in a room.
    """

    user: User
    session: str
    recovered: bool
    missed: int
    join: JoinAck | None = None
    last_id: int | None = None


class Notes(Message, frozen=True):
    """What every player holds now; takes the place of all that was known of it."""

    notes: list[SlotState]


class Playout(Message, frozen=True):
    """The playout delay in force from now on."""

    delay_ms: int


class MetronomeState(Message, frozen=True):
    """The metronome as it runs from now on; None when it stands still."""

    metronome: Metronome | None


class RecordingState(Message, frozen=True):
    """Whether the room is being recorded, and by whom (a user's id)."""

    on: bool
    by: str | None = None


class RecordingInfo(Message, frozen=True):
    """A finished recording. `created` is Unix milliseconds, `url` a path on this server."""

    id: str
    name: str
    room: str
    created: int
    duration_ms: int
    bytes: int
    players: int
    url: str


class RecordingReady(Message, frozen=True):
    recording: RecordingInfo


class Error(Message, frozen=True):
    code: str
    message: str
    field: str | None = None


class UserJoined(Message, frozen=True):
    user: User


class UserLeft(Message, frozen=True):
    """`reason`: left, lost, replaced, kicked or banned."""

    slot: int
    user_id: str
    reason: str


class UserUpdated(Message, frozen=True):
    user: User


class RoomUpdated(Message, frozen=True):
    room: RoomInfo


class RoomLeft(Message, frozen=True):
    """You are out of the room without having asked for it."""

    room: str
    reason: str
    message: str = ""
    seconds: int | None = None


class UserTyping(Message, frozen=True):
    slot: int
    typing: bool


class ChatCleared(Message, frozen=True):
    pass


class MidiBlockData(Message, frozen=True):
    slot: U16
    time: U32
    events: list[tuple[U16, Byte, Byte, Byte]]


class MidiOutput(Message, frozen=True):
    """`rhythm.v1.json` only."""

    blocks: list[MidiBlockData]


class ClockAnswer(Message, frozen=True):
    """`rhythm.v1.json` only. Times are microseconds of the server's clock."""

    value: U64
    received: U64
    sent: U64

    def __post_init__(self) -> None:
        check_u64(self, "value", "received", "sent")


class Cursors(Message, frozen=True):
    """`rhythm.v1.json` only: [slot, x, y] each."""

    cursors: list[tuple[U16, U16, U16]]


class Stopping(Message, frozen=True):
    """The server goes down; come back after `reconnect_after_ms`."""

    reconnect_after_ms: int
