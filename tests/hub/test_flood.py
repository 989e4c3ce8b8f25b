"""A client that says too much is told, then closed; nobody else notices."""

import asyncio

from rhythm_protocol.messages import ChatLine, Error, RoomUpdated, UserLeft
from rhythm_protocol.midi import MidiEvent
from rhythmd.fairness.account import UNCHARGED
from tests.client import Answer, Connect, chord, note_off, note_on
from tests.hub.manual import ManualHub
from tests.metrics import until_connections
from tests.server import AT_ONCE, Serve

PEDAL_DOWN = MidiEvent(0, 0xB0, 64, 127)
PEDAL_UP = MidiEvent(0, 0xB0, 64, 0)
SLOWLY = ("limits.messages_per_s=0.001", "limits.messages_burst=5")


async def test_messages_over_the_rate_are_refused_with_their_id(
    serve: Serve, connect: Connect, subprotocol: str
) -> None:
    client = await connect(await serve(*SLOWLY), subprotocol)
    for _ in range(5):
        await client.ask("user-update", {"name": "Clara"})
    for _ in range(3):
        assert (await client.refused("user-update", {"name": "Robert"})).code == "rate-limited"


async def test_messages_without_id_over_the_rate_are_told_once(
    serve: Serve, connect: Connect, subprotocol: str
) -> None:
    client = await connect(await serve(*SLOWLY), subprotocol)
    for _ in range(8):
        await client.send("user-update", {"name": "Clara"})
    await client.send("leave-room", id_=7)
    told = [await client.expect(object) for _ in range(2)]
    assert isinstance(told[0], Error)
    assert isinstance(told[1], Answer)
    assert (told[0].code, told[1].id) == ("rate-limited", 7)


async def test_client_that_goes_on_is_closed(serve: Serve, connect: Connect, subprotocol: str) -> None:
    server = await serve(*SLOWLY)
    flooder, player, listener = await connect(server, subprotocol), await connect(server), await connect(server)
    for client in (flooder, player, listener):
        await client.join("Salon")
    for _ in range(20):
        await flooder.send("chat-message", {"content": "spam"})
    assert await flooder.closed() == (4002, "flooding")
    await player.play([note_on()])
    assert await listener.events(1) == [(player.slot, note_on())]
    lines = [message for message in await listener.received() if isinstance(message, ChatLine)]
    assert len(lines) <= 4


async def test_broken_messages_count_as_well(serve: Serve, connect: Connect, subprotocol: str) -> None:
    client = await connect(await serve(*SLOWLY), subprotocol)
    for _ in range(20):
        await client.send_raw(b"nonsense")
    assert (await client.closed()).code == 4002


async def test_notes_do_not_count(serve: Serve, connect: Connect, subprotocol: str) -> None:
    server = await serve(*SLOWLY)
    player, listener = await connect(server, subprotocol), await connect(server)
    for client in (player, listener):
        await client.join("Salon")
    for _ in range(50):
        await player.play([note_on()])
    assert len(await listener.events(50)) == 50
    await player.ask("user-update", {"name": "Clara"})


async def test_pause_gives_the_rate_back(serve: Serve, connect: Connect) -> None:
    client = await connect(await serve("limits.messages_per_s=50", "limits.messages_burst=3"))
    while (await client.answer("user-update", {"name": "Clara"})).error is None:
        pass
    while True:
        if (await client.answer("user-update", {"name": "Clara"})).error is None:
            break
        await asyncio.sleep(0.05)


async def test_broken_notes_count_as_well(serve: Serve, connect: Connect, subprotocol: str) -> None:
    client = await connect(await serve(*SLOWLY), subprotocol)
    for _ in range(20):
        await client.send("midi-event", {"time": 0, "events": [[0, 0xF0, 0, 0]]})
    assert (await client.closed()).code == 4002


async def test_more_events_than_any_music_close_and_release(serve: Serve, connect: Connect, subprotocol: str) -> None:
    server = await serve("quota.refill_s=3600", "quota.room_maximum=10", "quota.other_events=20")
    listener, flooder, player = await connect(server), await connect(server, subprotocol), await connect(server)
    for client in (listener, flooder, player):
        await client.join("Salon")
    allowed = [note_on(60), *[PEDAL_DOWN] * 19, *[note_off(61)] * 20]
    await flooder.play(allowed)
    assert await listener.events(40) == [(flooder.slot, event) for event in allowed]
    await flooder.play([note_off(60)])
    assert await flooder.closed() == (4002, "flooding")
    assert await listener.events(2) == [(flooder.slot, event) for event in (note_off(60), PEDAL_UP)]
    assert (await listener.expect(UserLeft)).reason == "lost"
    await player.play(chord(60, 64))
    assert await listener.events(2) == [(player.slot, event) for event in chord(60, 64)]


async def test_of_more_events_than_any_music_in_a_room_those_over_a_share_are_dropped(
    serve: Serve, connect: Connect
) -> None:
    """Releases cost no points. Of 150 events a refill here each of three has a share of 50.

    Nobody is closed who sends no more than one may: it is others who fill the room.
    """
    server = await serve(
        "quota.total_maximum=70", "quota.total_allowance=1", "quota.other_events=10", "quota.refill_s=3600"
    )
    flooder, player, listener = [await connect(server) for _ in range(3)]
    for client in (flooder, player, listener):
        await client.join("Salon")
    await player.play([PEDAL_UP] * 45)
    await flooder.play([PEDAL_UP] * 100)
    assert len(await listener.events(145)) == 145
    await flooder.play([note_on(60), *[PEDAL_UP] * 9])
    assert (await flooder.expect(Error)).code == "quota-exceeded"
    await player.play([note_on(72)])
    assert await listener.events(1) == [(player.slot, note_on(72))]


async def test_nothing_sticks_when_the_end_of_a_note_is_dropped(serve: Serve, connect: Connect) -> None:
    server = await serve(
        "quota.total_maximum=70", "quota.total_allowance=1", "quota.other_events=10", "quota.refill_s=3600"
    )
    player, listener = await connect(server), await connect(server)
    for client in (player, listener):
        await client.join("Salon")
    await player.play([note_on(60), *[PEDAL_UP] * 149])
    assert len(await listener.events(150)) == 150
    await player.play([note_off(60)])
    assert await listener.events(1) == [(player.slot, note_off(60))]
    assert (await player.expect(Error)).code == "quota-exceeded"


async def test_room_that_is_lost_all_at_once_leaves_nobody_behind(serve: Serve, connect: Connect) -> None:
    server = await serve("rooms.max_players=400", AT_ONCE)
    settings = {"max_players": 400}
    crowd = [await connect(server) for _ in range(300)]
    for client in crowd:
        await client.join("Hall", settings=settings)
    last = await connect(server)
    await last.join("Hall")
    for client in crowd:
        client.abort()
    owners: list[str | None] = []
    while last.welcome.user.id not in owners:
        owners.append((await last.expect(RoomUpdated)).room.owner)
    assert len(owners) < 30, "each of those who went was made the owner"
    await until_connections(server, 1)
    assert (await (await connect(server)).join("Hall")).room.players == 2


def test_cost_of_a_control_message_is_looked_at_before_the_next_one() -> None:
    """A join is as short as a note, and costs a hundred times as much. A note is not looked at."""
    manual = ManualHub()
    peer = manual.connect()
    peer.play([note_on()])
    assert peer.account.frames == 0
    peer.say("join-room", {"room": "Salon", "create": True})
    assert peer.account.frames == UNCHARGED
    peer.account.frames = 0
    peer.say("join-room", {"room": "Salon", "create": True})  # which is refused
    assert peer.account.frames == UNCHARGED
    manual.close()
