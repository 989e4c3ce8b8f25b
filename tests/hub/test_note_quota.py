"""The note quota as players meet it."""

import pytest

from rhythm_protocol.messages import Error, QuotaState
from rhythm_protocol.midi import MidiEvent
from rhythmd.app import Server
from tests.client import Client, Connect, Music, note_off, note_on
from tests.server import Serve

HOURS = "quota.refill_s=36000"  # longer than any test


RELEASES = {note_off(60), note_off(61)}  # of who is cut off


async def played(listener: Client, count: int) -> list[MidiEvent]:
    return [event for _, event in await listener.events(count)]


def rates(quota: QuotaState) -> tuple[int, int, int]:
    return quota.points, quota.allowance, quota.maximum


async def test_quota_of_each_role_and_room(server: Server, connect: Connect) -> None:
    owner, guest = await connect(server), await connect(server)
    assert rates((await owner.join("lobby")).quota) == (600, 200, 600)
    assert rates((await owner.join("Salon")).quota) == (1_800, 600, 1_800)
    assert rates((await guest.join("Salon")).quota) == (1_200, 400, 1_200)
    await owner.join("Storm", settings={"allow_black_midi": True})
    assert rates((await guest.join("Storm")).quota) == (24_000, 8_000, 24_000)


async def test_quota_is_told_when_role_or_rules_change(server: Server, connect: Connect) -> None:
    owner, guest = await connect(server), await connect(server)
    for client in (owner, guest):
        await client.join("Salon")
    await owner.ask("transfer-owner", {"user": guest.welcome.user.id})
    assert rates(await owner.expect(QuotaState)) == (1_200, 400, 1_200)
    assert rates(await guest.expect(QuotaState)) == (1_800, 600, 1_800)
    await guest.ask("room-update", {"settings": {"allow_black_midi": True}})
    for client in (owner, guest):
        assert rates(await client.expect(QuotaState)) == (24_000, 8_000, 24_000)
    await guest.ask("room-update", {"settings": {"stage": "church"}})
    for client in (owner, guest):
        assert QuotaState not in map(type, await client.received())


async def test_note_ons_over_quota_are_dropped_and_releases_pass(
    serve: Serve, connect: Connect, subprotocol: str
) -> None:
    server = await serve(HOURS)
    player, listener = await connect(server, subprotocol), await connect(server)
    for client in (player, listener):
        await client.join("lobby")
    await player.play([note_on(61, offset_ms=number) for number in range(598)])
    assert len(await played(listener, 598)) == 598
    pedal = MidiEvent(0, 0xB0, 64, 127)
    await player.play([note_off(61), *(note_on(key) for key in (62, 63, 64, 65)), pedal, note_off(62), note_on(66, 0)])
    # Cut off, the player is released first.
    kept = [note_off(61), note_off(61), note_on(62), note_on(63), pedal, note_off(62), note_on(66, 0)]
    assert await played(listener, len(kept)) == kept
    error = await player.expect(Error)
    assert (error.code, error.field) == ("quota-exceeded", None)
    assert rates(await player.expect(QuotaState)) == (0, 200, 600)


async def test_quota_exceeded_is_told_once_a_refill(serve: Serve, connect: Connect) -> None:
    server = await serve(HOURS, "quota.lobby_maximum=3")
    player, listener = await connect(server), await connect(server)
    for client in (player, listener):
        await client.join("lobby")
    for _ in range(5):
        await player.play([note_on(), note_on(), note_off()])
    # Three are paid for; every release passes.
    assert (await played(listener, 8)).count(note_off()) == 5
    told = [message for message in await player.received() if isinstance(message, Error)]
    assert [error.code for error in told] == ["quota-exceeded"]


async def test_refill_lets_the_player_on_and_the_next_excess_is_told(serve: Serve, connect: Connect) -> None:
    server = await serve("quota.refill_s=0.05", "quota.lobby_maximum=2", "quota.lobby_allowance=1")
    player, listener = await connect(server), await connect(server)
    for client in (player, listener):
        await client.join("lobby")
    await player.play([note_on(60)] * 3)
    assert await played(listener, 2) == [note_on(60)] * 2
    heard: list[MidiEvent] = []
    while heard.count(note_on(61)) < 3:  # one for each refill that has come
        await player.play([note_on(61)] * 2)
        heard += [
            event
            for message in await listener.received()
            if isinstance(message, Music)
            for block in message.blocks
            for event in block.events
        ]
    assert set(heard) - RELEASES == {note_on(61)}
    told = [message for message in await player.received() if isinstance(message, Error)]
    assert len(told) >= 3


@pytest.mark.parametrize("share", [1, 4])
async def test_room_has_a_quota_for_all_together(serve: Serve, connect: Connect, share: int) -> None:
    server = await serve(HOURS, "quota.total_maximum=10", "quota.total_allowance=1")
    players = [await connect(server) for _ in range(2)]
    listener = await connect(server)
    for client in (*players, listener):
        await client.join("Salon")
    await players[0].play([note_on()] * (10 - share))
    await played(listener, 10 - share)
    await players[1].play([*[note_on()] * 5, note_off()])
    assert await played(listener, share + 1) == [*[note_on()] * share, note_off()]
    assert (await players[1].expect(Error)).code == "quota-exceeded"


async def test_player_has_an_equal_share_of_a_room_where_others_use_up_everything(
    serve: Serve, connect: Connect
) -> None:
    server = await serve(HOURS, "quota.total_maximum=40", "quota.total_allowance=12", "quota.owner_maximum=1000")
    greedy, modest, listener = [await connect(server) for _ in range(3)]
    for client in (greedy, modest, listener):
        await client.join("Salon")
    await greedy.play([note_on(60)] * 60)
    assert await played(listener, 40) == [note_on(60)] * 40
    await modest.play([note_on(61)] * 3)
    assert await played(listener, 3) == [note_on(61)] * 3
    await modest.play([note_on(61)] * 3)
    assert await played(listener, 2) == [note_off(61), note_on(61)]
    assert (await modest.expect(Error)).code == "quota-exceeded"
    await greedy.play([note_on(60), note_on(62), note_off(62)])
    assert await played(listener, 1) == [note_off(62)]
