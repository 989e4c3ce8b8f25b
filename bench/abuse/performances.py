"""Sheets that the server plays in rooms: what it plays costs those who start it nothing."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from time import monotonic
from typing import Final

import msgspec

from bench.abuse.attacker import ALLOWED_PER_S, Attack, Attacker
from bench.abuse.wire import Line, TurnedAway, ask, said
from bench.abuse.words import API, bearer, message, request

__all__ = ["ATTACKS"]

_ACCOUNTS: Final = 9
_ROOMS: Final = 5  # of each account, in which sheets are played: its share of them
_BOUNDARY: Final = "1f0e3dad99908345f7439f8ffabdffc4"
_FORM: Final = ("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
_SECONDS: Final = 100
_CHANNELS: Final = 16
_KEYS: Final = 100
_CONTROLLERS: Final = 96  # a bank, a pedal, and what else a synthesizer has


@cache
def _dense() -> bytes:
    """A MIDI file in which a key is pressed or released every millisecond, on channels with all controllers set."""
    events = bytearray(b"\x00\xff\x51\x03\x0f\x42\x40")  # a second a quarter, and so a millisecond a tick
    for channel in range(_CHANNELS):
        for controller in range(_CONTROLLERS):
            events += bytes((0, 0xB0 | channel, controller, 1 + controller))
    for number in range(_SECONDS * 1_000):
        channel = number % _CHANNELS
        key, is_on = number // _CHANNELS % _KEYS, number // (_CHANNELS * _KEYS) % 2 == 0
        events += bytes((1, (0x90 if is_on else 0x80) | channel, key, 64))
    events += b"\x00\xff\x2f\x00"
    head = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01" + (1_000).to_bytes(2)
    return head + b"MTrk" + len(events).to_bytes(4) + bytes(events)


async def _upload(attacker: Attacker, token: str) -> str:
    """The id of a dense sheet of this account. Raises TurnedAway, OSError or TimeoutError."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.mid"\r\n\r\n'
    body = head.encode() + _dense() + f"\r\n--{_BOUNDARY}--\r\n".encode()
    line = await attacker.line()
    try:
        status, answer = await ask(line, request("POST", f"{API}/sheet_music/upload", body, (bearer(token), _FORM)))
    finally:
        line.leave()
    if status != 201:
        raise TurnedAway(f"no sheet: HTTP {status}")
    sheet: str = msgspec.json.decode(answer)["id"]
    return sheet


async def _stages(attacker: Attacker) -> list[tuple[Line, str]]:
    """Sockets of some accounts, each in a room of its own, in which the account's sheet is played."""
    async with asyncio.TaskGroup() as tasks:
        opened = [tasks.create_task(_stages_of(attacker, account)) for account in range(_ACCOUNTS)]
    return [stage for task in opened for stage in task.result()]


async def _stages_of(attacker: Attacker, account: int) -> list[tuple[Line, str]]:
    stages = []
    with suppress(OSError, TimeoutError):
        token = await attacker.account_token(f"Conductor{attacker.number}x{account}") or ""
        sheet = await _upload(attacker, token)
        for number in range(_ROOMS):
            line = await attacker.member(f"stage {attacker.number} {account} {number}", token=token)
            await said(line, message("sheet-play", {"sheet": sheet}, 2))
            stages.append((line, sheet))
    return stages


async def _sheets(attacker: Attacker) -> None:
    """As many rooms as may play the densest sheet that there can be."""
    await _stages(attacker)
    await asyncio.sleep(attacker.end - monotonic())


async def _always(attacker: Attacker, line: Line, pieces: Sequence[bytes]) -> None:
    """Say all of this in turn for as long as the socket is open."""
    with suppress(OSError):
        await attacker.pace(line, pieces, ALLOWED_PER_S)


async def _seeks(attacker: Attacker) -> None:
    """The same rooms, and each goes on at another place all the time."""
    places = [message("sheet-seek", {"position_ms": 1_000 * second, "speed": 2.0}) for second in range(_SECONDS)]
    async with asyncio.TaskGroup() as tasks:
        for line, _ in await _stages(attacker):
            tasks.create_task(_always(attacker, line, places))


async def _starts(attacker: Attacker) -> None:
    """The same rooms begin their sheets anew all the time."""
    async with asyncio.TaskGroup() as tasks:
        for line, sheet in await _stages(attacker):
            tasks.create_task(_always(attacker, line, [message("sheet-play", {"sheet": sheet}, 2)]))


ATTACKS: Final[dict[str, Attack]] = {
    "sheets that play": Attack("45 rooms of nine accounts play a sheet of 1,000 events a second", _sheets),
    "places in sheets": Attack("45 rooms go on at another place of such a sheet 48 times a second", _seeks),
    "sheets begun anew": Attack("45 rooms begin such a sheet 48 times a second", _starts),
}
