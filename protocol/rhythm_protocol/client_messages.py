"""What clients send: the structs of `CLIENT_MESSAGES`."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from rhythm_protocol.values import (
    U16,
    U32,
    U53,
    U64,
    Beats,
    BeatUnit,
    Byte,
    ChatText,
    Colour,
    Line,
    Message,
    Mode,
    Name,
    Password,
    PlayoutMs,
    RoomName,
    RoomSettings,
    RoomType,
    Seats,
    Seconds,
    Status,
    Tempo,
    check_u64,
)

__all__ = [
    "Authenticate",
    "Ban",
    "ChatMessage",
    "ClearChat",
    "ClockQuestion",
    "CursorPosition",
    "JoinRoom",
    "Kick",
    "LeaveRoom",
    "MetronomeUpdate",
    "MidiInput",
    "Mute",
    "Record",
    "RecordLast",
    "Resume",
    "RoomSettingsUpdate",
    "RoomUpdate",
    "Timing",
    "TransferOwner",
    "Typing",
    "Unban",
    "UserUpdate",
]


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
    received: U53


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

    value: U64

    def __post_init__(self) -> None:
        check_u64(self, "value")


class CursorPosition(Message, frozen=True):
    """`rhythm.v1.json` only."""

    x: U16
    y: U16
