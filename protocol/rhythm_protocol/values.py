"""The values that messages are made of: bounded strings and numbers, users, rooms, lines of chat."""

from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

__all__ = [
    "FORMS",
    "LINE",
    "LINES",
    "U16",
    "U32",
    "U53",
    "U64",
    "BeatUnit",
    "Beats",
    "Byte",
    "ChatKind",
    "ChatLine",
    "ChatText",
    "Colour",
    "Limits",
    "Line",
    "Message",
    "Metronome",
    "Mode",
    "Name",
    "Password",
    "PlayoutMs",
    "QuotaState",
    "Reason",
    "RoomInfo",
    "RoomName",
    "RoomSettings",
    "RoomType",
    "SanctionInfo",
    "Seats",
    "Seconds",
    "SheetId",
    "SheetInRoom",
    "SlotState",
    "Speed",
    "Stage",
    "Status",
    "Tempo",
    "User",
    "Welcome",
    "Whom",
    "check_u64",
]

# No control characters, and something that is no space. `\Z`, because `$` would let a final line break pass.
_ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*\Z"
_COLOUR: Final = r"^#[0-9a-fA-F]{6}\Z"

_U64_MAX: Final = 2**64 - 1

FORMS: Final = {
    _ONE_LINE: "one line of text with more in it than spaces",
    _COLOUR: "a colour such as #a0b1c2",
}
"""What these regular expressions ask for, in words."""

LINE: Final = {"text": "line"}
"""Marks the type of a text in one line, which the server cleans (PROTOCOL.md, "Names and texts")."""
LINES: Final = {"text": "lines"}
"""The same, for several lines."""

Name = Annotated[str, Meta(min_length=1, max_length=32, pattern=_ONE_LINE)]
RoomName = Annotated[str, Meta(min_length=1, max_length=50, pattern=_ONE_LINE)]
Colour = Annotated[str, Meta(max_length=7, pattern=_COLOUR)]
Password = Annotated[str, Meta(min_length=1, max_length=128)]
ChatText = Annotated[str, Meta(min_length=1, max_length=500, extra=LINES)]
Line = Annotated[str, Meta(max_length=128)]
Reason = Annotated[str, Meta(max_length=128, extra=LINE)]
Stage = Annotated[str, Meta(max_length=64, extra=LINE)]
Welcome = Annotated[str, Meta(max_length=500, extra=LINES)]
Byte = Annotated[int, Meta(ge=0, le=0xFF)]
U16 = Annotated[int, Meta(ge=0, le=0xFFFF)]
U32 = Annotated[int, Meta(ge=0, le=0xFFFFFFFF)]
U53 = Annotated[int, Meta(ge=0, le=2**53 - 1)]  # what a JavaScript number holds exactly
U64 = Annotated[int, Meta(ge=0)]  # a struct that has one calls `check_u64`: bounds of msgspec's end at 63 bits
Seconds = Annotated[int, Meta(ge=1, le=365 * 86_400)]
Seats = Annotated[int, Meta(ge=1, le=65_535)]
PlayoutMs = Annotated[int, Meta(ge=10, le=1_000)]
Tempo = Annotated[float, Meta(ge=20, le=400)]
Speed = Annotated[float, Meta(ge=0.25, le=4)]
SheetId = Annotated[str, Meta(min_length=1, max_length=64)]
Whom = Annotated[str, Meta(max_length=64)]  # a user's id, `#` and a slot, or a name
Beats = Annotated[int, Meta(ge=1, le=32)]
BeatUnit = Literal[1, 2, 4, 8, 16, 32]


class Message(Struct, frozen=True, omit_defaults=False):
    """Base of everything that stands in `data`."""


def check_u64(struct: Message, *names: str) -> None:
    """Raise ValueError, which msgspec reports as its own, for a field that has more than 64 bits."""
    for name in names:
        if getattr(struct, name) > _U64_MAX:
            raise ValueError(f"Expected `int` <= {_U64_MAX} in field `{name}`")


class RoomType(StrEnum):
    """The ways to find a room: lobbies and public rooms are listed, unlisted ones are found by id or name only.

    A private room is unlisted and has a password.
    """

    LOBBY = "lobby"
    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class Mode(StrEnum):
    """How clients show the room."""

    NORMAL = "normal"
    ORCHESTRA = "orchestra"


class Status(StrEnum):
    """What users say of themselves."""

    ONLINE = "online"
    AWAY = "away"
    BUSY = "busy"
    INVISIBLE = "invisible"


class ChatKind(StrEnum):
    """The kind of a line: what was said, a `/me`, a whisper, or the server's own words."""

    TEXT = "text"
    ME = "me"
    WHISPER = "whisper"
    SYSTEM = "system"


class User(Message, frozen=True):
    """A user as the others in the room see them. `slot` is their number in the room.

    While a user is `reconnecting` the connection is lost, and the seat is reserved.
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
    """What the owner of a room decides. The server measures the playout delay while `playout_ms` is None."""

    type: RoomType = RoomType.PUBLIC
    max_players: Seats = 16
    stage: Stage = ""
    mode: Mode = Mode.NORMAL
    welcome_message: Welcome = ""
    only_owner_can_chat: bool = False
    only_owner_can_play: bool = False
    allow_guests: bool = True
    allow_bots: bool = True
    allow_black_midi: bool = False
    allow_replay: bool = False
    playout_ms: PlayoutMs | None = None


class Metronome(Message, frozen=True):
    """A running metronome: `bpm` counts beats of a `unit`-th note, `beats` of them are a bar.

    Beat n, from 0 on, falls on `start_us` + n x 60,000,000 / bpm, microseconds of the server's clock.
    """

    bpm: float
    beats: int
    unit: int
    start_us: int


class SheetInRoom(Message, frozen=True):
    """A sheet of the library that the server plays in a room, as a player of its own: `slot` is that player's.

    At `start_us`, microseconds of the server's clock, it is at `position_ms`; from there it goes on `speed` times as
    fast as it is written. `by` is the id of the user who started it.
    """

    id: str
    title: str
    artist: str
    duration_ms: int
    position_ms: int
    speed: float
    start_us: int
    slot: int
    by: str


class RoomInfo(Message, frozen=True):
    """A room as its members, and the lobby's list, see it. `playout_ms` is the playout delay in force.

    `reserved` is how many seats wait for users who are no members yet.
    """

    id: str
    name: str
    settings: RoomSettings
    has_password: bool
    players: int
    owner: str | None
    playout_ms: int = 50
    metronome: Metronome | None = None
    recording: bool = False
    sheet: SheetInRoom | None = None
    reserved: int = 0


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


class SanctionInfo(Message, frozen=True):
    """What is imposed on a user in a room: `kind` is ban, notes or chat.

    `name` is what they were called then, `seconds` how long it still applies, None for as long as the room lives.
    """

    user: str
    name: str
    kind: str
    seconds: float | None = None


class SlotState(Message, frozen=True):
    """What one player holds: the channel messages that, played in order, bring a synthesizer there."""

    slot: int
    state: list[tuple[int, int, int]]


class QuotaState(Message, frozen=True):
    """The note quota in force: the `points` left, and the `allowance` that each refill adds, up to the `maximum`."""

    points: int
    allowance: int
    maximum: int


class Limits(Message, frozen=True):
    """The limits that a client has to know."""

    message_bytes: int
    chat_length: int
    chat_history: int
    ping_interval_s: float
    silence_s: float
    messages_per_s: float
    quota_refill_s: float
    resume_s: float = 30.0
