"""Rooms that are served in slices, and in which not everybody is announced."""

import asyncio

import pytest

from rhythm_protocol.binary import encode_cursor
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import ChatLine, UserJoined, UserLeft
from rhythmd.app import Server
from tests.client import Client, Connect, Music, Pointers, chord, note_off, note_on
from tests.server import Serve

KINDS = (SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON)


@pytest.fixture
async def server(serve: Serve) -> Server:
    return await serve(
        "hub.flush_max_ms=0", "hub.yield_after=4", "hub.presence_limit=2", "limits.messages_burst=1000",
        "hub.cursor_interval_ms=1",
    )  # fmt: skip


async def crowd(server: Server, connect: Connect, count: int) -> list[Client]:
    """`count` clients in one room, of both subprotocols in turn; the first two are announced."""
    clients = [await connect(server, KINDS[number % 2]) for number in range(count)]
    for client in clients:
        await client.join("Hall", settings={"max_players": 50})
    for client in clients:
        await client.received()
    return clients


async def test_slices_keep_one_order_for_everybody(server: Server, connect: Connect) -> None:
    clients = await crowd(server, connect, 20)
    first, second, *others = clients

    async def perform(player: Client) -> None:
        for number in range(30):
            await player.play([note_on(offset_ms=number)])
            await player.send("chat-message", {"content": str(number)})

    await asyncio.gather(perform(first), perform(second))
    heard = await asyncio.gather(*(programme(client, first, second) for client in others))
    assert all(other == heard[0] for other in heard)
    for player in (first, second):
        own = [what for slot, what in heard[0] if slot == player.slot]
        assert own == [what for number in range(30) for what in (number, str(number))]


async def programme(listener: Client, *players: Client) -> list[tuple[int, int | str]]:
    """Thirty notes and lines of each player in their order, as (slot, offset or line)."""
    slots = {player.welcome.user.id: player.slot for player in players}
    heard: list[tuple[int, int | str]] = []
    while len(heard) < 60 * len(players):
        message = await listener.expect(object)
        if isinstance(message, Music):
            heard += [(block.slot, event.offset_ms) for block in message.blocks for event in block.events]
        elif isinstance(message, ChatLine):
            heard.append((slots[message.user_id or ""], message.content))
    return heard


async def test_member_is_announced_with_the_first_note_line_or_cursor(server: Server, connect: Connect) -> None:
    first, _, third, fourth, fifth, _ = await crowd(server, connect, 6)
    await third.play([note_on()])
    assert (await first.expect(UserJoined)).user.id == third.welcome.user.id
    await first.expect(Music)
    await fourth.ask("chat-message", {"content": "hello"})
    assert (await first.expect(UserJoined)).user.id == fourth.welcome.user.id
    await first.expect(ChatLine)
    await fifth.send_raw(encode_cursor(1, 2))
    assert (await first.expect(UserJoined)).user.id == fifth.welcome.user.id
    await first.expect(Pointers)
    await third.play([note_off()])
    await first.expect(Music)
    assert UserJoined not in map(type, await first.received())


async def test_join_ack_holds_the_announced_only(server: Server, connect: Connect) -> None:
    clients = await crowd(server, connect, 5)
    await clients[3].ask("chat-message", {"content": "hello"})
    late = await connect(server)
    ack = await late.join("Hall")
    announced = [clients[0], clients[1], clients[3], late]
    assert [user.id for user in ack.members] == [client.welcome.user.id for client in announced]
    assert ack.room.players == 6


async def test_only_the_announced_are_reported_when_they_leave(server: Server, connect: Connect) -> None:
    first, second, third, _ = await crowd(server, connect, 4)
    await third.ask("leave-room")
    await second.ask("leave-room")
    assert (await first.expect(UserLeft)).user_id == second.welcome.user.id
    assert UserLeft not in map(type, await first.received())


async def test_new_owner_is_announced(server: Server, connect: Connect) -> None:
    first, _, third, _ = await crowd(server, connect, 4)
    await first.ask("transfer-owner", {"user": third.welcome.user.id})
    assert (await first.expect(UserJoined)).user.id == third.welcome.user.id


async def test_those_who_come_and_go_in_the_middle_hear_each_note_once(server: Server, connect: Connect) -> None:
    player, *others = await crowd(server, connect, 12)
    newcomers = [await connect(server, KINDS[number % 2]) for number in range(6)]
    last = 200

    async def perform() -> None:
        for number in range(1, last + 1):
            await player.play([note_on(offset_ms=number)])
            await asyncio.sleep(0)

    async def come(client: Client) -> list[int]:
        await client.join("Hall")
        return await offsets(client, last)

    async def go(client: Client) -> None:
        await client.ask("leave-room")
        heard = [m for m in await client.received() if isinstance(m, Music)]
        numbers = [event.offset_ms for music in heard for block in music.blocks for event in block.events]
        assert numbers == list(range(1, len(numbers) + 1))

    leavers, stayers = others[:5], others[5:]
    results = await asyncio.gather(
        perform(), *(go(client) for client in leavers), *(come(client) for client in newcomers)
    )
    for heard in results[1 + len(leavers) :]:
        assert heard == list(range(last + 1 - len(heard or ()), last + 1))
    for client in stayers:
        assert await offsets(client, last) == list(range(1, last + 1))


async def offsets(listener: Client, last: int) -> list[int]:
    """The offsets of the notes heard, up to `last`."""
    heard: list[int] = []
    while last not in heard:
        heard += [event.offset_ms for block in await listener.blocks() for event in block.events]
    return heard


async def test_small_room_plays_on_beside_a_big_one(server: Server, connect: Connect) -> None:
    player, *_ = await crowd(server, connect, 20)
    small = [await connect(server) for _ in range(2)]
    for client in small:
        await client.join("Closet")
    for _ in range(20):
        await player.play(chord(60, 64, 67))
    await small[0].play([note_on()])
    assert await small[1].events(1) == [(small[0].slot, note_on())]
