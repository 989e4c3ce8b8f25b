"""Control messages as frozen, typed values. PROTOCOL.md says what each one means.

`CLIENT_MESSAGES` and `SERVER_MESSAGES` map a `type` on the wire to the struct of its `data`. Unknown fields
are ignored. Times called `time` in chat are Unix milliseconds; those of music are the server's clock.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

__all__ = [
    "CLIENT_MESSAGES",
    "SERVER_MESSAGES",
    "U16",
    "U32",
    "Authenticate",
    "Ban",
    "Byte",
    "ChatCleared",
    "ChatKind",
    "ChatLine",
    "ChatMessage",
    "ChatText",
    "ClearChat",
    "ClockAnswer",
    "ClockQuestion",
    "Colour",
    "CursorPosition",
    "Cursors",
    "Error",
    "JoinAck",
    "JoinRoom",
    "Kick",
    "LeaveRoom",
    "Limits",
    "Line",
    "Message",
    "Metronome",
    "MetronomeState",
    "MetronomeUpdate",
    "MidiBlockData",
    "MidiInput",
    "MidiOutput",
    "Mode",
    "Mute",
    "Name",
    "Notes",
    "Password",
    "Playout",
    "PlayoutMs",
    "QuotaState",
    "Record",
    "RecordLast",
    "RecordingInfo",
    "RecordingReady",
    "RecordingState",
    "Resume",
    "ResumeAck",
    "RoomInfo",
    "RoomLeft",
    "RoomName",
    "RoomSettings",
    "RoomSettingsUpdate",
    "RoomType",
    "RoomUpdate",
    "RoomUpdated",
    "Seats",
    "Seconds",
    "SlotState",
    "Status",
    "Stopping",
    "Timing",
    "TransferOwner",
    "Typing",
    "Unban",
    "User",
    "UserJoined",
    "UserLeft",
    "UserTyping",
    "UserUpdate",
    "UserUpdated",
    "Welcome",
]

# No control characters, and something that is no space. `\Z`, because `$` would let a final line break pass.
_ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*\Z"

Name = Annotated[str, Meta(min_length=1, max_length=32, pattern=_ONE_LINE)]
RoomName = Annotated[str, Meta(min_length=1, max_length=50, pattern=_ONE_LINE)]
Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}\Z")]
Password = Annotated[str, Meta(min_length=1, max_length=128)]
ChatText = Annotated[str, Meta(min_length=1, max_length=500)]
Line = Annotated[str, Meta(max_length=128)]
Byte = Annotated[int, Meta(ge=0, le=0xFF)]
U16 = Annotated[int, Meta(ge=0, le=0xFFFF)]
U32 = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
Seconds = Annotated[int, Meta(ge=1, le=365 * 86_400)]
Seats = Annotated[int, Meta(ge=1, le=65_535)]
PlayoutMs = Annotated[int, Meta(ge=10, le=1_000)]
Tempo = Annotated[float, Meta(ge=20, le=400)]
Beats = Annotated[int, Meta(ge=1, le=32)]
BeatUnit = Literal[1, 2, 4, 8, 16, 32]


class Message(Struct, frozen=True, omit_defaults=False):
    """Base of everything that stands in `data`."""


class RoomType(StrEnum):
    """Lobby and public rooms are listed; unlisted ones need their id or name, private ones a password too."""

    LOBBY = "lobby"
    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class Mode(StrEnum):
    NORMAL = "normal"
    ORCHESTRA = "orchestra"


class Status(StrEnum):
    ONLINE = "online"
    AWAY = "away"
    BUSY = "busy"
    INVISIBLE = "invisible"


class ChatKind(StrEnum):
    TEXT = "text"
    ME = "me"
    WHISPER = "whisper"
    SYSTEM = "system"


# Values that several messages share


class User(Message, frozen=True):
    """A user as the others in the room see them. `slot` is their number in the room.

    `reconnecting`: the connection is lost, and the seat is held for a while.
    """

    id: str
    name: str
    colour: str
    status: Status = Status.ONLINE
    status_text: str = ""
    guest: bool = True
    bot: bool = False
    slot: int | None = None
    notes_muted: bool = False
    chat_muted: bool = False
    reconnecting: bool = False


class RoomSettings(Message, frozen=True):
    """What the owner of a room decides. `playout_ms` of None: the server measures it."""

    type: RoomType = RoomType.PUBLIC
    max_players: Seats = 16
    stage: Annotated[str, Meta(max_length=64)] = ""
    mode: Mode = Mode.NORMAL
    welcome_message: Annotated[str, Meta(max_length=500)] = ""
    only_owner_can_chat: bool = False
    only_owner_can_play: bool = False
    allow_guests: bool = True
    allow_bots: bool = True
    allow_black_midi: bool = False
    allow_replay: bool = False
    playout_ms: PlayoutMs | None = None


class RoomSettingsUpdate(Message, frozen=True):
    """Any part of `RoomSettings`; what is left out stays. `password: null` takes the password away."""

    name: RoomName | UnsetType = UNSET
    password: Password | UnsetType | None = UNSET
    type: RoomType | UnsetType = UNSET
    max_players: Seats | UnsetType = UNSET
    stage: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    welcome_message: Annotated[str, Meta(max_length=500)] | UnsetType = UNSET
    only_owner_can_chat: bool | UnsetType = UNSET
    only_owner_can_play: bool | UnsetType = UNSET
    allow_guests: bool | UnsetType = UNSET
    allow_bots: bool | UnsetType = UNSET
    allow_black_midi: bool | UnsetType = UNSET
    allow_replay: bool | UnsetType = UNSET
    playout_ms: PlayoutMs | UnsetType | None = UNSET


class Metronome(Message, frozen=True):
    """A running metronome: `bpm` counts beats of a `unit`-th note, `beats` of them are a bar.

    Beat n, from 0 on, falls on `start_us` + n x 60,000,000 / bpm, microseconds of the server's clock.
    """

    bpm: float
    beats: int
    unit: int
    start_us: int


class RoomInfo(Message, frozen=True):
    """A room as its members, and the lobby's list, see it. `playout_ms` is the playout delay in force."""

    id: str
    name: str
    settings: RoomSettings
    has_password: bool
    players: int
    owner: str | None
    playout_ms: int = 50
    metronome: Metronome | None = None
    recording: bool = False


class ChatLine(Message, frozen=True):
    """One line of chat, live or from the history. `id` grows within a room; `to` stands on a whisper."""

    id: int
    time: int
    kind: ChatKind
    content: str
    user_id: str | None = None
    name: str | None = None
    colour: str | None = None
    to: str | None = None


class SlotState(Message, frozen=True):
    """What one player holds: the channel messages that, played in order, bring a synthesizer there."""

    slot: int
    state: list[tuple[int, int, int]]


class QuotaState(Message, frozen=True):
    """The note quota in force: `points` left, `allowance` refilled every 2 s, up to `maximum`."""

    points: int
    allowance: int
    maximum: int


class Limits(Message, frozen=True):
    """The limits a client has to know."""

    message_bytes: int
    chat_length: int
    chat_history: int
    ping_interval_s: float
    silence_s: float
    messages_per_s: float
    quota_refill_s: float
    resume_s: float = 30.0


# Client to server


class JoinRoom(Message, frozen=True):
    """`room` is an id or a name; `lobby` finds a lobby with a free seat. `settings` count on creation."""

    room: RoomName
    password: Password | None = None
    create: bool = False
    settings: RoomSettings | None = None


class LeaveRoom(Message, frozen=True):
    pass


class ChatMessage(Message, frozen=True):
    """A line for the room, a `/command`, or, with `to` (a user's id or name), a whisper."""

    content: ChatText
    to: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class Authenticate(Message, frozen=True):
    """An access token or a one-time ticket, to stay logged in. One of the two."""

    token: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None
    ticket: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class Typing(Message, frozen=True):
    typing: bool


class UserUpdate(Message, frozen=True):
    name: Name | UnsetType = UNSET
    colour: Colour | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    status_text: Line | UnsetType = UNSET


class RoomUpdate(Message, frozen=True):
    settings: RoomSettingsUpdate


class Resume(Message, frozen=True):
    """Go on with an earlier session. `received`: how many of its counted control messages have come."""

    session: Annotated[str, Meta(min_length=1, max_length=64)]
    received: Annotated[int, Meta(ge=0)]


class Timing(Message, frozen=True):
    """How late the notes of the last seconds came in, at their 95th percentile, by the server's clock."""

    late_ms: Annotated[int, Meta(ge=0, le=60_000)]


class MetronomeUpdate(Message, frozen=True):
    """Start the metronome, change it or stop it. What is left out stays, or is 120 and 4/4."""

    running: bool
    bpm: Tempo | UnsetType = UNSET
    beats: Beats | UnsetType = UNSET
    unit: BeatUnit | UnsetType = UNSET


class Record(Message, frozen=True):
    """Begin or end a recording of the room. `name` is its title."""

    on: bool
    name: RoomName | UnsetType = UNSET


class RecordLast(Message, frozen=True):
    """Keep the last minutes as a recording."""

    name: RoomName | UnsetType = UNSET


class TransferOwner(Message, frozen=True):
    user: str


class Kick(Message, frozen=True):
    user: str
    reason: Line = ""


class Ban(Message, frozen=True):
    """Seconds of None: for as long as the room lives."""

    user: str
    seconds: Seconds | None = None
    reason: Line = ""


class Unban(Message, frozen=True):
    user: str


class Mute(Message, frozen=True):
    """Sets what is named, leaves the rest: `notes` for the keys, `chat` for the lines."""

    user: str
    notes: bool | UnsetType = UNSET
    chat: bool | UnsetType = UNSET


class ClearChat(Message, frozen=True):
    pass


class MidiInput(Message, frozen=True):
    """`rhythm.v1.json` only: the binary message as numbers, events as [offset, status, data 1, data 2]."""

    time: U32
    events: Annotated[list[tuple[U16, Byte, Byte, Byte]], Meta(min_length=1)]


class ClockQuestion(Message, frozen=True):
    """`rhythm.v1.json` only."""

    value: Annotated[int, Meta(ge=0)]


class CursorPosition(Message, frozen=True):
    """`rhythm.v1.json` only."""

    x: U16
    y: U16


# Server to client


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
    slot: int
    time: int
    events: list[tuple[int, int, int, int]]


class MidiOutput(Message, frozen=True):
    """`rhythm.v1.json` only."""

    blocks: list[MidiBlockData]


class ClockAnswer(Message, frozen=True):
    """`rhythm.v1.json` only. Times are microseconds of the server's clock."""

    value: int
    received: int
    sent: int


class Cursors(Message, frozen=True):
    """`rhythm.v1.json` only: [slot, x, y] each."""

    cursors: list[tuple[int, int, int]]


class Stopping(Message, frozen=True):
    """The server goes down; come back after `reconnect_after_ms`."""

    reconnect_after_ms: int


CLIENT_MESSAGES: Final[dict[str, type[Message]]] = {
    "authenticate": Authenticate,
    "join-room": JoinRoom,
    "leave-room": LeaveRoom,
    "chat-message": ChatMessage,
    "typing": Typing,
    "user-update": UserUpdate,
    "room-update": RoomUpdate,
    "transfer-owner": TransferOwner,
    "kick": Kick,
    "ban": Ban,
    "unban": Unban,
    "mute": Mute,
    "clear-chat": ClearChat,
    "midi-event": MidiInput,
    "clock": ClockQuestion,
    "cursor": CursorPosition,
    "resume": Resume,
    "timing": Timing,
    "metronome": MetronomeUpdate,
    "record": Record,
    "record-last": RecordLast,
}

SERVER_MESSAGES: Final[dict[str, type[Any]]] = {
    "welcome": Welcome,
    "ack": dict,
    "error": Error,
    "user-joined": UserJoined,
    "user-left": UserLeft,
    "user-updated": UserUpdated,
    "room-updated": RoomUpdated,
    "room-left": RoomLeft,
    "chat-message": ChatLine,
    "chat-cleared": ChatCleared,
    "typing": UserTyping,
    "quota": QuotaState,
    "midi-event": MidiOutput,
    "clock": ClockAnswer,
    "cursor": Cursors,
    "stopping": Stopping,
    "notes": Notes,
    "playout": Playout,
    "metronome": MetronomeState,
    "recording": RecordingState,
    "recording-ready": RecordingReady,
}
