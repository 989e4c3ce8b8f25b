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
    Reason,
    RoomName,
    RoomSettings,
    RoomType,
    Seats,
    Seconds,
    SheetId,
    Speed,
    Stage,
    Status,
    Tempo,
    Welcome,
    Whom,
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
    "ListSanctions",
    "MetronomeUpdate",
    "MidiInput",
    "Mute",
    "Record",
    "RecordLast",
    "Resume",
    "RoomSettingsUpdate",
    "RoomUpdate",
    "SheetPlay",
    "SheetSeek",
    "SheetStop",
    "Timing",
    "TransferOwner",
    "Typing",
    "Unban",
    "UserUpdate",
]


class RoomSettingsUpdate(Message, frozen=True):
    """A change of any part of `RoomSettings`. What is left out stays; a `password` of null removes the password."""

    name: RoomName | UnsetType = UNSET
    password: Password | UnsetType | None = UNSET
    type: RoomType | UnsetType = UNSET
    max_players: Seats | UnsetType = UNSET
    stage: Stage | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    welcome_message: Welcome | UnsetType = UNSET
    only_owner_can_chat: bool | UnsetType = UNSET
    only_owner_can_play: bool | UnsetType = UNSET
    allow_guests: bool | UnsetType = UNSET
    allow_bots: bool | UnsetType = UNSET
    allow_black_midi: bool | UnsetType = UNSET
    allow_replay: bool | UnsetType = UNSET
    playout_ms: PlayoutMs | UnsetType | None = UNSET


class JoinRoom(Message, frozen=True):
    """A request to enter a room, by its id or name; `lobby` finds a lobby with a free seat.

    `settings` are those of a new room; they are ignored if the room exists.
    """

    room: RoomName
    password: Password | None = None
    create: bool = False
    settings: RoomSettings | None = None


class LeaveRoom(Message, frozen=True):
    """A request to leave the room."""


class ChatMessage(Message, frozen=True):
    """A line for the room, a `/command`, or, with `to` (a user's id or name), a whisper."""

    content: ChatText
    to: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class Authenticate(Message, frozen=True):
    """An access token or a one-time ticket, one of the two, which renews a login."""

    token: Annotated[str, Meta(min_length=1, max_length=4096)] | None = None
    ticket: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class Typing(Message, frozen=True):
    """Whether the sender is writing a line of chat."""

    typing: bool


class UserUpdate(Message, frozen=True):
    """A change of the sender's own name, colour or status. What is left out stays."""

    name: Name | UnsetType = UNSET
    colour: Colour | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    status_text: Line | UnsetType = UNSET


class RoomUpdate(Message, frozen=True):
    """A change of the room's settings."""

    settings: RoomSettingsUpdate


class Resume(Message, frozen=True):
    """A request to continue an earlier session, of which so many counted control messages have come."""

    session: Annotated[str, Meta(min_length=1, max_length=64)]
    received: U53


class Timing(Message, frozen=True):
    """The lateness of the notes of the last seconds, as its 95th percentile, by the server's clock."""

    late_ms: Annotated[int, Meta(ge=0, le=60_000)]


class MetronomeUpdate(Message, frozen=True):
    """A start, a change or a stop of the metronome. What is left out stays, or is 120 beats a minute in 4/4."""

    running: bool
    bpm: Tempo | UnsetType = UNSET
    beats: Beats | UnsetType = UNSET
    unit: BeatUnit | UnsetType = UNSET


class Record(Message, frozen=True):
    """The beginning or the end of a recording of the room. `name` is its title."""

    on: bool
    name: RoomName | UnsetType = UNSET


class RecordLast(Message, frozen=True):
    """A request to keep the last minutes as a recording."""

    name: RoomName | UnsetType = UNSET


class SheetPlay(Message, frozen=True):
    """A request to play a sheet of the library in the room, from `position_ms` on and `speed` times as fast."""

    sheet: SheetId
    position_ms: U32 = 0
    speed: Speed = 1.0


class SheetStop(Message, frozen=True):
    """A request to stop the sheet that is played in the room."""


class SheetSeek(Message, frozen=True):
    """A request to go on at another place of the sheet, and, with `speed`, at another speed."""

    position_ms: U32
    speed: Speed | UnsetType = UNSET


class TransferOwner(Message, frozen=True):
    """The choice of another owner; `user` is a member's id or name."""

    user: Whom


class Kick(Message, frozen=True):
    """The removal of a member from the room."""

    user: Whom
    reason: Reason = ""


class Ban(Message, frozen=True):
    """The removal of a member from the room, who stays banned; without `seconds` for as long as the room lives."""

    user: Whom
    seconds: Seconds | None = None
    reason: Reason = ""


class Unban(Message, frozen=True):
    """The end of a ban; `user` is an id."""

    user: Whom


class Mute(Message, frozen=True):
    """A change of whether a person's `notes` and lines of `chat` are refused in the room. What is left out stays.

    What is muted stays so for `seconds`, or without them until it is taken back. `user` may be the id of a person who
    is muted and not there.
    """

    user: Whom
    notes: bool | UnsetType = UNSET
    chat: bool | UnsetType = UNSET
    seconds: Seconds | None = None


class ListSanctions(Message, frozen=True):
    """A question for the bans and mutes in the room."""


class ClearChat(Message, frozen=True):
    """A request to delete the room's chat."""


class MidiInput(Message, frozen=True):
    """Notes of the sender on `rhythm.v1.json`: a base time, and events as [offset, status, data 1, data 2]."""

    time: U32
    events: Annotated[list[tuple[U16, Byte, Byte, Byte]], Meta(min_length=1)]


class ClockQuestion(Message, frozen=True):
    """A question for the server's time on `rhythm.v1.json`; `value` comes back in the answer."""

    value: U64

    def __post_init__(self) -> None:
        check_u64(self, "value")


class CursorPosition(Message, frozen=True):
    """The place of the sender's pointer, on `rhythm.v1.json`."""

    x: U16
    y: U16
