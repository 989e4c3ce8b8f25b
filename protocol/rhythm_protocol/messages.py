"""Control messages as frozen, typed values, and the two tables that say how each one is treated.

`CLIENT_MESSAGES` and `SERVER_MESSAGES` have a row for each `type` on the wire. Nothing else decides whether a message
is counted, rated or shed, or who may send it: neither the author of a handler nor a client has to choose. PROTOCOL.md
says what each message means, and is held against these tables by a test.

Unknown fields are ignored. Times called `time` in chat are Unix milliseconds; those of music are the server's clock.
"""

from enum import IntEnum
from typing import Any, Final, NamedTuple

from rhythm_protocol.binary import OP_CLOCK, OP_CURSOR, OP_MIDI
from rhythm_protocol.client_messages import (
    Authenticate,
    Ban,
    ChatMessage,
    ClearChat,
    ClockQuestion,
    CursorPosition,
    JoinRoom,
    Kick,
    LeaveRoom,
    ListSanctions,
    MetronomeUpdate,
    MidiInput,
    Mute,
    Record,
    RecordLast,
    Resume,
    RoomSettingsUpdate,
    RoomUpdate,
    SheetPlay,
    SheetSeek,
    SheetStop,
    Timing,
    TransferOwner,
    Typing,
    Unban,
    UserUpdate,
)
from rhythm_protocol.server_messages import (
    AuthenticateAck,
    ChatCleared,
    ClockAnswer,
    Cursors,
    Error,
    JoinAck,
    MetronomeState,
    MidiBlockData,
    MidiOutput,
    Notes,
    Playout,
    RecordingInfo,
    RecordingReady,
    RecordingState,
    ResumeAck,
    RoomLeft,
    RoomUpdated,
    SanctionsAck,
    Stopping,
    UserJoined,
    UserLeft,
    UserTyping,
    UserUpdated,
    Welcome,
)
from rhythm_protocol.values import (
    ChatKind,
    ChatLine,
    Colour,
    Limits,
    Line,
    Message,
    Metronome,
    Mode,
    Name,
    Password,
    PlayoutMs,
    QuotaState,
    RoomInfo,
    RoomName,
    RoomSettings,
    RoomType,
    SanctionInfo,
    SheetInRoom,
    SlotState,
    Status,
    User,
)

__all__ = [
    "CLIENT_MESSAGES",
    "SERVER_MESSAGES",
    "Authenticate",
    "AuthenticateAck",
    "Ban",
    "ChatCleared",
    "ChatKind",
    "ChatLine",
    "ChatMessage",
    "ClearChat",
    "ClientMessage",
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
    "ListSanctions",
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
    "Right",
    "RoomInfo",
    "RoomLeft",
    "RoomName",
    "RoomSettings",
    "RoomSettingsUpdate",
    "RoomType",
    "RoomUpdate",
    "RoomUpdated",
    "SanctionInfo",
    "SanctionsAck",
    "ServerMessage",
    "SheetInRoom",
    "SheetPlay",
    "SheetSeek",
    "SheetStop",
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


class Right(IntEnum):
    """The circle of those who may send a message or use a chat command, from the widest to the narrowest."""

    ANYBODY = 0
    """Every client."""
    MEMBER = 1
    """Whoever is in a room."""
    MODERATOR = 2
    """The room's owner, and the server's moderators while they are in the room."""
    OWNER = 3
    """The room's owner alone."""


class ClientMessage(NamedTuple):
    """A row of `CLIENT_MESSAGES`.

    Args:
        data: the struct of the message's `data`.
        right: who may send it.
        is_rated: whether it is charged to the sender's message rate. Notes are bounded by their own quota: a rate that
            dropped a note-off would leave the note hanging.
        opcode: first byte of its binary twin; None where `rhythm.v1` has it as a control message.
    """

    data: type[Message]
    right: Right = Right.MEMBER
    is_rated: bool = True
    opcode: int | None = None


class ServerMessage(NamedTuple):
    """A row of `SERVER_MESSAGES`.

    Args:
        data: the struct of the message's `data`.
        is_counted: whether it counts for resuming: what is counted is logged until the client confirms it, and sent
            again after a lost connection. What only says how things are at this moment is not.
        is_shed: whether it is left out for a client for which anything waits.
        opcode: first byte of its binary twin; None where `rhythm.v1` has it as a control message.
    """

    data: type[Any]
    is_counted: bool = True
    is_shed: bool = False
    opcode: int | None = None


CLIENT_MESSAGES: Final[dict[str, ClientMessage]] = {
    "authenticate": ClientMessage(Authenticate, Right.ANYBODY),
    "join-room": ClientMessage(JoinRoom, Right.ANYBODY),
    "leave-room": ClientMessage(LeaveRoom),
    "chat-message": ClientMessage(ChatMessage),
    "typing": ClientMessage(Typing),
    "user-update": ClientMessage(UserUpdate, Right.ANYBODY),
    "room-update": ClientMessage(RoomUpdate, Right.OWNER),
    "transfer-owner": ClientMessage(TransferOwner, Right.OWNER),
    "kick": ClientMessage(Kick, Right.MODERATOR),
    "ban": ClientMessage(Ban, Right.MODERATOR),
    "unban": ClientMessage(Unban, Right.MODERATOR),
    "mute": ClientMessage(Mute, Right.MODERATOR),
    "sanctions": ClientMessage(ListSanctions, Right.MODERATOR),
    "clear-chat": ClientMessage(ClearChat, Right.MODERATOR),
    "midi-event": ClientMessage(MidiInput, is_rated=False, opcode=OP_MIDI),
    "clock": ClientMessage(ClockQuestion, Right.ANYBODY, is_rated=False, opcode=OP_CLOCK),
    "cursor": ClientMessage(CursorPosition, is_rated=False, opcode=OP_CURSOR),
    "resume": ClientMessage(Resume, Right.ANYBODY),
    "timing": ClientMessage(Timing),
    "metronome": ClientMessage(MetronomeUpdate, Right.MODERATOR),
    "record": ClientMessage(Record, Right.MODERATOR),
    "record-last": ClientMessage(RecordLast),
    "sheet-play": ClientMessage(SheetPlay, Right.MODERATOR),
    "sheet-stop": ClientMessage(SheetStop),
    "sheet-seek": ClientMessage(SheetSeek),
}

SERVER_MESSAGES: Final[dict[str, ServerMessage]] = {
    "welcome": ServerMessage(Welcome, is_counted=False),
    "ack": ServerMessage(dict),  # that of a `resume` stands outside of the count, which begins with it
    "error": ServerMessage(Error),
    "user-joined": ServerMessage(UserJoined),
    "user-left": ServerMessage(UserLeft),
    "user-updated": ServerMessage(UserUpdated),
    "room-updated": ServerMessage(RoomUpdated),
    "room-left": ServerMessage(RoomLeft),
    "chat-message": ServerMessage(ChatLine),
    "chat-cleared": ServerMessage(ChatCleared),
    "typing": ServerMessage(UserTyping),
    "quota": ServerMessage(QuotaState),
    "midi-event": ServerMessage(MidiOutput, is_counted=False, opcode=OP_MIDI),
    "clock": ServerMessage(ClockAnswer, is_counted=False, opcode=OP_CLOCK),
    "cursor": ServerMessage(Cursors, is_counted=False, is_shed=True, opcode=OP_CURSOR),
    "stopping": ServerMessage(Stopping),
    "notes": ServerMessage(Notes, is_counted=False),
    "playout": ServerMessage(Playout),
    "metronome": ServerMessage(MetronomeState),
    "recording": ServerMessage(RecordingState),
    "recording-ready": ServerMessage(RecordingReady),
}
