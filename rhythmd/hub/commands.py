"""Chat commands: one function and one row of `COMMANDS` each."""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import Ban, ChatKind, ClearChat, Kick, Mute, Unban, UserUpdate
from rhythmd.errors import Refused
from rhythmd.hub.handlers import moderation, users
from rhythmd.hub.rooms.chat import notice, say, whisper
from rhythmd.hub.sessions.context import Context
from rhythmd.hub.sessions.session import Session

__all__ = ["COMMANDS", "Command", "run_command"]


MAX_BAN_S: Final = 365 * 86_400


class Command(NamedTuple):
    """What `/help` shows, and what runs with the text after the command's name."""

    usage: str
    help: str
    run: Callable[[Context, Session, str], object]


def run_command(context: Context, session: Session, content: str) -> object:
    """Run the command that `content` ("/name arguments") names; a coroutine if it has to wait. Raises Refused."""
    name, _, text = content[1:].partition(" ")
    command = COMMANDS.get(name.lower())
    if command is None:
        raise Refused(ErrorCode.UNKNOWN_COMMAND, f"there is no command /{name[:32]}; /help lists them", "content")
    return command.run(context, session, text.strip())


def _split(text: str, usage: str) -> tuple[str, str]:
    """The first word, or first "several words", of `text`, and the rest."""
    if text.startswith('"'):
        first, _, rest = text[1:].partition('"')
    else:
        first, _, rest = text.partition(" ")
    if not first:
        raise Refused(ErrorCode.INVALID_FIELD, f"the form is {usage}", "content")
    return first, rest.strip()


def _help(context: Context, session: Session, _text: str) -> None:
    room, member = context.place(session)
    notice(room, member, "\n".join(f"{command.usage} - {command.help}" for command in COMMANDS.values()))


def _me(context: Context, session: Session, text: str) -> object:
    if not text:
        raise Refused(ErrorCode.INVALID_FIELD, "the form is /me TEXT", "content")
    room, member = context.place(session)
    return say(context, room, member, ChatKind.ME, text)


def _mute_self(context: Context, session: Session, _text: str) -> None:
    room, member = context.place(session)
    member.self_muted = not member.self_muted
    room.member_changed(member)


def _update_self(context: Context, session: Session, field: str, text: str) -> None:
    try:
        update = msgspec.convert({field: text}, UserUpdate)
    except msgspec.ValidationError as error:
        raise Refused(ErrorCode.INVALID_FIELD, str(error).partition(" - at")[0], "content") from None
    users.user_update(context, session, update)


def _status_text(context: Context, session: Session, text: str) -> None:
    _update_self(context, session, "status_text", text)


def _nickname(context: Context, session: Session, text: str) -> None:
    _update_self(context, session, "name", text)


def _whisper(context: Context, session: Session, text: str) -> None:
    to, content = _split(text, "/whisper USER TEXT")
    if not content:
        raise Refused(ErrorCode.INVALID_FIELD, "the form is /whisper USER TEXT", "content")
    room, member = context.place(session)
    whisper(room, member, to, content)


def _kick(context: Context, session: Session, text: str) -> None:
    user, reason = _split(text, "/kick USER [REASON]")
    moderation.kick(context, session, Kick(user, reason[:128]))


def _ban(context: Context, session: Session, text: str) -> object:
    usage = "/ban USER [SECONDS] [REASON]"
    user, rest = _split(text, usage)
    first, _, reason = rest.partition(" ")
    if not (first.isascii() and first.isdigit()):
        return moderation.ban(context, session, Ban(user, None, rest[:128]))
    if not 0 < len(first) < 9 or not 0 < int(first) <= MAX_BAN_S:
        raise Refused(ErrorCode.INVALID_FIELD, f"a ban lasts 1 to {MAX_BAN_S} seconds", "content")
    return moderation.ban(context, session, Ban(user, int(first), reason[:128]))


def _unban(context: Context, session: Session, text: str) -> object:
    return moderation.unban(context, session, Unban(_split(text, "/unban ID")[0]))


def _mute(context: Context, session: Session, text: str) -> None:
    user, what = _split(text, "/mute USER [notes|chat]")
    moderation.mute(context, session, _muting(user, what, on=True))


def _unmute(context: Context, session: Session, text: str) -> None:
    user, what = _split(text, "/unmute USER [notes|chat]")
    moderation.mute(context, session, _muting(user, what, on=False))


def _muting(user: str, what: str, *, on: bool) -> Mute:
    if what not in ("", "notes", "chat"):
        raise Refused(ErrorCode.INVALID_FIELD, "expected notes, chat or nothing for both", "content")
    return Mute(
        user,
        notes=msgspec.UNSET if what == "chat" else on,
        chat=msgspec.UNSET if what == "notes" else on,
    )


def _clear_chat(context: Context, session: Session, _text: str) -> object:
    return moderation.clear_chat(context, session, ClearChat())


COMMANDS: Final[dict[str, Command]] = {
    "help": Command("/help", "this list", _help),
    "me": Command("/me TEXT", "say what you do", _me),
    "mute_self": Command("/mute_self", "silence your own notes for the others, or let them sound again", _mute_self),
    "status_text": Command("/status_text [TEXT]", "set the text beside your name", _status_text),
    "nickname": Command("/nickname NAME", "change your name", _nickname),
    "whisper": Command("/whisper USER TEXT", 'a line for one member; "quote" a name with spaces', _whisper),
    "kick": Command("/kick USER [REASON]", "owner: put a member out", _kick),
    "ban": Command("/ban USER [SECONDS] [REASON]", "owner: put a member out and keep them out", _ban),
    "unban": Command("/unban ID", "owner: end a ban", _unban),
    "mute": Command("/mute USER [notes|chat]", "owner: silence a member", _mute),
    "unmute": Command("/unmute USER [notes|chat]", "owner: let a member be heard again", _unmute),
    "clear_chat": Command("/clear_chat", "owner: forget the chat", _clear_chat),
}
