"""A room of musicians, each behind a proxy of its own, and what became of their music."""

import asyncio
from asyncio import TaskGroup
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from time import monotonic
from typing import Final

import msgspec
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.faults.catalogue import Fault
from bench.faults.musician import Musician
from bench.faults.picture import Held, Picture
from bench.faults.proxy import Proxy, open_proxy
from bench.faults.wire import WIRES
from rhythm_protocol.control import SUBPROTOCOL_BINARY
from rhythm_protocol.messages import JoinAck, JoinRoom, RoomSettings
from rhythmd.client.codec import decode_binary, encode_binary

__all__ = ["Tally", "perform"]

_ROOM: Final = JoinRoom("faults", create=True, settings=RoomSettings(max_players=50, allow_black_midi=True))
_RECEIVE_BUFFER: Final = 16_384
_BEFORE_S: Final = (0.2, 0.6)
_BETWEEN_S: Final = (0.005, 0.06)
_LINE_SHARE: Final = 0.1
_PATIENCE_S: Final = 10.0
_AGAIN_S: Final = 0.1
_VICTIMS: Final = 2  # one in so many


@dataclass
class Tally:
    """What a performance came to; `events` and `lines` were played and said.

    Attributes:
        lost: lines that somebody never got.
        repeated: lines and answers that somebody got twice, or lines out of their order.
        stuck: keys and pedals down in somebody's picture at a quiet moment that their player does not hold.
        silent: the other way round.
        doubled: presses that somebody heard of a key that was down already.
        recoveries: seconds from a fault's end until its victim had its next line back from the room.
        returns: how sessions went on, as `Session` counts them.
        refusals: errors that nobody asked for, by code.
    """

    clients: int
    events: int = 0
    lines: int = 0
    lost: int = 0
    repeated: int = 0
    stuck: int = 0
    silent: int = 0
    doubled: int = 0
    recoveries: list[float] = field(default_factory=list)
    returns: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, repeated, stuck, silent or doubled."""
        return not (self.lost or self.repeated or self.stuck or self.silent or self.doubled)


async def perform(port: int, fault: Fault, clients: int, rounds: int, seed: int, haste: float = 1.0) -> Tally:
    """Play `rounds` times in the server on loopback `port`, under `fault`.

    Args:
        clients: musicians in the room.
        haste: the waits before a return are those of the close table times this.

    Raises:
        ExceptionGroup: with Removed, when the server sent somebody away for good.
    """
    async with _on_stage(port, fault, clients, seed, haste) as stage:
        await stage.settle()
        for _ in range(rounds):
            await stage.round()
        return await stage.end()


@asynccontextmanager
async def _on_stage(port: int, fault: Fault, clients: int, seed: int, haste: float) -> AsyncIterator["_Stage"]:
    async with AsyncExitStack() as stack, TaskGroup() as tasks:
        players: list[_Player] = []
        for number in range(clients):
            proxy = await stack.enter_async_context(open_proxy(port, Random(f"{seed} {number}"), _RECEIVE_BUFFER))
            proxy.apply(fault.up, fault.down)
            wire, random = WIRES[number % len(WIRES)], Random(f"{seed} player {number}")
            musician = Musician(f"player {number}", _url(proxy.port), wire, _ROOM, random, haste)
            players.append(_Player(musician, proxy, random))
        stays = [tasks.create_task(player.musician.session.stay()) for player in players]
        yield _Stage(_url(port), players, fault, Random(seed))
        for stay in stays:
            stay.cancel()


def _url(port: int) -> str:
    return f"ws://127.0.0.1:{port}/ws"


@dataclass(frozen=True)
class _Player:
    musician: Musician
    proxy: Proxy
    random: Random


class _Stage:
    def __init__(self, url: str, players: list[_Player], fault: Fault, random: Random) -> None:
        self._url = url
        self._players = players
        self._fault = fault
        self._random = random
        self._tally = Tally(len(players))
        self._said: list[str] = []

    async def round(self) -> None:
        """Everybody plays, the fault befalls some, everybody stops; then all pictures are compared."""
        over = asyncio.Event()
        async with TaskGroup() as playing:
            for player in self._players:
                playing.create_task(self._play(player, over))
            await asyncio.sleep(self._random.uniform(*_BEFORE_S))
            victims = self._players[1:] if self._fault.flood else self._players
            await self._together(self._suffer, self._random.sample(victims, max(1, len(victims) // _VICTIMS)))
            over.set()
        await self.settle()

    async def settle(self) -> None:
        """Wait until everybody has heard everything, then compare what they believe."""
        deadline = monotonic() + _PATIENCE_S
        while True:
            await self._together(self._say, self._players)  # all that was played before it is at the server
            await self._together(self._hear, self._players)
            stuck, silent = await self._compare()
            if not (stuck or silent) or monotonic() > deadline:
                break
            await asyncio.sleep(_AGAIN_S)
        self._tally.stuck += stuck
        self._tally.silent += silent

    async def end(self) -> Tally:
        """Let go of all keys, compare once more, and add up."""
        await self._together(lambda player: player.musician.release_all(), self._players)
        await self.settle()
        said = set(self._said)
        await self._together(self._hear, self._players)
        self._tally.lines = len(said)
        for player in self._players:
            self._add(player.musician, said)
        return self._tally

    # Playing

    async def _together(self, act: Callable[[_Player], Awaitable[None]], players: list[_Player]) -> None:
        await asyncio.gather(*(act(player) for player in players))

    async def _play(self, player: _Player, over: asyncio.Event) -> None:
        floods = self._fault.flood and player is self._players[0]
        while not over.is_set():
            if floods:
                await player.musician.flood()
            elif player.random.random() < _LINE_SHARE:
                await self._say(player)
            else:
                await player.musician.play_something()
            await asyncio.sleep(player.random.uniform(*_BETWEEN_S))

    async def _suffer(self, player: _Player) -> None:
        await self._fault.act(player.proxy, player.musician, player.random)
        lifted = monotonic()
        await self._hear(player)
        self._tally.recoveries.append(monotonic() - lifted)
        player.proxy.go_on()  # what was held back of an earlier connection comes too late

    async def _say(self, player: _Player) -> None:
        await player.musician.say(self._next_line())

    async def _hear(self, player: _Player) -> None:
        await player.musician.hear_itself(self._next_line())

    def _next_line(self) -> str:
        self._said.append(f"line {len(self._said)}")
        return self._said[-1]

    # Looking

    async def _compare(self) -> tuple[int, int]:
        """How much is held in pictures but not by the players, and the other way round; the server's is one of them."""
        held = set[Held]().union(*(player.musician.holding for player in self._players))
        pictures = [(player.musician.slot, player.musician.picture.held) for player in self._players]
        pictures.append((0, await _picture_of_a_newcomer(self._url)))
        stuck = sum(len(picture - held) for _, picture in pictures)
        silent = sum(len({key for key in held if key.slot != slot} - picture) for slot, picture in pictures)
        return stuck, silent

    def _add(self, musician: Musician, said: set[str]) -> None:
        texts = [line.content.partition(": ")[2] for line in musician.lines]
        numbers = [line.id for line in musician.lines]
        in_order = sum(before < after for before, after in pairwise(numbers))
        tally = self._tally
        tally.events += musician.played
        tally.lost += len(said - set(texts))
        tally.repeated += len(texts) - len(set(texts)) + len(numbers) - 1 - in_order + musician.session.surplus
        tally.doubled += musician.picture.doubled
        tally.returns += musician.session.returns
        tally.refusals += musician.session.refusals


async def _picture_of_a_newcomer(url: str) -> set[Held]:
    """What the server tells somebody who joins now, without a proxy."""
    async with connect(url, subprotocols=[Subprotocol(SUBPROTOCOL_BINARY)], proxy=None, compression=None) as socket:
        await socket.send(encode_binary("join-room", {"room": _ROOM.room}, 1))
        while True:
            payload = await socket.recv(decode=False)
            assert isinstance(payload, bytes)
            envelope = decode_binary(payload)
            if envelope.id == 1:
                picture = Picture()
                picture.replace(msgspec.convert(envelope.data, JoinAck).notes)
                return picture.held
