"""Lines, whispers, typing and the history."""

import time

import pytest

from rhythm_protocol.messages import ChatCleared, ChatKind, ChatLine, RoomLeft, RoomUpdated, UserTyping
from rhythmd.app import Server
from tests.client import Client, Connect
from tests.server import Serve


@pytest.fixture
async def people(server: Server, connect: Connect, subprotocol: str) -> list[Client]:
    """Three in a room: the owner, one with the subprotocol under test, one more."""
    clients = [await connect(server), await connect(server, subprotocol), await connect(server)]
    for client in clients:
        await client.join("Salon")
    for client in clients:
        await client.received()
    return clients


async def test_line_reaches_everybody_its_author_included(people: list[Client]) -> None:
    user = people[1].welcome.user
    await people[1].ask("chat-message", {"content": "Good evening ♪"})
    lines = [await client.expect(ChatLine) for client in people]
    assert lines[0] == lines[1] == lines[2]
    line = lines[0]
    assert (line.kind, line.content, line.to) == (ChatKind.TEXT, "Good evening ♪", None)
    assert (line.user_id, line.name, line.colour) == (user.id, user.name, user.colour)
    assert abs(line.time / 1000 - time.time()) < 60


async def test_ids_of_lines_grow(people: list[Client]) -> None:
    for number in range(3):
        await people[number].ask("chat-message", {"content": str(number)})
    ids = [(await people[0].expect(ChatLine)).id for _ in range(3)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(("content", "length"), [("x" * 500, 500), ("é" * 500, 500)])
async def test_longest_line_is_said(people: list[Client], content: str, length: int) -> None:
    await people[1].ask("chat-message", {"content": content})
    assert len((await people[0].expect(ChatLine)).content) == length


@pytest.mark.parametrize("content", ["", "   ", "\n\t", "x" * 501, "\u200b", "\u202e\u202c", "\u0301", "/me \u200d"])
async def test_line_that_is_empty_or_too_long_is_refused(people: list[Client], content: str) -> None:
    error = await people[1].refused("chat-message", {"content": content})
    assert (error.code, error.field) == ("invalid-field", "content")
    assert await people[0].received() == []


async def test_line_is_cleaned_and_emoji_stay(people: list[Client]) -> None:
    said = "\u202eevil\r\nZ" + "\u0335" * 9 + "\u0336" * 9 + "\x07 👩\u200d🎤"
    for data in ({"content": said}, {"content": f"/me {said}"}, {"content": said, "to": people[0].welcome.user.id}):
        await people[1].ask("chat-message", data)
        assert (await people[0].expect(ChatLine)).content == "evil\nZ\u0335\u0336 👩\u200d🎤"


async def test_texts_of_a_room_and_of_its_moderator_are_cleaned(people: list[Client]) -> None:
    wild = "a\u202e\nb\x00"
    settings = {"stage": wild, "welcome_message": wild, "type": "unlisted"}
    joined = await people[1].ask("join-room", {"room": "Attic", "create": True, "settings": settings})
    await people[0].received()
    await people[0].join("Attic")
    assert (joined["room"]["settings"]["stage"], joined["room"]["settings"]["welcome_message"]) == ("a b", "a\nb")
    await people[1].ask("room-update", {"settings": {"stage": wild * 2, "welcome_message": wild}})
    assert (await people[0].expect(RoomUpdated)).room.settings.stage == "a ba b"
    await people[1].ask("kick", {"user": people[0].welcome.user.id, "reason": wild})
    assert (await people[0].expect(RoomLeft)).message == "a b"


async def test_line_outside_of_a_room_is_refused(server: Server, connect: Connect) -> None:
    client = await connect(server)
    assert (await client.refused("chat-message", {"content": "hello"})).code == "not-in-room"
    assert (await client.refused("typing", {"typing": True})).code == "not-in-room"


@pytest.mark.parametrize("by_name", [False, True])
async def test_whisper_is_seen_by_two(people: list[Client], by_name: bool) -> None:
    owner, writer, _ = people
    to = owner.welcome.user.name.upper() if by_name else owner.welcome.user.id
    await writer.ask("chat-message", {"content": "psst", "to": to})
    line = await owner.expect(ChatLine)
    assert await writer.expect(ChatLine) == line
    assert (line.kind, line.content, line.to) == (ChatKind.WHISPER, "psst", owner.welcome.user.id)
    assert await people[2].received() == []


async def test_whisper_to_nobody_or_to_one_of_two_is_refused(people: list[Client]) -> None:
    owner, writer, third = people
    for client in (owner, third):
        await client.ask("user-update", {"name": "Robert"})
    for to, code, message in (
        ("Clara Nobody", "user-not-found", "nobody here is"),
        ("robert", "ambiguous-user", "2 here could be"),
    ):
        error = await writer.refused("chat-message", {"content": "psst", "to": to})
        assert error.code == code
        assert message in error.message


async def test_typing_is_shown_to_the_others(people: list[Client]) -> None:
    for typing in (True, False):
        await people[1].ask("typing", {"typing": typing})
        for other in (people[0], people[2]):
            assert await other.expect(UserTyping) == UserTyping(people[1].slot, typing)
    assert await people[1].received() == []


async def test_muted_member_may_not_chat_whisper_or_use_me(people: list[Client]) -> None:
    owner, member, _ = people
    await owner.ask("mute", {"user": member.welcome.user.id, "chat": True})
    for data in ({"content": "hello"}, {"content": "psst", "to": owner.welcome.user.id}, {"content": "/me waves"}):
        assert (await member.refused("chat-message", data)).code == "chat-muted"
    await owner.ask("mute", {"user": member.welcome.user.id, "chat": False})
    await member.ask("chat-message", {"content": "hello"})


async def test_newcomer_gets_the_history_without_whispers_and_notices(
    server: Server, connect: Connect, people: list[Client]
) -> None:
    owner, writer, _ = people
    await writer.ask("chat-message", {"content": "one"})
    await writer.ask("chat-message", {"content": "psst", "to": owner.welcome.user.id})
    await writer.ask("chat-message", {"content": "/help"})
    await owner.ask("chat-message", {"content": "/me waves"})
    lines = (await (await connect(server)).join("Salon")).chat
    assert [(line.kind, line.content) for line in lines] == [(ChatKind.TEXT, "one"), (ChatKind.ME, "waves")]
    assert lines[0] == await owner.expect(ChatLine)


async def test_history_ends_with_the_last_hundred(serve: Serve, connect: Connect) -> None:
    server = await serve("limits.messages_burst=500")
    client = await connect(server)
    await client.join("Salon")
    for number in range(105):
        await client.send("chat-message", {"content": str(number)})
    await client.clock()
    lines = (await (await connect(server)).join("Salon")).chat
    assert [line.content for line in lines] == [str(number) for number in range(5, 105)]


@pytest.mark.parametrize("size", [0, 2])
async def test_history_is_as_long_as_configured(serve: Serve, connect: Connect, size: int) -> None:
    server = await serve(f"rooms.chat_history={size}")
    client = await connect(server)
    await client.join("Salon")
    for number in range(4):
        await client.ask("chat-message", {"content": str(number)})
    lines = (await (await connect(server)).join("Salon")).chat
    assert [line.content for line in lines] == ["2", "3"][2 - size :]


async def test_clear_chat_empties_the_history(server: Server, connect: Connect, people: list[Client]) -> None:
    owner, member, _ = people
    await member.ask("chat-message", {"content": "one"})
    assert (await member.refused("clear-chat")).code == "not-owner"
    await owner.ask("clear-chat")
    assert await member.expect(ChatCleared) == ChatCleared()
    assert (await (await connect(server)).join("Salon")).chat == []


async def test_history_goes_with_its_room(serve: Serve, connect: Connect, subprotocol: str) -> None:
    client = await connect(await serve("rooms.linger_s=0"), subprotocol)
    await client.join("Salon")
    await client.ask("chat-message", {"content": "one"})
    await client.ask("leave-room")
    assert (await client.join("Salon")).chat == []
