"""A player who is gone or silenced holds nothing any more, for any listener."""

from collections.abc import Awaitable, Callable

import pytest

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import RoomLeft, UserLeft
from rhythm_protocol.midi import MidiEvent
from rhythmd.app import Server
from tests.client import Client, Connect, Music, note_on
from tests.hub.synthesizer import Synthesizer
from tests.server import AT_ONCE, Serve

HELD = [
    note_on(60), note_on(64), MidiEvent(0, 0x99, 36, 90), MidiEvent(0, 0xB0, 64, 127), MidiEvent(0, 0xB0, 66, 127),
    MidiEvent(0, 0xB1, 67, 5), MidiEvent(0, 0xE0, 0, 0x50),
]  # fmt: skip

Act = Callable[[Client, Client], Awaitable[object]]


async def leave(_owner: Client, player: Client) -> None:
    await player.ask("leave-room")


async def move(_owner: Client, player: Client) -> None:
    await player.join("Attic")


async def drop(_owner: Client, player: Client) -> None:
    player.abort()


async def say_goodbye(_owner: Client, player: Client) -> None:
    await player.close()


async def kick(owner: Client, player: Client) -> None:
    await owner.ask("kick", {"user": player.welcome.user.id})


async def ban(owner: Client, player: Client) -> None:
    await owner.ask("ban", {"user": player.welcome.user.id})


async def mute(owner: Client, player: Client) -> None:
    await owner.ask("mute", {"user": player.welcome.user.id, "notes": True})


async def mute_self(_owner: Client, player: Client) -> None:
    await player.ask("chat-message", {"content": "/mute_self"})


async def reserve(owner: Client, _player: Client) -> None:
    await owner.ask("room-update", {"settings": {"only_owner_can_play": True}})


async def play_and_listen(server: Server, connect: Connect) -> tuple[Client, Client, Client]:
    """The owner, a player who holds all sorts of things, and a listener who knows."""
    owner, player, listener = [
        await connect(server, kind) for kind in (SUBPROTOCOL_JSON, SUBPROTOCOL_BINARY, SUBPROTOCOL_BINARY)
    ]
    for client in (owner, player, listener):
        await client.join("Salon")
    await player.play(HELD)
    for client in (owner, listener):
        assert len(await client.events(len(HELD))) == len(HELD)
    return owner, player, listener


async def heard_until_gone(listener: Client, player: Client) -> str:
    """Listen until the player is gone, and released by then. Why they are gone."""
    sound = Synthesizer()
    sound.hear(HELD)
    while not isinstance(message := await listener.expect(object), UserLeft):
        if isinstance(message, Music):
            sound.hear(event for block in message.blocks for event in block.events)
    assert message.user_id == player.welcome.user.id
    assert not sound.rings
    return message.reason


@pytest.mark.parametrize(
    ("act", "reason"),
    [(leave, "left"), (move, "left"), (drop, "lost"), (say_goodbye, "left"), (kick, "kicked"), (ban, "banned")],
)
async def test_who_is_gone_is_released_before_the_room_is_told(
    serve: Serve, connect: Connect, act: Act, reason: str
) -> None:
    server = await serve(AT_ONCE)
    owner, player, listener = await play_and_listen(server, connect)
    await act(owner, player)
    for client in (owner, listener):
        assert await heard_until_gone(client, player) == reason


@pytest.mark.parametrize("act", [mute, mute_self, reserve])
async def test_who_is_silenced_is_released(server: Server, connect: Connect, act: Act) -> None:
    owner, player, listener = await play_and_listen(server, connect)
    await act(owner, player)
    for client in (owner, listener):
        sound = Synthesizer()
        sound.hear(HELD)
        for slot, event in await client.events(len(HELD)):  # each of them has its end
            assert slot == player.slot
            sound.hear([event])
        assert not sound.rings
    ack = await (await connect(server)).join("Salon")
    sound = Synthesizer()
    for state in ack.notes:
        sound.play(state.state)
    assert not sound.rings


async def test_kicked_player_is_told_and_may_come_back(server: Server, connect: Connect) -> None:
    owner, player, _ = await play_and_listen(server, connect)
    await owner.ask("kick", {"user": player.welcome.user.id, "reason": "noise"})
    room = await player.expect(RoomLeft)
    assert (room.reason, room.message, room.seconds) == ("kicked", "noise", None)
    assert (await player.join("Salon")).notes == []


async def test_who_lets_go_in_time_leaves_nothing_to_release(server: Server, connect: Connect) -> None:
    owner, player, listener = await play_and_listen(server, connect)
    centred = [
        MidiEvent(0, 0xB0, 123, 0),
        MidiEvent(0, 0xB9, 123, 0),
        MidiEvent(0, 0xB0, 121, 0),
        MidiEvent(0, 0xB1, 121, 0),
    ]
    await player.play(centred)
    await player.ask("leave-room")
    for client in (owner, listener):
        assert len(await client.events(len(centred))) == len(centred)
        await client.expect(UserLeft)
        assert Music not in map(type, await client.received())
