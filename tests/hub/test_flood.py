"""A client that says too much is told, then closed; nobody else notices."""

import asyncio

from rhythm_protocol.messages import ChatLine, Error
from tests.client import Answer, Connect, note_on
from tests.server import Serve

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
