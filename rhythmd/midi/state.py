"""What one player holds: keys, pedals and the other controllers, parameters, program, bend, pressures and modes.

A lost note-on is a blemish, a lost note-off is forever (RFC 6295, appendix A). So the server keeps this state from the
events themselves, lets go what a player who is gone still holds, and gives it to whoever comes later.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from struct import Struct
from typing import Final

from rhythm_protocol.midi import (
    CHANNEL_PRESSURE,
    CONTROL_CHANGE,
    EVENT_SIZE,
    MAX_BLOCK_EVENTS,
    NOTE_OFF,
    NOTE_ON,
    PITCH_BEND,
    POLY_PRESSURE,
    PROGRAM_CHANGE,
)
from rhythmd.clock import server_ms
from rhythmd.midi.keys import FollowedKeys
from rhythmd.midi.parameters import PARAMETER_CONTROLLERS, Parameters

__all__ = [
    "ALL_NOTES_OFF", "BANK", "FIRST_MODE_MESSAGE", "MANY_KEYS", "MONO", "OMNI", "POLY", "ChannelMessage", "HeldNotes",
    "NoteState", "as_blocks", "fair_level", "is_of_a_key", "unpacked",
]  # fmt: skip

ChannelMessage = tuple[int, int, int]
"""Status, data 1, data 2."""

UNSET: Final = 0xFF  # no data byte has this value
UNKNOWN: Final = -1
KEYS: Final = 128
MANY_KEYS: Final = 16
"""Of a channel that are down; more of them are let go with one message. Two hands hold fewer."""
_MESSAGE: Final = Struct("BBB")
BEND_CENTRE: Final = (0x00, 0x40)
BANK: Final = (0, 32)
PLAIN_CONTROLLERS: Final = tuple(
    number for number in range(120) if number not in BANK and number not in PARAMETER_CONTROLLERS
)
LOWER: Final = 32
"""A controller below this has a lower half so much above it, if it has one: together they have 14 bits (MIDI 1.0)."""

FIRST_SINGLE: Final = 64  # from here to `LAST_SINGLE` they have seven bits, pedals among them
LAST_SINGLE: Final = 95
PEDALS: Final = (64, 66, 67, 69)  # sustain, sostenuto, soft, hold 2
PEDAL_DOWN: Final = 64  # from this value on

ALL_SOUND_OFF: Final = 120
RESET_ALL_CONTROLLERS: Final = 121
NOTES_OFF: Final = 123
FIRST_MODE_MESSAGE: Final = 120
OMNI: Final = frozenset({124, 125})  # off, on
MONO: Final = 126
POLY: Final = 127
ALL_NOTES_OFF: Final = frozenset({ALL_SOUND_OFF, 123, *OMNI, MONO, POLY})  # the modes imply it (MIDI 1.0)
SINGLE_MESSAGES: Final = 8  # of a channel beside keys, controllers and parameters: modes, programs, bend, pressure
PRESSURES: Final = frozenset({POLY_PRESSURE, CHANNEL_PRESSURE})
OF_A_KEY: Final = frozenset({NOTE_OFF, NOTE_ON, POLY_PRESSURE})

# Reset All Controllers leaves these alone (MIDI RP-015): bank, volume, pan, and the sound and effect controllers.
KEPT_BY_RESET: Final = frozenset({0, 7, 10, 32, 39, 42, *range(70, 80), *range(91, 96)})
_RESET: Final = int.from_bytes(
    bytes(0 if number in KEPT_BY_RESET or number >= FIRST_MODE_MESSAGE else UNSET for number in range(128))
)
"""The bits that are set in controllers that a reset unsets: a loop over them would cost ten times more."""


def is_of_a_key(message: ChannelMessage) -> bool:
    """Whether it says of one key that it goes down or up, or how hard it is pressed on."""
    return message[0] & 0xF0 in OF_A_KEY


def as_blocks(slot: bytes, messages: Sequence[ChannelMessage], at_ms: int | None = None) -> Iterator[bytes]:
    """The wire's blocks for messages of this `slot` (two bytes), due at `at_ms` of the server's clock, or now."""
    base = ((server_ms() if at_ms is None else at_ms) & 0xFFFFFFFF).to_bytes(4, "little")
    for start in range(0, len(messages), MAX_BLOCK_EVENTS):
        chunk = messages[start : start + MAX_BLOCK_EVENTS]
        yield b"".join((slot, bytes((len(chunk),)), base, *(bytes((0, 0, *message)) for message in chunk)))


def unpacked(packed: bytes) -> list[ChannelMessage]:
    """The messages that `NoteState.packed` has."""
    return [*_MESSAGE.iter_unpack(packed)]


def fair_level(sizes: Sequence[int], most: int) -> int:
    """How much each of them may have so that all together have no more than `most`; who wants less has all of it."""
    left = most
    for number, size in enumerate(sorted(sizes)):
        level = left // (len(sizes) - number)
        if size > level:
            return level
        left -= size
    return most


class _Channel:
    """One MIDI channel. The arrays are indexed by key and by controller number.

    Local Control (122) is not kept: it is about an instrument's own keys, and every listener's are their own.
    """

    __slots__ = (
        "bank", "bend", "controllers", "is_lower_first", "omni", "parameters", "pressure", "program", "velocities",
        "voices",
    )  # fmt: skip

    def __init__(self) -> None:
        self.velocities: bytearray | FollowedKeys = bytearray(128)
        # Modes as they came: whether an instrument hears all channels, and whether it plays one key at a time.
        self.omni: tuple[int, int] | None = None
        self.voices: tuple[int, int] | None = None
        self.controllers = bytearray([UNSET]) * 128
        # Where an upper half came after its lower half, which it clears (MIDI 1.0), though not in all instruments.
        self.is_lower_first = bytearray(LOWER)
        self.parameters: Parameters | None = None
        self.program = UNSET
        self.bank: list[tuple[int, int]] = []  # in which the program was chosen, as controllers and their values
        self.pressure = 0
        self.bend = BEND_CENTRE

    def control(self, number: int, value: int) -> None:
        if FIRST_SINGLE <= number <= LAST_SINGLE:
            self.controllers[number] = value
        elif number in PARAMETER_CONTROLLERS:
            if self.parameters is None:
                self.parameters = Parameters()
            self.parameters.control(number, value)
        elif number < FIRST_MODE_MESSAGE:
            self.controllers[number] = value
            if number < 2 * LOWER:
                self.is_lower_first[number % LOWER] = number < LOWER
        elif number == RESET_ALL_CONTROLLERS:
            self._reset()
        elif number in ALL_NOTES_OFF:
            if number in OMNI:
                self.omni = (number, value)
            elif number >= MONO:
                self.voices = (number, value)
            self._forget_keys()

    def _forget_keys(self) -> None:
        is_mono = self.voices is not None and self.voices[0] == MONO
        self.velocities = FollowedKeys() if is_mono else bytearray(128)

    def press(self, key: int, pressure: int) -> None:
        """A polyphonic key pressure."""
        if isinstance(self.velocities, bytearray):
            self.velocities = FollowedKeys(self.velocities)
        self.velocities.press(key, pressure)

    def _reset(self) -> None:
        self.controllers[:] = (int.from_bytes(self.controllers) | _RESET).to_bytes(128)
        if self.parameters is not None:
            self.parameters.deselect()
        self.pressure = 0
        self.bend = BEND_CENTRE
        if isinstance(self.velocities, FollowedKeys):
            self.velocities.ease()

    def choose(self, program: int) -> None:
        """A program change: it takes the program from the bank in force (MIDI 1.0)."""
        self.program = program
        self.bank = self._bank()

    def _bank(self) -> list[tuple[int, int]]:
        order = reversed(BANK) if self.is_lower_first[BANK[0]] else BANK
        return [(number, self.controllers[number]) for number in order if self.controllers[number] != UNSET]

    def held(self) -> list[int]:
        """The keys that are down, where their order counts in that order."""
        if isinstance(self.velocities, FollowedKeys):
            return self.velocities.down()
        return [key for key, velocity in enumerate(self.velocities) if velocity]

    @property
    def size(self) -> int:
        """How many messages it takes to bring a fresh channel here, at most."""
        keys = self.velocities
        down = len(keys) if isinstance(keys, FollowedKeys) else len(keys) - keys.count(0)
        entered = 0 if self.parameters is None else self.parameters.size
        is_set = len(self.controllers) - self.controllers.count(UNSET)
        return SINGLE_MESSAGES + len(self.bank) + down + is_set + entered

    def messages(self, channel: int) -> Iterator[ChannelMessage]:
        """What brings a fresh channel here: modes, which end notes, then settings, then notes, to sound with them."""
        modes = (mode for mode in (self.omni, self.voices) if mode is not None)
        yield from ((CONTROL_CHANGE | channel, *mode) for mode in modes)
        yield from self._programs(channel)
        yield from self._settings(channel, PLAIN_CONTROLLERS)
        if self.parameters is not None:
            yield from self.parameters.messages(channel)
        if self.bend != BEND_CENTRE:
            yield (PITCH_BEND | channel, *self.bend)
        if self.pressure:
            yield CHANNEL_PRESSURE | channel, self.pressure, 0
        yield from ((NOTE_ON | channel, key, self.velocities[key]) for key in self.held())
        if isinstance(self.velocities, FollowedKeys):
            yield from ((POLY_PRESSURE | channel, *each) for each in self.velocities.pressures())

    def _programs(self, channel: int) -> Iterator[ChannelMessage]:
        """The bank of the program, the program, then the bank of the next one."""
        bank = self._bank()
        if self.program != UNSET:
            yield from ((CONTROL_CHANGE | channel, *each) for each in self.bank)
            yield PROGRAM_CHANGE | channel, self.program, 0
        if self.program == UNSET or bank != self.bank:
            yield from ((CONTROL_CHANGE | channel, *each) for each in bank)

    def _settings(self, channel: int, numbers: Iterable[int]) -> Iterator[ChannelMessage]:
        for number in numbers:
            value = self.controllers[number]
            if value == UNSET:
                continue
            if number < LOWER and self.is_lower_first[number] and self.controllers[number + LOWER] != UNSET:
                yield CONTROL_CHANGE | channel, number + LOWER, self.controllers[number + LOWER]
            if not (LOWER <= number < 2 * LOWER and self.is_lower_first[number - LOWER]):
                yield CONTROL_CHANGE | channel, number, value

    def ends(self, kind: int, data1: int, data2: int) -> bool:
        if kind == NOTE_OFF or (kind == NOTE_ON and not data2):
            return self.velocities[data1] > 0
        if kind == PITCH_BEND:
            return (data1, data2) == BEND_CENTRE != self.bend
        if kind != CONTROL_CHANGE:
            return False
        if data1 in PEDALS:
            return data2 < PEDAL_DOWN and self._is_down(data1)
        if data1 == RESET_ALL_CONTROLLERS:
            return self.bend != BEND_CENTRE or any(map(self._is_down, PEDALS))
        return data1 in ALL_NOTES_OFF and any(self.velocities)

    def _is_down(self, pedal: int) -> bool:
        return PEDAL_DOWN <= self.controllers[pedal] != UNSET

    def release(self, channel: int, many_keys: int) -> list[ChannelMessage]:
        """What lets go of everything that goes on sounding, and forget it."""
        messages: list[ChannelMessage]
        if KEYS - bytes(self.velocities).count(0) > many_keys:
            messages = [(CONTROL_CHANGE | channel, NOTES_OFF, 0)]
        else:
            messages = [(NOTE_OFF | channel, key, 0) for key in self.held()]
        self._forget_keys()
        for pedal in PEDALS:
            if self.controllers[pedal] not in (0, UNSET):
                messages.append((CONTROL_CHANGE | channel, pedal, 0))
                self.controllers[pedal] = 0
        if self.bend != BEND_CENTRE:
            messages.append((PITCH_BEND | channel, *BEND_CENTRE))
            self.bend = BEND_CENTRE
        return messages


class NoteState:
    """Sixteen channels, each made when it is first used."""

    __slots__ = ("_channels", "_packed", "_packed_most", "_size")

    def __init__(self) -> None:
        self._channels: list[_Channel | None] = [None] * 16
        self._size = UNKNOWN
        self._packed: bytes = b""
        self._packed_most = UNKNOWN

    def apply(self, payload: bytes, start: int) -> None:
        """Take in the checked five-byte events of `payload` from byte `start` on. On the hot path."""
        self._size = UNKNOWN
        channels = self._channels
        for at in range(start + 2, len(payload), EVENT_SIZE):
            status = payload[at]
            channel = channels[status & 0x0F]
            if channel is None:
                channel = channels[status & 0x0F] = _Channel()
            kind = status & 0xF0
            if kind == NOTE_ON:
                channel.velocities[payload[at + 1]] = payload[at + 2]
            elif kind == NOTE_OFF:
                channel.velocities[payload[at + 1]] = 0
            elif kind == CONTROL_CHANGE:
                channel.control(payload[at + 1], payload[at + 2])
            elif kind == PITCH_BEND:
                channel.bend = (payload[at + 1], payload[at + 2])
            elif kind == PROGRAM_CHANGE:
                channel.choose(payload[at + 1])
            elif kind == CHANNEL_PRESSURE:
                channel.pressure = payload[at + 1]
            elif kind == POLY_PRESSURE:
                channel.press(payload[at + 1], payload[at + 2])

    def snapshot(self) -> list[ChannelMessage]:
        """The messages that, played in order, bring a synthesizer to this state."""
        return [
            message
            for number, channel in enumerate(self._channels)
            if channel is not None
            for message in channel.messages(number)
        ]

    @property
    def size(self) -> int:
        """How many messages a snapshot has, at most."""
        if self._size == UNKNOWN:
            self._size = sum(channel.size for channel in self._channels if channel is not None)
            self._packed_most = UNKNOWN
        return self._size

    def packed(self, most: int) -> bytes:
        """The snapshot, three bytes a message: the same object until something changes.

        If it has more messages than `most`, as much of each channel as fits. A key that is left out was struck before
        whoever has it from here came, and is let go for them, too; so nothing sounds on that should not.
        """
        size = self.size
        if self._packed_most != min(size, most):
            self._packed_most = min(size, most)
            self._packed = bytes(chain.from_iterable(self._parts(min(size, most))))
        return self._packed

    def _parts(self, most: int) -> Iterator[ChannelMessage]:
        used = [(number, channel) for number, channel in enumerate(self._channels) if channel is not None]
        level = fair_level([channel.size for _, channel in used], most)
        return chain.from_iterable(islice(channel.messages(number), level) for number, channel in used)

    def ends(self, message: ChannelMessage) -> bool:
        """Whether `message` ends something that would go on sounding without it: a key, a pedal, a bend."""
        status, data1, data2 = message
        channel = self._channels[status & 0x0F]
        return channel is not None and channel.ends(status & 0xF0, data1, data2)

    def way_back(self, there: "NoteState") -> list[ChannelMessage]:
        """What takes back the parameters that are entered or selected here, as far as `there` has not the same."""
        return [
            message
            for number, (channel, other) in enumerate(zip(self._channels, there._channels, strict=True))
            if channel is not None and channel.parameters is not None
            for message in channel.parameters.taken_back(number, None if other is None else other.parameters)
        ]

    def release(self, many_keys: int = KEYS) -> list[ChannelMessage]:
        """The messages that end every held note, lift the pedals and centre the bend; the state follows.

        Of a channel where more than `many_keys` are down all are let go with one message.
        """
        self._size = UNKNOWN
        return [
            message
            for number, channel in enumerate(self._channels)
            if channel is not None
            for message in channel.release(number, many_keys)
        ]


class HeldNotes:
    """What a player holds, message by message: the same rules as the server's, for one who plays or listens.

    Args:
        messages: what leads to the state from nothing, such as `changes_to` or `settings` return.
    """

    __slots__ = ("_state",)

    def __init__(self, messages: Iterable[ChannelMessage] = ()) -> None:
        self._state = NoteState()
        for message in messages:
            self.apply(message)

    def apply(self, message: ChannelMessage) -> None:
        """Take in one channel message, in the order in which it is played."""
        self._state.apply(bytes((0, 0, *message)), 0)

    def release(self) -> list[ChannelMessage]:
        """The messages that let go of everything; nothing is held afterwards."""
        return self._state.release()

    def settings(self) -> list[ChannelMessage]:
        """The messages that bring another player's instrument here, but for the keys."""
        return [message for message in self._state.snapshot() if not is_of_a_key(message)]

    def changes_to(self, state: Sequence[ChannelMessage]) -> tuple[list[ChannelMessage], list[ChannelMessage]]:
        """What leads from here to `state`, the server's word: the messages that end something, and what begins.

        Of messages whose order has meaning all are said again if one of them is another. So are the keys of a channel
        whose mode is another, which ends them, those of one in mono mode if their order is another, and the pressure
        of a key that is struck again.
        """
        here = self._state.snapshot()
        known, wanted = _by_subject(here), _by_subject(state)
        new = [message for message in state if known.get(_subject(message)) != wanted[_subject(message)]]
        silenced = {message[0] & 0x0F for message in new if _is_mode(message)}
        mono = {channel for channel in map(_mono, state) if _struck(here, channel) != _struck(state, channel)}
        struck = {_key(message) for message in new if message[0] & 0xF0 == NOTE_ON}

        def is_again(message: ChannelMessage) -> bool:
            return is_of_a_key(message) and (message[0] & 0x0F in silenced | mono or _key(message) in struck)

        begins = [message for message in state if message in new or is_again(message)]
        over = HeldNotes(message for message in here if message not in state or is_again(message))
        eased = [(*subject, 0) for subject in known.keys() - wanted.keys() if subject[0] & 0xF0 in PRESSURES]
        return [*over.release(), *sorted(eased)], begins


def _is_mode(message: ChannelMessage) -> bool:
    return message[0] & 0xF0 == CONTROL_CHANGE and message[1] in ALL_NOTES_OFF


def _mono(message: ChannelMessage) -> int | None:
    """The channel that a message puts into mono mode."""
    return message[0] & 0x0F if message[0] & 0xF0 == CONTROL_CHANGE and message[1] == MONO else None


def _struck(messages: Iterable[ChannelMessage], channel: int | None) -> list[ChannelMessage]:
    """The note-ons of a channel, in their order."""
    return [message for message in messages if channel is not None and message[0] == NOTE_ON | channel]


def _key(message: ChannelMessage) -> tuple[int, int]:
    return message[0] & 0x0F, message[1]


def _by_subject(messages: Iterable[ChannelMessage]) -> dict[tuple[int, int], list[ChannelMessage]]:
    subjects: dict[tuple[int, int], list[ChannelMessage]] = {}
    for message in messages:
        subjects.setdefault(_subject(message), []).append(message)
    return subjects


def _subject(message: ChannelMessage) -> tuple[int, int]:
    """What a message is about: messages about the same thing have an order."""
    status, data1, _ = message
    kind = status & 0xF0
    if kind == PROGRAM_CHANGE:
        return CONTROL_CHANGE | status & 0x0F, BANK[0]
    if kind != CONTROL_CHANGE:
        return status, data1 if kind in OF_A_KEY else 0
    if data1 in OMNI or data1 >= MONO:
        return status, min(OMNI) if data1 in OMNI else MONO
    if data1 in PARAMETER_CONTROLLERS:
        return status, min(PARAMETER_CONTROLLERS)
    return status, data1 % LOWER if data1 < 2 * LOWER else data1
