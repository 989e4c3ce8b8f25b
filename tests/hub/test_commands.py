"""Every chat command, and how it is got wrong."""

import re

import pytest

from rhythm_protocol.messages import ChatCleared, ChatKind, ChatLine, Right, RoomLeft, UserUpdated
from rhythmd.app import Server
from rhythmd.hub.handlers.commands import COMMANDS
from tests.client import Client, Connect
from tests.protocol.document import section

WHO = {Right.MEMBER: "all", Right.MODERATOR: "owner, moderator"}


@pytest.fixture
async def owner(server: Server, connect: Connect) -> Client:
    client = await connect(server)
    await client.join("Salon")
    await client.ask("user-update", {"name": "Clara"})
    return client


@pytest.fixture
async def member(server: Server, connect: Connect, owner: Client) -> Client:
    client = await connect(server)
    await client.join("Salon")
    await client.ask("user-update", {"name": "Robert S"})
    for each in (owner, client):
        await each.received()
    return client


async def run(client: Client, text: str) -> None:
    await client.ask("chat-message", {"content": text})


async def test_help_lists_all_commands_to_its_caller_alone(owner: Client, member: Client) -> None:
    await run(member, "/help")
    line = await member.expect(ChatLine)
    assert (line.kind, line.user_id, line.to) == (ChatKind.SYSTEM, None, member.welcome.user.id)
    assert [text.split()[0] for text in line.content.splitlines()] == [f"/{name}" for name in COMMANDS]
    assert await owner.received() == []


def test_table_of_the_protocol_has_every_command_with_its_form_and_right() -> None:
    rows = re.findall(r"^\| `(/[^`]+)` \| ([^|]+) \|", section("Chat commands"), re.MULTILINE)
    told = {form.replace("\\|", "|"): who for form, who in rows}
    assert told == {command.usage: WHO[command.right] for command in COMMANDS.values()}


async def test_me_says_what_one_does(owner: Client, member: Client) -> None:
    await run(member, "/ME  waves ")
    line = await owner.expect(ChatLine)
    assert (line.kind, line.content, line.name) == (ChatKind.ME, "waves", "Robert S")


async def test_nickname_and_status_text_change_the_user(owner: Client, member: Client) -> None:
    await run(member, "/nickname  Brahms ")
    await run(member, "/status_text at the piano")
    await run(member, "/status_text")
    seen = [(await owner.expect(UserUpdated)).user for _ in range(3)]
    assert [(user.name, user.status_text) for user in seen] == [
        ("Brahms", ""), ("Brahms", "at the piano"), ("Brahms", ""),
    ]  # fmt: skip


async def test_mute_self_turns_the_own_notes_off_and_on(owner: Client, member: Client) -> None:
    for muted in (True, False):
        await run(member, "/mute_self")
        assert (await owner.expect(UserUpdated)).user.notes_muted is muted


async def test_whisper_takes_a_name_in_quotes(owner: Client, member: Client) -> None:
    await run(owner, '/whisper "robert s" psst, you')
    line = await member.expect(ChatLine)
    assert (line.kind, line.content) == (ChatKind.WHISPER, "psst, you")
    await run(member, "/whisper Clara yes?")
    assert (await owner.expect(ChatLine)).to == member.welcome.user.id
    assert (await owner.expect(ChatLine)).content == "yes?"


async def test_kick_puts_out(owner: Client, member: Client) -> None:
    await run(owner, '/kick "Robert S" too loud')
    left = await member.expect(RoomLeft)
    assert (left.reason, left.message, left.seconds) == ("kicked", "too loud", None)
    assert (await member.ask("join-room", {"room": "Salon"}))["slot"] == 3


@pytest.mark.parametrize(
    ("arguments", "seconds", "reason"),
    [("", None, ""), ("60", 60, ""), ("60 too loud", 60, "too loud"), ("too loud", None, "too loud")],
)
async def test_ban_and_unban(owner: Client, member: Client, arguments: str, seconds: int | None, reason: str) -> None:
    id_ = member.welcome.user.id
    await run(owner, f"/ban {id_} {arguments}")
    left = await member.expect(RoomLeft)
    assert (left.reason, left.seconds, left.message) == ("banned", seconds, reason)
    assert (await member.refused("join-room", {"room": "Salon"})).code == "banned"
    await run(owner, f"/unban {id_}")
    await member.ask("join-room", {"room": "Salon"})


@pytest.mark.parametrize(("what", "notes", "chat"), [("", True, True), (" notes", True, False), (" chat", False, True)])
async def test_mute_and_unmute(owner: Client, member: Client, what: str, notes: bool, chat: bool) -> None:
    await run(owner, f'/mute "Robert S"{what}')
    user = (await member.expect(UserUpdated)).user
    assert (user.notes_muted, user.chat_muted) == (notes, chat)
    await run(owner, f'/unmute "Robert S"{what}')
    user = (await member.expect(UserUpdated)).user
    assert (user.notes_muted, user.chat_muted) == (False, False)


async def test_clear_chat_empties_every_screen(owner: Client, member: Client) -> None:
    await run(owner, "/clear_chat")
    assert await member.expect(ChatCleared) == ChatCleared()


async def test_commands_used_wrongly_are_refused(owner: Client, member: Client) -> None:
    for text, code, message in (
        ("/", "unknown-command", "/help"),
        ("/dance", "unknown-command", "/dance"),
        ("/me", "invalid-field", "/me TEXT"),
        ("/nickname", "invalid-field", "length >= 1"),
        ("/nickname " + "x" * 33, "invalid-field", "length <= 32"),
        ("/status_text " + "x" * 129, "invalid-field", "length <= 128"),
        ("/whisper", "invalid-field", "/whisper USER TEXT"),
        ("/whisper Clara", "invalid-field", "/whisper USER TEXT"),
        ('/whisper "" text', "invalid-field", "/whisper USER TEXT"),
        ("/kick", "invalid-field", "/kick USER [REASON]"),
        ("/ban", "invalid-field", "/ban USER [SECONDS] [REASON]"),
        ("/ban Robert 10m noise", "invalid-field", "seconds"),
        ("/ban Robert -5", "invalid-field", "seconds"),
        ("/ban Robert 1e3", "invalid-field", "seconds"),
        ("/unban", "invalid-field", "/unban ID"),
        ("/mute", "invalid-field", "/mute USER [notes|chat]"),
        ("/unmute", "invalid-field", "/unmute USER [notes|chat]"),
        ('/mute "Robert S" feet', "invalid-field", "notes, chat"),
    ):
        error = await owner.refused("chat-message", {"content": text})
        assert (error.code, error.field) == (code, "content"), text
        assert message in error.message, text
    assert await member.received() == []


async def test_commands_for_owners_are_refused_to_others(owner: Client, member: Client) -> None:
    for text in ("/kick Clara", "/ban Clara", "/unban Clara", "/mute Clara", "/unmute Clara", "/clear_chat"):
        assert (await member.refused("chat-message", {"content": text})).code == "not-owner", text
    assert await owner.received() == []


async def test_commands_at_people_who_are_not_there_are_refused(owner: Client, member: Client) -> None:
    for text in ("/kick Nobody", "/ban Nobody", "/unban Nobody", "/mute Nobody", "/whisper Nobody psst"):
        assert (await owner.refused("chat-message", {"content": text})).code == "user-not-found", text
