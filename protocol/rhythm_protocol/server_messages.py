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
    SanctionInfo,
    SlotState,
    User,
    check_u64,
)

__all__ = [
    "AuthenticateAck",
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
    "SanctionsAck",
    "Stopping",
    "UserJoined",
    "UserLeft",
    "UserTyping",
    "UserUpdated",
    "Welcome",
]


class Welcome(Message, frozen=True):
    """The first message on every socket. `server_time` is microseconds of the server's clock.

    `login_s` is how many seconds the login of this socket is good for, None without one. `login_error` is a code of
    the table of errors: why the login of the browser's cookie does not count, so that its user is a guest.
    """

    user: User
    session: str
    server_time: int
    version: int
    limits: Limits
    login_s: float | None = None
    login_error: str | None = None


class AuthenticateAck(Message, frozen=True):
    """A login that was renewed, and how many seconds it is good for."""

    login_s: float


class JoinAck(Message, frozen=True):
    """The room that was joined: `members` are the announced ones, longest present first, `notes` what players hold."""

    slot: int
    room: RoomInfo
    members: list[User]
    notes: list[SlotState]
    quota: QuotaState
    chat: list[ChatLine] = field(default_factory=list)


class ResumeAck(Message, frozen=True):
    """A session that continues. `user` and `session` are the old ones again.

    If it is `recovered`, the `missed` counted control messages follow, in order. Otherwise they are lost, and `join`
    has the room as it is now, or None if the session is in no room. In a room, `notes` follow in either case.
    """

    user: User
    session: str
    recovered: bool
    missed: int
    join: JoinAck | None = None
    last_id: int | None = None


class SanctionsAck(Message, frozen=True):
    """The bans and mutes in the room."""

    sanctions: list[SanctionInfo]


class Notes(Message, frozen=True):
    """What every other player holds now. It replaces all that was known of it."""

    notes: list[SlotState]


class Playout(Message, frozen=True):
    """The playout delay in force from now on."""

    delay_ms: int


class MetronomeState(Message, frozen=True):
    """The metronome as it runs from now on; None when it stands still."""

    metronome: Metronome | None


class RecordingState(Message, frozen=True):
    """Whether the room is being recorded, and the id of the user who began it."""

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
    """A recording that the receiver was present at, or asked for, is finished."""

    recording: RecordingInfo


class Error(Message, frozen=True):
    """A refusal: a code of the table of errors, words for people, and the dotted name of the field that is wrong."""

    code: str
    message: str
    field: str | None = None


class UserJoined(Message, frozen=True):
    """A new member, once the room is told of them."""

    user: User


class UserLeft(Message, frozen=True):
    """A member who is gone; `reason` is left, lost, kicked or banned."""

    slot: int
    user_id: str
    reason: str


class UserUpdated(Message, frozen=True):
    """A member as they are now."""

    user: User


class RoomUpdated(Message, frozen=True):
    """The room as it is now."""

    room: RoomInfo


class RoomLeft(Message, frozen=True):
    """The receiver is out of the room without having asked for it; `seconds` is how long a ban applies."""

    room: str
    reason: str
    message: str = ""
    seconds: int | None = None


class UserTyping(Message, frozen=True):
    """Whether a member is writing a line of chat."""

    slot: int
    typing: bool


class ChatCleared(Message, frozen=True):
    """The room's chat was deleted."""


class MidiBlockData(Message, frozen=True):
    """Notes of one player: a base time, and events as [offset, status, data 1, data 2]."""

    slot: U16
    time: U32
    events: list[tuple[U16, Byte, Byte, Byte]]


class MidiOutput(Message, frozen=True):
    """Notes of other players, on `rhythm.v1.json`."""

    blocks: list[MidiBlockData]


class ClockAnswer(Message, frozen=True):
    """The server's time on `rhythm.v1.json`: when the question came and when the answer left, in microseconds."""

    value: U64
    received: U64
    sent: U64

    def __post_init__(self) -> None:
        check_u64(self, "value", "received", "sent")


class Cursors(Message, frozen=True):
    """The places of members' pointers on `rhythm.v1.json`, each as [slot, x, y]."""

    cursors: list[tuple[U16, U16, U16]]


class Stopping(Message, frozen=True):
    """The server goes down; the receiver comes back after `reconnect_after_ms`."""

    reconnect_after_ms: int
