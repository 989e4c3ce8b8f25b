"""What one member says costs the others no more than their share: news, deliveries, whispers; and `/ignore`."""

from rhythm_protocol.messages import ChatLine, Error, RoomUpdated, UserTyping, UserUpdated
from tests.client import Answer, Client, Connect
from tests.server import Serve


async def members(serve: Serve, connect: Connect, count: int, *settings: str) -> list[Client]:
    server = await serve("limits.messages_per_s=100000", "limits.messages_burst=100000", *settings)
    clients = [await connect(server) for _ in range(count)]
    for client in clients:
        await client.join("Salon")
    return clients


async def said(client: Client, kind: type[object]) -> list[object]:
    """All of a kind that the client has got once a line of its own has come back."""
    await client.ask("chat-message", {"content": "the end"})
    return [message for message in await client.received() if isinstance(message, kind)]


async def test_room_hears_the_newest_of_too_much_news(serve: Serve, connect: Connect) -> None:
    talker, listener = await members(serve, connect, 2, "hub.news_per_s=10")
    for number in range(200):
        await talker.send("user-update", {"status_text": str(number)})
        await talker.send("typing", {"typing": number % 2 == 0})
    heard: list[str] = []
    while "199" not in heard:
        heard.append((await listener.expect(UserUpdated)).user.status_text)
    assert len(heard) < 100
    assert heard == sorted(heard, key=int)
    states = [(await listener.expect(UserTyping)).typing]
    while states[-1]:
        states.append((await listener.expect(UserTyping)).typing)
    assert len(states) < 100


async def test_news_of_one_who_has_left_is_not_told(serve: Serve, connect: Connect) -> None:
    talker, listener = await members(serve, connect, 2, "hub.news_per_s=10")
    for number in range(50):
        await talker.send("user-update", {"status_text": str(number)})
    await talker.ask("leave-room")
    heard = [message for message in await said(listener, object) if not isinstance(message, RoomUpdated)]
    left = next(index for index, message in enumerate(heard) if type(message).__name__ == "UserLeft")
    assert not any(isinstance(message, UserUpdated) for message in heard[left:])


async def test_room_over_its_budget_refuses_the_busiest_only(serve: Serve, connect: Connect) -> None:
    flooder, other, _ = await members(serve, connect, 3, "hub.room_deliveries_per_s=10")
    refused = None
    for number in range(200):
        answer: Answer = await flooder.answer("chat-message", {"content": str(number)})
        if answer.error is not None:
            refused = answer.error.code
            break
    assert refused == "rate-limited"
    assert (await other.answer("chat-message", {"content": "good evening"})).error is None


async def test_busiest_of_a_room_over_its_budget_may_end_what_is_on(serve: Serve, connect: Connect) -> None:
    flooder, _ = await members(serve, connect, 2, "hub.room_deliveries_per_s=10")
    await flooder.ask("record", {"on": True})
    while (await flooder.answer("chat-message", {"content": "la"})).error is None:
        pass
    me = flooder.welcome.user.id
    for type_, data in (
        ("record", {"on": False}),
        ("metronome", {"running": False}),
        ("typing", {"typing": False}),
        ("mute", {"user": me, "notes": False, "chat": False}),
        ("chat-message", {"content": f"/unmute {me}"}),
        ("chat-message", {"content": "/mute_self"}),
        ("chat-message", {"content": "/unban nobody-at-all"}),
        ("unban", {"user": "nobody-at-all"}),
        ("sheet-stop", {}),
        ("clear-chat", {}),
        ("chat-message", {"content": "/clear_chat"}),
    ):
        error = (await flooder.answer(type_, data)).error
        assert error is None or error.code != "rate-limited", type_
    for type_, data in (("chat-message", {"content": "la"}), ("metronome", {"running": True}), ("sanctions", {})):
        assert (await flooder.refused(type_, data)).code == "rate-limited"
    await flooder.ask("leave-room")


async def test_coming_back_gives_nobody_another_share(serve: Serve, connect: Connect) -> None:
    flooder, *_ = await members(serve, connect, 3, "hub.room_deliveries_per_s=10")
    while (await flooder.answer("chat-message", {"content": "la"})).error is None:
        pass
    await flooder.ask("leave-room")
    await flooder.join("Salon")
    assert (await flooder.refused("chat-message", {"content": "la"})).code == "rate-limited"


async def test_inbox_takes_so_many_whispers_from_all_together(serve: Serve, connect: Connect) -> None:
    reader, first, second = await members(serve, connect, 3, "limits.whispers_per_minute=3")
    whisper = {"content": "psst", "to": reader.welcome.user.id}
    assert [(await client.answer("chat-message", whisper)).error for client in (first, second, first)] == [None] * 3
    for client in (first, second):
        assert (await client.refused("chat-message", whisper)).code == "rate-limited"
    assert (await reader.answer("chat-message", {"content": "yes?", "to": first.welcome.user.id})).error is None


async def test_inbox_has_room_for_another_network_when_one_has_filled_it(serve: Serve, connect: Connect) -> None:
    server = await serve("limits.whispers_per_minute=4")
    reader = await connect(server)
    room = (await reader.join("Salon")).room.id
    nuisance, accomplice, friend = [
        await connect(server, headers={"X-Forwarded-For": address})
        for address in ("203.0.113.7", "203.0.113.7", "198.51.100.1")
    ]
    for client in (nuisance, accomplice, friend):
        await client.join(room)
    whisper = {"content": "psst", "to": reader.welcome.user.id}
    for _ in range(4):
        await nuisance.ask("chat-message", whisper)
    for client in (nuisance, accomplice):
        assert (await client.refused("chat-message", whisper)).code == "rate-limited"
    for _ in range(2):  # of two that whisper
        await friend.ask("chat-message", whisper)
    for client in (friend, nuisance, accomplice):
        assert (await client.refused("chat-message", whisper)).code == "rate-limited"


async def test_whispers_of_one_who_is_ignored_take_no_room_in_the_inbox(serve: Serve, connect: Connect) -> None:
    reader, nuisance, friend = await members(serve, connect, 3, "limits.whispers_per_minute=1")
    await reader.ask("chat-message", {"content": f"/ignore {nuisance.welcome.user.id}"})
    whisper = {"content": "psst", "to": reader.welcome.user.id}
    for _ in range(5):
        await nuisance.ask("chat-message", whisper)
    await friend.ask("chat-message", whisper)


async def test_lines_and_whispers_of_one_who_is_ignored_are_hidden_from_that_member_alone(
    serve: Serve, connect: Connect
) -> None:
    reader, nuisance, witness = await members(serve, connect, 3)
    await reader.ask("chat-message", {"content": f"/ignore {nuisance.welcome.user.id}"})
    await nuisance.ask("chat-message", {"content": "buy this"})
    await nuisance.ask("chat-message", {"content": "buy that", "to": reader.welcome.user.id})
    assert [line.content for line in await said(reader, ChatLine) if isinstance(line, ChatLine)] == ["the end"]
    assert (await witness.expect(ChatLine)).content == "buy this"
    await reader.ask("chat-message", {"content": "/ignored"})
    assert nuisance.welcome.user.id in (await reader.expect(ChatLine)).content
    await reader.ask("chat-message", {"content": f"/unignore {nuisance.welcome.user.id}"})
    await nuisance.ask("chat-message", {"content": "sorry"})
    assert (await reader.expect(ChatLine)).content == "sorry"


async def test_ignoring_oneself_or_nobody_is_refused(serve: Serve, connect: Connect) -> None:
    (reader,) = await members(serve, connect, 1)
    for line in (f"/ignore {reader.welcome.user.id}", "/ignore nobody", "/unignore nobody", "/ignore"):
        assert isinstance((await reader.answer("chat-message", {"content": line})).error, Error)
