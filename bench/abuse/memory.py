"""What waits: for a client that is gone or does not read, for a thread, for the end of a recording."""

import asyncio
import re
from itertools import count
from typing import Final

from bench.abuse.attacker import ALLOWED_PER_S, SOCKETS, Attack, Attacker
from bench.abuse.wire import Line, open_socket, said
from bench.abuse.words import API, BIN, CROWD, JSON, JSON_BODY, MASK, message, part, request, upgrade
from rhythm_protocol.binary import encode_midi
from rhythm_protocol.midi import MAX_BLOCK_EVENTS, NOTE_OFF, NOTE_ON, MidiEvent
from rhythm_protocol.websocket import BINARY, TEXT, client_frame
from rhythmd.client.codec import encode_text

__all__ = ["ATTACKS"]

_BLACK: Final = {**CROWD, "allow_black_midi": True, "allow_replay": True}
_CHAT: Final = tuple(message("chat-message", {"content": f"{number} " + "la" * 240}) for number in range(10))
_KEYS: Final = MAX_BLOCK_EVENTS // 2
_PAIRS: Final = client_frame(
    BINARY,
    encode_midi(0, [MidiEvent(0, kind, key, 64) for key in range(_KEYS) for kind in (NOTE_ON, NOTE_OFF)]),
    MASK,
)
_CONTROLS: Final = client_frame(
    BINARY, encode_midi(0, [MidiEvent(0, 0xB0, 1 + n % 60, n % 128) for n in range(MAX_BLOCK_EVENTS)]), MASK
)
_BENDS: Final = client_frame(BINARY, encode_midi(0, [MidiEvent(0, 0xE0, n % 128, 64) for n in range(200)]), MASK)
_ENDLESS: Final = part(BINARY, b"x" * 60_000, is_final=False)
_HALF: Final = 30_000
_QUOTA_FRAMES_PER_S: Final = 4_000 / _KEYS
_TALKERS: Final = 5
_LOGS: Final = 10
_RESUMED: Final = re.compile(rb"recovered")
_SESSION: Final = re.compile(rb"\xa7session[\xb0-\xbf](.{22})", re.DOTALL)


async def _record_last(attacker: Attacker) -> None:
    """A room full of notes, of which each member asks for recordings as often as the burst allows."""
    room = f"replay {attacker.number}"
    player = await attacker.member(room, _BLACK)
    asked = b"".join(message("record-last", {}) for _ in range(40))

    async def one(number: int) -> None:
        if number == 0:
            await attacker.pace(player, (_PAIRS,), _QUOTA_FRAMES_PER_S)
            return
        line = await attacker.member(room, _BLACK)
        await asyncio.sleep(1.0)
        line.write(asked)
        await said(line, message("typing", {"typing": True}, 2))
        await asyncio.sleep(0.5)
        line.leave()

    await attacker.everywhere(one, 20)


async def _lost_sessions(attacker: Attacker) -> None:
    """Talking rooms that many enter and leave without a word; what is said is kept for each of them."""

    async def one(number: int) -> None:
        line = await attacker.member(f"lost {attacker.number} {number % _TALKERS}", CROWD)
        if number < _TALKERS:
            await attacker.pace(line, _CHAT, ALLOWED_PER_S)
        line.leave()

    await attacker.everywhere(one)


async def _unconfirmed(attacker: Attacker) -> None:
    """Members of a talking room who never answer a ping, so that all is kept for them."""
    await _slow_room(attacker, reads=True)


async def _unread(attacker: Attacker) -> None:
    """Members of a talking room who read nothing at all."""
    await _slow_room(attacker, reads=False)


async def _slow_room(attacker: Attacker, *, reads: bool) -> None:
    async def one(number: int) -> None:
        line = await attacker.member(f"slow {attacker.number}", CROWD, answers_pings=False)
        try:
            if number == 0:
                await attacker.pace(line, _CHAT, ALLOWED_PER_S)
            elif not reads:
                line.transport.pause_reading()
            await line.lost()
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _black_midi(attacker: Attacker) -> None:
    """As many notes as a room that allows black MIDI takes, to 45 who read and 5 who do not."""

    async def one(number: int) -> None:
        line = await attacker.member(f"black {attacker.number}", _BLACK)
        try:
            if number >= SOCKETS - 5:
                line.transport.pause_reading()
                await line.lost()
            await attacker.pace(line, (_PAIRS,), _QUOTA_FRAMES_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _controllers(attacker: Attacker) -> None:
    """Controllers and bends, just what does not get one closed."""

    async def one(_number: int) -> None:
        line = await attacker.member(f"wheels {attacker.number}", CROWD)
        try:
            await attacker.pace(line, (_CONTROLS, _BENDS), 1_900 / 227)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _controller_flood(attacker: Attacker) -> None:
    """The same without a bound."""

    async def one(_number: int) -> None:
        line = await attacker.member(f"wheels {attacker.number}", CROWD)
        try:
            await attacker.flood(line, _CONTROLS * 20)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _recorders(attacker: Attacker) -> None:
    """Each in a room of its own that is recorded, with all the notes that it may play."""
    numbers = count()

    async def one(_number: int) -> None:
        line = await attacker.member(f"taped {attacker.number} {next(numbers)}", _BLACK)
        try:
            line.write(message("record", {"on": True}))
            await attacker.pace(line, (_PAIRS,), _QUOTA_FRAMES_PER_S)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _all_that_waits(attacker: Attacker) -> None:
    """Everything at once that is kept for somebody: what is not read, not confirmed, not ended, not recorded yet."""
    room, names = f"heap {attacker.number}", count()

    async def talks(line: Line) -> None:
        await attacker.pace(line, _CHAT, ALLOWED_PER_S)

    async def plays(line: Line) -> None:
        await attacker.pace(line, (_PAIRS,), _QUOTA_FRAMES_PER_S)

    async def reads_nothing(line: Line) -> None:
        line.transport.pause_reading()
        await line.lost()

    async def ends_nothing(line: Line) -> None:
        line.write(_ENDLESS)
        await line.lost()

    async def asks(line: Line) -> None:
        await attacker.pace(line, (message("record-last", {}),), 2.0)

    async def goes(_line: Line) -> None:
        """Its session is kept for it."""

    async def one(number: int) -> None:
        if number % 8 == 0:
            await _half_a_body(attacker)
            return
        act = (talks, plays, reads_nothing, ends_nothing, asks, goes)[number % 6]
        where = f"{room} {next(names)}" if number % 8 == 1 else room  # some make rooms
        line = await attacker.member(where, _BLACK, answers_pings=False)
        try:
            await act(line)
        finally:
            line.leave()

    await attacker.everywhere(one)


async def _resumes(attacker: Attacker) -> None:
    """Sessions with much that was never confirmed are taken over again and again, in one encoding after the other."""
    room = f"logs {attacker.number}"
    keys: list[str] = []
    for _ in range(_LOGS):
        line = await attacker.line(answers_pings=False)
        line.expect()
        await open_socket(line, upgrade("/ws", BIN))
        found = _SESSION.search(await line.hear(_SESSION))
        assert found is not None
        keys.append(found[1].decode())
        await said(line, message("join-room", {"room": room, "create": True, "settings": CROWD}, 1))
    talker = await attacker.member(room)

    async def one(number: int) -> None:
        is_binary = number % 2
        line = await attacker.line(answers_pings=False)
        try:
            await open_socket(line, upgrade("/ws", BIN if is_binary else JSON))
            claim = {"session": keys[number % _LOGS], "received": 3}
            text = client_frame(TEXT, encode_text("resume", claim, 1), MASK)
            line.expect()
            line.write(message("resume", claim, 1) if is_binary else text)
            await line.hear(_RESUMED)
        finally:
            line.leave()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(attacker.pace(talker, _CHAT, ALLOWED_PER_S))
        tasks.create_task(attacker.everywhere(one, 3 * _LOGS))


async def _half_a_body(attacker: Attacker) -> None:
    line = await attacker.line()
    try:
        whole = request("POST", f"{API}/auth/guest", b" " * _HALF * 2, (JSON_BODY,))
        line.write(whole[:-_HALF])
        await line.lost()
    finally:
        line.leave()


ATTACKS: Final[dict[str, Attack]] = {
    "record-last": Attack("19 members ask for recordings of a dense room, 40 at once", _record_last),
    "lost sessions": Attack("45 at a time enter rooms where much is said, and go without a word", _lost_sessions),
    "nothing confirmed": Attack("49 who never answer a ping are told long lines, 48 a second", _unconfirmed),
    "nothing read": Attack("49 who read nothing are told long lines, 48 a second", _unread),
    "black MIDI": Attack("50 in a room that allows black MIDI play all that they may, 5 do not read", _black_midi),
    "controllers": Attack("50 in a room move wheels as often as they may", _controllers),
    "controllers, unbounded": Attack("50 in a room move wheels as fast as they can", _controller_flood),
    "50 recordings at once": Attack("50 recorded rooms with all the notes that a player may play", _recorders),
    "resumes of full logs": Attack("10 sessions that lose all that is said are resumed again and again", _resumes),
    "all that waits": Attack("50 connections fill the memory with all that is kept for somebody", _all_that_waits),
}
