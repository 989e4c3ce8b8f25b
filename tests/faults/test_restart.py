"""A restart of the server, announced or not, ends no room, loses no seat, owner or line of chat."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import pytest

from rhythm_protocol.messages import ChatLine, JoinAck, Notes, ResumeAck, RoomUpdated, Stopping, UserLeft
from tests.client import Client, open_client
from tests.deadline import until, within
from tests.faults.victims import Victims, running_victims
from tests.server import ServerProcess, running_process

SIGNALS: Final = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
ROUNDS: Final = 10


@asynccontextmanager
async def clients(process: ServerProcess | Victims, count: int) -> AsyncIterator[list[Client]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_client(process.port)) for _ in range(count)]


async def resume(client: Client, lost: Client) -> ResumeAck:
    data = await client.ask("resume", {"session": lost.welcome.session, "received": 1})
    return msgspec.convert(data, ResumeAck)


def joined(ack: ResumeAck) -> JoinAck:
    assert not ack.recovered
    assert ack.join is not None
    return ack.join


async def stop(process: ServerProcess, number: signal.Signals) -> None:
    process.signal(number)
    await process.wait()


@SIGNALS
async def test_seats_owner_rules_and_chat_survive(tmp_path: Path, number: signal.Signals) -> None:
    async with running_process(tmp_path) as process, clients(process, 3) as (owner, player, muted):
        await owner.join("Salon", password="sesame", settings={"stage": "church"})
        for client in (player, muted):
            await client.join("Salon", password="sesame")
        await player.ask("user-update", {"name": "Clara"})
        await owner.ask("mute", {"user": muted.welcome.user.id, "chat": True})
        await owner.ask("metronome", {"running": True, "bpm": 90})
        for line in ("one", "two"):
            await player.ask("chat-message", {"content": line})
        await stop(process, number)
    async with running_process(tmp_path) as process, clients(process, 4) as (again, other, third, stranger):
        acks = [await resume(new, old) for new, old in ((again, owner), (other, player), (third, muted))]
        for ack, client in zip(acks, (owner, player, muted), strict=True):
            assert (joined(ack).slot, ack.user.id) == (client.slot, client.welcome.user.id)
        room = joined(acks[1]).room
        assert (room.owner, room.settings.stage, room.players) == (owner.welcome.user.id, "church", 3)
        assert room.metronome is not None
        assert room.metronome.bpm == 90
        assert [line.content for line in joined(acks[1]).chat] == ["one", "two"]
        assert acks[1].user.name == "Clara"
        assert (await third.refused("chat-message", {"content": "I"})).code == "chat-muted"
        await again.ask("room-update", {"settings": {"stage": "stadium"}})
        assert (await stranger.refused("join-room", {"room": "Salon"})).code == "wrong-password"
        await other.expect(Notes)
        await other.ask("chat-message", {"content": "three"})
        assert (await again.expect(ChatLine)).id == 3


async def test_deploy_tells_each_client_another_moment(tmp_path: Path) -> None:
    async with running_process(tmp_path) as process, clients(process, 8) as crowd:
        for client in crowd:
            await client.join("lobby")
        process.signal(signal.SIGTERM)
        moments = [(await client.expect(Stopping)).reconnect_after_ms for client in crowd]
        assert len(set(moments)) > 4
        assert {(await client.closed()).code for client in crowd} == {1012}


@SIGNALS
async def test_who_does_not_come_back_loses_seat_and_room(tmp_path: Path, number: signal.Signals) -> None:
    async with running_process(tmp_path) as process, clients(process, 2) as (owner, player):
        for client in (owner, player):
            await client.join("Salon")
        await stop(process, number)
    async with running_process(tmp_path, ["hub.resume_s=1"]) as process, clients(process, 1) as (back,):
        ack = joined(await resume(back, player))
        assert {user.id: user.reconnecting for user in ack.members}[owner.welcome.user.id]
        assert (await back.expect(UserLeft)).reason == "lost"
        while (await back.expect(RoomUpdated)).room.owner != player.welcome.user.id:
            pass


async def test_who_leaves_before_the_end_is_not_there_after_it(tmp_path: Path) -> None:
    async with running_process(tmp_path) as process, clients(process, 2) as (stays, goes):
        for client in (stays, goes):
            await client.join("Salon")
        await goes.ask("leave-room")
        await stop(process, signal.SIGKILL)
    async with running_process(tmp_path) as process, clients(process, 2) as (back, gone):
        assert joined(await resume(back, stays)).room.players == 1
        error = await gone.refused("resume", {"session": goes.welcome.session, "received": 1})
        assert error.code == "session-not-found"


async def talk(client: Client, said: list[str], first: int) -> None:
    """Say numbered lines for ever; `said` are those that were acknowledged."""
    for number in range(first, first + 10_000):
        await client.ask("chat-message", {"content": str(number)})
        said.append(str(number))
        await asyncio.sleep(0)


def has(said: list[str], count: int) -> bool:
    return len(said) >= count


@SIGNALS
async def test_no_acknowledged_line_is_lost_and_none_is_doubled(tmp_path: Path, number: signal.Signals) -> None:
    said: list[str] = []
    lost: Client | None = None
    settings = ["limits.messages_per_s=100000", "limits.messages_burst=100000", "rooms.chat_history=10000"]
    async with running_victims(tmp_path, settings) as victims:
        for round_ in range(ROUNDS):
            await victims.start()
            async with clients(victims, 1) as (client,):
                if lost is None:
                    await client.join("Salon")
                else:
                    found = [line.content for line in joined(await resume(client, lost)).chat]
                    assert len(set(found)) == len(found)
                    assert set(said) <= set(found)
                talking = asyncio.create_task(talk(client, said, round_ * 100_000))
                await until(partial(has, said, (round_ + 1) * 20), "it has said enough")
                await victims.end(number)
                [end] = await within(asyncio.gather(talking, return_exceptions=True))
                assert isinstance(end, Exception)
                client.welcome = client.welcome if lost is None else lost.welcome
                lost = client


@SIGNALS
async def test_empty_room_its_owner_and_its_mutes_survive(tmp_path: Path, number: signal.Signals) -> None:
    async with running_victims(tmp_path, []) as victims:
        await victims.start()
        async with clients(victims, 2) as (owner, muted):
            await owner.join("Salon", settings={"stage": "church"})
            await muted.join("Salon")
            await owner.ask("mute", {"user": muted.welcome.user.id, "notes": True, "seconds": 600})
            for client in (muted, owner):
                await client.ask("leave-room")
                await client.join("lobby")
            await victims.end(number)
        await victims.start()
        async with clients(victims, 2) as (first, second):
            for client, lost in ((first, muted), (second, owner)):
                await resume(client, lost)
            ack = await first.join("Salon")
            assert (ack.room.settings.stage, ack.room.owner) == ("church", muted.welcome.user.id)
            assert [user.notes_muted for user in ack.members] == [True]
            assert (await second.join("Salon")).room.owner == owner.welcome.user.id
            (listed,) = (await second.ask("sanctions"))["sanctions"]
            assert (listed["user"], listed["kind"]) == (muted.welcome.user.id, "notes")
            assert 500 < listed["seconds"] <= 600
