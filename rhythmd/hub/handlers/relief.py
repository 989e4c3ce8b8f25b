"""What only takes something away from a room: whoever is told to wait because of too much may always do it."""

from rhythm_protocol.messages import (
    ChatMessage,
    ClearChat,
    LeaveRoom,
    MetronomeUpdate,
    Mute,
    Record,
    SheetStop,
    Typing,
    Unban,
)
from rhythmd.hub.handlers.commands import COMMANDS, command_name

__all__ = ["is_relief"]


def is_relief(message: object) -> bool:
    """Whether a client's message ends something, and begins nothing."""
    match message:
        case LeaveRoom() | SheetStop() | Unban() | ClearChat():
            return True
        case Record(on=begins) | MetronomeUpdate(running=begins) | Typing(typing=begins):
            return not begins
        case Mute(notes=notes, chat=chat):
            return notes is not True and chat is not True
        case ChatMessage(content=content, to=None):
            command = COMMANDS.get(command_name(content))
            return command is not None and command.is_relief
    return False
