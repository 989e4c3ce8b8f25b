"""A player in a session: plays and talks at random, and notes all that is heard of the others."""

import asyncio
from random import Random
from typing import Final

from bench.faults.picture import KEY, PEDALS, Held, Picture
from bench.faults.session import Session
from bench.faults.wire import Wire
from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.messages import ChatLine, JoinAck, Message, Notes, UserLeft
from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_OFF, NOTE_ON, MidiEvent

__all__ = ["Musician"]

_KEYS: Final = range(36, 96)
_PEDAL_SHARE: Final = 0.15
_CURSOR_SHARE: Final = 0.2
_MOST_EVENTS: Final = 4
_FLOOD_CHANNEL: Final = 15
_FLOOD_KEYS: Final = range(64)
_FLOOD_RELEASES: Final = 8  # releases are free of the quota


class Musician:
    """A player who plays and writes through the faults, and remembers what the others seem to hold.

    Args:
        name: begins each line of this player.
        url, wire, room, haste: as `Session` takes them.
        random: all chance comes from it.

    Attributes:
        session: how this player is connected.
        slot: the number in the room.
        picture: what the others hold, as far as this player knows.
        lines: the room's lines in the order in which they came.
        played: events sent.
    """

    def __init__(self, name: str, url: str, wire: Wire, room: Message, random: Random, haste: float) -> None:
        self.slot = 0
        self.picture = Picture()
        self.lines: list[ChatLine] = []
        self.played = 0
        self._name = name
        self._random = random
        self._hands = Picture()
        self._awaited: dict[str, asyncio.Future[None]] = {}
        self.session = Session(url, wire, room, self, random, haste)

    @property
    def holding(self) -> set[Held]:
        """What this player holds down."""
        return {Held(self.slot, *held[1:]) for held in self._hands.held}

    async def say(self, text: str) -> None:
        """A line for the room; returns when the server has acknowledged it."""
        await self.session.ask("chat-message", {"content": self._line(text)})

    async def hear_itself(self, text: str) -> None:
        """Say a line and wait until it comes back: what was played and said in the room before it has come too."""
        heard = self._awaited[self._line(text)] = asyncio.get_running_loop().create_future()
        await self.say(text)
        await heard

    async def play_something(self) -> None:
        """A few random events: keys, pedals, the pointer."""
        keys = self._random.sample(_KEYS, self._random.randint(1, _MOST_EVENTS))
        await self.play([self._random_event(key) for key in keys])
        if self._random.random() < _CURSOR_SHARE:
            await self.session.point(self._random.randrange(0x10000), self._random.randrange(0x10000))

    async def flood(self) -> None:
        """Black MIDI: presses, releases, and releases of what nobody pressed."""
        chord = [MidiEvent(0, NOTE_ON | _FLOOD_CHANNEL, key, 100) for key in _FLOOD_KEYS]
        releases = [MidiEvent(0, NOTE_OFF | _FLOOD_CHANNEL, key) for key in _FLOOD_KEYS]
        await self.play(chord + releases * _FLOOD_RELEASES)

    async def play(self, events: list[MidiEvent]) -> None:
        """Play `events`, now; nothing while the connection is lost."""
        if self.session.is_present:
            for event in events:
                self._hands.play(0, *event[1:])
            self.played += len(events)
            await self.session.play(events)

    async def release_all(self) -> None:
        """Let go of everything."""
        events = [_release(held) for held in self._hands.held]
        if events:
            await self.play(events)

    def _random_event(self, key: int) -> MidiEvent:
        """A pedal, or `key`: down if it is up, and up if it is down."""
        channel = self._random.randrange(2)
        if self._random.random() < _PEDAL_SHARE:
            return MidiEvent(0, CONTROL_CHANGE | channel, self._random.choice(PEDALS), self._random.choice((0, 127)))
        is_down = Held(0, channel, KEY, key) in self._hands.held
        return MidiEvent(0, (NOTE_OFF if is_down else NOTE_ON) | channel, key, 100)

    # What the session calls

    def on_room(self, joined: JoinAck) -> None:
        self.slot = joined.slot
        self.picture.replace(joined.notes)
        known = {line.id for line in self.lines}
        for line in joined.chat:
            if line.id not in known:
                self._take_line(line)

    def on_music(self, blocks: list[MidiBlock]) -> None:
        for slot, _, events in blocks:
            for event in events:
                self.picture.play(slot, *event[1:])

    def on_message(self, message: Message) -> None:
        match message:
            case ChatLine():
                self._take_line(message)
            case Notes(notes=notes):
                self.picture.replace(notes)
            case UserLeft(slot=slot):
                self.picture.forget(slot)
            case _:
                pass

    def on_lost(self) -> None:
        self._hands.held.clear()

    def _line(self, text: str) -> str:
        return f"{self._name}: {text}"

    def _take_line(self, line: ChatLine) -> None:
        if line.id:  # what the server says to one alone has none
            self.lines.append(line)
            awaited = self._awaited.pop(line.content, None)
            if awaited is not None:
                awaited.set_result(None)


def _release(held: Held) -> MidiEvent:
    if held.what == KEY:
        return MidiEvent(0, NOTE_OFF | held.channel, held.number)
    return MidiEvent(0, CONTROL_CHANGE | held.channel, held.number)
