"""Chat messages, and the chat commands among them: one function and one row of `COMMANDS` each."""

import re
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import msgspec

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import (
    Ban,
    ChatKind,
    ChatMessage,
    ClearChat,
    Kick,
    ListSanctions,
    Mute,
    Right,
    SanctionInfo,
    Unban,
    UserUpdate,
)
from rhythmd.errors import Refused
from rhythmd.hub.handlers.chat import ignore, notice, say, unignore, whisper
from rhythmd.hub.handlers.moderation import Moderation
from rhythmd.hub.handlers.users import user_update
from rhythmd.hub.sessions.session import Session, require_right

__all__ = ["COMMANDS", "ChatMessages", "Command", "command_name"]


MAX_SANCTION_S: Final = 365 * 86_400
MOST_LISTED: Final = 50  # in one line of chat; the message has them all


class Command(NamedTuple):
    """A chat command.

    Args:
        usage: its form, as `/help` shows it.
        help: what it does, as `/help` shows it.
        run: gets whoever carries out moderation, the session, and the text after the command's name.
        right: who may use it.
        is_relief: whether it only ends something, and so is never too much for a room.
    """

    usage: str
    help: str
    run: Callable[[Moderation, Session, str], object]
    right: Right = Right.MEMBER
    is_relief: bool = False


class ChatMessages:
    """Takes in chat messages, and runs the commands of `COMMANDS`.

    Those that a moderator has do what the messages of the same names do.
    """

    def __init__(self, moderation: Moderation) -> None:
        self._moderation = moderation

    def chat_message(self, session: Session, message: ChatMessage) -> object:
        """Say a line to the room, whisper it to one member, or run a `/command`."""
        if not message.content.strip():
            raise Refused(ErrorCode.INVALID_FIELD, "an empty line says nothing", "content")
        if message.to is not None:
            whisper(session, message.to, message.content)
            return None
        if message.content.startswith("/"):
            return self._run(session, message.content)
        return say(session, ChatKind.TEXT, message.content)

    def _run(self, session: Session, content: str) -> object:
        """Run the command that `content` ("/name arguments") names; a coroutine if it has to wait. Raises Refused."""
        name = command_name(content)
        command = COMMANDS.get(name)
        if command is None:
            raise Refused(ErrorCode.UNKNOWN_COMMAND, f"there is no command /{name[:32]}; /help lists them", "content")
        require_right(session, command.right)
        return command.run(self._moderation, session, content[1 + len(name) :].strip())


def command_name(content: str) -> str:
    """What a line names as a command, in small letters; "" if it is none."""
    return content[1:].partition(" ")[0].lower() if content.startswith("/") else ""


def _split(text: str, usage: str) -> tuple[str, str]:
    """The first word, or first "several words", of `text`, and the rest."""
    if text.startswith('"'):
        first, _, rest = text[1:].partition('"')
    else:
        first, _, rest = text.partition(" ")
    if not first:
        raise Refused(ErrorCode.INVALID_FIELD, f"the form is {usage}", "content")
    return first, rest.strip()


def _help(_moderation: Moderation, session: Session, _text: str) -> None:
    notice(session, "\n".join(f"{command.usage} - {_help_of(command)}" for command in COMMANDS.values()))


def _help_of(command: Command) -> str:
    return f"owner: {command.help}" if command.right >= Right.MODERATOR else command.help


def _me(_moderation: Moderation, session: Session, text: str) -> object:
    if not text:
        raise Refused(ErrorCode.INVALID_FIELD, "the form is /me TEXT", "content")
    return say(session, ChatKind.ME, text)


def _mute_self(_moderation: Moderation, session: Session, _text: str) -> None:
    room, member = session.require_place()
    member.self_muted = not member.self_muted
    room.member_changed(member)


def _update_self(field: str, _moderation: Moderation, session: Session, text: str) -> None:
    try:
        update = msgspec.convert({field: text}, UserUpdate)
    except msgspec.ValidationError as error:
        raise Refused(ErrorCode.INVALID_FIELD, str(error).partition(" - at")[0], "content") from None
    try:
        user_update(session, update)
    except Refused as refused:
        raise Refused(refused.code, refused.message, "content") from None


def _whisper(_moderation: Moderation, session: Session, text: str) -> None:
    to, content = _split(text, "/whisper USER TEXT")
    if not content:
        raise Refused(ErrorCode.INVALID_FIELD, "the form is /whisper USER TEXT", "content")
    whisper(session, to, content)


def _ignore(_moderation: Moderation, session: Session, text: str) -> None:
    ignore(session, _split(text, "/ignore USER")[0])


def _unignore(_moderation: Moderation, session: Session, text: str) -> None:
    unignore(session, _split(text, "/unignore USER")[0])


def _ignored(_moderation: Moderation, session: Session, _text: str) -> None:
    _, member = session.require_place()
    ignored = member.player.ignored or {}
    notice(session, "\n".join(f"{user_id} ({name})" for user_id, name in ignored.items()) or "you ignore nobody")


def _kick(moderation: Moderation, session: Session, text: str) -> None:
    user, reason = _split(text, "/kick USER [REASON]")
    moderation.kick(session, Kick(user, reason[:128]))


def _ban(moderation: Moderation, session: Session, text: str) -> object:
    user, rest = _split(text, "/ban USER [SECONDS] [REASON]")
    seconds, reason = _seconds_first(rest)
    return moderation.ban(session, Ban(user, seconds, reason[:128]))


def _seconds_first(text: str) -> tuple[int | None, str]:
    """The number that `text` begins with, None if it begins with something else, and the rest. Raises Refused."""
    first, _, rest = text.partition(" ")
    if not re.match(r"[+-]?\d", first):
        return None, text
    if not (first.isascii() and first.isdigit()) or not 0 < len(first) < 9 or not 0 < int(first) <= MAX_SANCTION_S:
        raise Refused(ErrorCode.INVALID_FIELD, f"expected 1 to {MAX_SANCTION_S} seconds", "content")
    return int(first), rest.strip()


def _unban(moderation: Moderation, session: Session, text: str) -> object:
    return moderation.unban(session, Unban(_split(text, "/unban ID")[0]))


def _mute(moderation: Moderation, session: Session, text: str) -> object:
    user, rest = _split(text, "/mute USER [notes|chat] [SECONDS]")
    what, _, after = rest.partition(" ")
    if what.isdigit():
        what, after = "", rest
    seconds, surplus = _seconds_first(after.strip())
    if surplus:
        raise Refused(ErrorCode.INVALID_FIELD, "the form is /mute USER [notes|chat] [SECONDS]", "content")
    return moderation.mute(session, _muting(user, what, on=True, seconds=seconds))


def _unmute(moderation: Moderation, session: Session, text: str) -> object:
    user, what = _split(text, "/unmute USER [notes|chat]")
    return moderation.mute(session, _muting(user, what, on=False))


def _muting(user: str, what: str, *, on: bool, seconds: int | None = None) -> Mute:
    if what not in ("", "notes", "chat"):
        raise Refused(ErrorCode.INVALID_FIELD, "expected notes, chat or nothing for both", "content")
    return Mute(
        user,
        notes=msgspec.UNSET if what == "chat" else on,
        chat=msgspec.UNSET if what == "notes" else on,
        seconds=seconds,
    )


def _sanctions(moderation: Moderation, session: Session, _text: str) -> None:
    listed = moderation.sanctions(session, ListSanctions()).sanctions
    notice(session, "\n".join(map(_sanction_line, listed[:MOST_LISTED])) or "nobody is banned or muted")


def _sanction_line(sanction: SanctionInfo) -> str:
    how_long = "for good" if sanction.seconds is None else f"for {round(sanction.seconds)} s"
    return f"{sanction.kind} {sanction.user} ({sanction.name or '?'}) {how_long}"


def _clear_chat(moderation: Moderation, session: Session, _text: str) -> object:
    return moderation.clear_chat(session, ClearChat())


COMMANDS: Final[dict[str, Command]] = {
    "help": Command("/help", "this list", _help),
    "me": Command("/me TEXT", "say what you do", _me),
    "mute_self": Command(
        "/mute_self", "silence your own notes for the others, or let them sound again", _mute_self, is_relief=True
    ),
    "status_text": Command(
        "/status_text [TEXT]", "set the text beside your name", partial(_update_self, "status_text")
    ),
    "nickname": Command("/nickname NAME", "change your name", partial(_update_self, "name")),
    "whisper": Command("/whisper USER TEXT", 'a line for one member; "quote" a name with spaces', _whisper),
    "ignore": Command("/ignore USER", "hide the lines of a member from yourself", _ignore),
    "unignore": Command("/unignore USER", "show them again", _unignore, is_relief=True),
    "ignored": Command("/ignored", "list whom you ignore", _ignored),
    "kick": Command("/kick USER [REASON]", "put a member out", _kick, Right.MODERATOR),
    "ban": Command("/ban USER [SECONDS] [REASON]", "put a member out and keep them out", _ban, Right.MODERATOR),
    "unban": Command("/unban ID", "end a ban", _unban, Right.MODERATOR, is_relief=True),
    "mute": Command("/mute USER [notes|chat] [SECONDS]", "silence a member", _mute, Right.MODERATOR),
    "unmute": Command(
        "/unmute USER [notes|chat]", "let a member be heard again", _unmute, Right.MODERATOR, is_relief=True
    ),
    "sanctions": Command("/sanctions", "list who is banned or muted", _sanctions, Right.MODERATOR),
    "clear_chat": Command("/clear_chat", "forget the chat", _clear_chat, Right.MODERATOR, is_relief=True),
}
