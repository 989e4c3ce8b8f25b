"""`rhythmd play` and `rhythmd listen` in two processes, over a server in a third."""

import asyncio
import contextlib
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from random import Random
from typing import Final

import pytest
from mido import Message, MidiFile, MidiTrack

from bench.faults.proxy import Proxy, open_proxy
from rhythm_protocol.midi import NOTE_ON
from rhythmd.client.score import ScoreEvent, read_score
from tests.commands.listening import is_whole
from tests.deadline import within
from tests.server import ServerProcess, Spawn, server_environment

PIECES: Final = sorted((Path(__file__).parents[2] / "bench" / "data").glob("*.mid"))
SPEED: Final = 20.0
WORST_MS: Final = 5.0
IN_TIME: Final = 0.99
INTERRUPTED: Final = 130
VOICES: Final = 4  # of the chorale

Key = tuple[int, int]
"""Status and key of a note-on or note-off."""


class Command:
    """`rhythmd` with arguments, as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def wrote(self, text: str) -> None:
        """Wait for a line of its output with `text` in it."""
        assert self._process.stdout is not None
        while text not in (line := (await within(self._process.stdout.readline())).decode(errors="replace")):
            assert line, f"it ended without {text!r}"

    async def ended(self) -> tuple[int, str]:
        """Its exit status and what it wrote to standard error."""
        _, told = await within(self._process.communicate(), 60)
        assert self._process.returncode is not None
        return self._process.returncode, told.decode()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)


@contextlib.asynccontextmanager
async def running(
    server: ServerProcess | Proxy, command: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Command]:
    """`rhythmd COMMAND` in the room Salon of `server`. Killed at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "rhythmd", command, *arguments, "--room", "Salon", "--url", f"ws://127.0.0.1:{server.port}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**server_environment(), **(environment or {})},
    )  # fmt: skip
    try:
        yield Command(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await within(process.wait())


async def score_of(path: Path) -> list[ScoreEvent]:
    return (await asyncio.to_thread(read_score, path)).events


def times_by_key(score: list[ScoreEvent], speed: float = 1.0) -> dict[Key, list[float]]:
    """When each key goes down and up, in ms since the first event, in order."""
    times: dict[Key, list[float]] = defaultdict(list)
    for due_s, (status, data1, _) in score:
        times[status, data1].append((due_s - score[0].due_s) * 1_000 / speed)
    return times


def errors_ms(played: dict[Key, list[float]], recorded: dict[Key, list[float]]) -> list[float]:
    """By how much each event of the score was recorded too early or too late. None may be missing."""
    assert {key: len(times) for key, times in played.items()} == {key: len(times) for key, times in recorded.items()}
    return [
        abs(is_ms - should_ms)
        for key, times in played.items()
        for should_ms, is_ms in zip(times, recorded[key], strict=True)
    ]


def late_or_unknown(played: dict[Key, list[float]], recorded: dict[Key, list[float]]) -> list[Key]:
    """Note-ons of the recording that stand in the score at no such moment."""
    return [
        key
        for key, times in recorded.items()
        for is_ms in times
        if key[0] & 0xF0 == NOTE_ON and min(abs(is_ms - should_ms) for should_ms in played[key]) > WORST_MS
    ]


async def held_note(folder: Path) -> Path:
    """A MIDI file with one note of ten minutes."""
    track = MidiTrack([Message("note_on", note=60, velocity=100), Message("note_off", note=60, time=480 * 1_200)])
    path = folder / "long.mid"
    await asyncio.to_thread(MidiFile(tracks=[track]).save, path)
    return path


async def made(path: Path, track: str) -> Path:
    """A file of one track, of these bytes."""
    events = bytes.fromhex(track)
    head = bytes.fromhex("4d546864 00000006 0000 0001 01e0 4d54726b")
    await asyncio.to_thread(path.write_bytes, head + len(events).to_bytes(4, "big") + events)
    return path


async def test_play_says_what_is_wrong_with_a_file_and_plays_it(spawn: Spawn, tmp_path: Path) -> None:
    server = await spawn()
    file = await made(tmp_path / "odd.mid", "00f9 00ff5103000000 00903c64 60803c40 00ff2f00")
    async with running(server, "play", str(file)) as player:
        status, told = await player.ended()
    lines = told.replace("\r", "\n").splitlines()
    assert status == 0
    odd = "a system common or real-time message has no place in a file and is left out"
    assert lines[0] == f"rhythmd: {file}: byte 23: {odd}"
    assert lines[1] == f"rhythmd: {file}: byte 25: a tempo of 0 is left out"
    assert lines[-1] == "rhythmd: 1 notes played"


async def test_play_of_a_flood_ends_with_what_to_do(spawn: Spawn, tmp_path: Path) -> None:
    server = await spawn("quota.other_events=1000")
    file = await made(tmp_path / "flood.mid", "00e00040" * 9_000 + "8f00 903c64 60803c40 00ff2f00")
    async with running(server, "play", str(file)) as player:
        status, told = await player.ended()
    assert status == 5
    assert "Traceback" not in told
    assert "play it slower (--speed 0.5), or in a room that allows black MIDI" in told


async def test_play_over_the_quota_says_what_to_do(spawn: Spawn, tmp_path: Path) -> None:
    server = await spawn("quota.owner_allowance=5", "quota.owner_maximum=5")
    file = await made(tmp_path / "many.mid", "00903c64" * 50 + "60803c40 00ff2f00")
    async with running(server, "play", str(file)) as player:
        status, told = await player.ended()
    assert status == 1
    assert "quota-exceeded, 1 times; play it slower" in told


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.stem)
async def test_recording_holds_every_note_in_time(piece: Path, spawn: Spawn, tmp_path: Path) -> None:
    server = await spawn()
    record = tmp_path / "out.mid"
    async with running(server, "listen", "--record", str(record)) as listener:
        await listener.wrote("joined: ")
        async with running(server, "play", str(piece), "--speed", str(SPEED), "--name", "Clara") as player:
            status, told = await player.ended()
        assert (status, "notes played" in told) == (0, True), told
        await listener.wrote("leaves (left)")
        listener.signal(signal.SIGINT)
        assert (await listener.ended())[0] == 0
    errors = errors_ms(times_by_key(await score_of(piece), SPEED), times_by_key(await score_of(record)))
    assert sum(error < WORST_MS for error in errors) >= IN_TIME * len(errors)


async def test_play_interrupted_releases_what_it_holds(spawn: Spawn, tmp_path: Path) -> None:
    server = await spawn()
    async with running(server, "listen") as listener:
        await listener.wrote("joined: ")
        async with running(server, "play", str(await held_note(tmp_path))) as player:
            await listener.wrote("note on   C4")
            player.signal(signal.SIGINT)
            assert (await player.ended())[0] == INTERRUPTED
        await listener.wrote("note off  C4")
        await listener.wrote("leaves (left)")


async def test_both_go_on_after_resets(spawn: Spawn, tmp_path: Path) -> None:
    server = await spawn()
    piece, record = PIECES[0], tmp_path / "out.mid"
    async with (
        open_proxy(server.port, Random(1)) as players,
        open_proxy(server.port, Random(2)) as listeners,
        running(listeners, "listen", "--record", str(record)) as listener,
    ):
        await listener.wrote("joined: ")
        async with running(players, "play", str(piece), "--speed", "4", "--name", "Clara") as player:
            await listener.wrote("note on")
            for proxy in (listeners, players):
                proxy.reset()
                await listener.wrote("resumed: " if proxy is listeners else "note off")
                await listener.wrote("note on")
            status, told = await player.ended()
        assert (status, "were due while the connection was lost" in told) == (0, True), told
        await listener.wrote("leaves (left)")
        listener.signal(signal.SIGINT)
        assert (await listener.ended())[0] == 0
    score, heard = await score_of(piece), await score_of(record)
    assert is_whole(heard)
    # What began while the listener was away, at most a note a voice, begins with its return.
    assert len(late_or_unknown(times_by_key(score, 4), times_by_key(heard))) <= VOICES


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_listen_interrupted_writes_a_whole_file(number: signal.Signals, spawn: Spawn, tmp_path: Path) -> None:
    server = await spawn()
    record = tmp_path / "out.mid"
    async with (
        running(server, "listen", "--record", str(record)) as listener,
        running(server, "play", str(await held_note(tmp_path))),
    ):
        await listener.wrote("note on   C4")
        listener.signal(number)
        status, told = await listener.ended()
    assert (status, told) == (0, f"rhythmd: 1 notes written to {record}\n")
    assert [event.message for event in await score_of(record)] == [(0x90, 60, 100), (0x80, 60, 0)]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
async def test_listen_shows_every_name_on_every_terminal(encoding: str, spawn: Spawn, tmp_path: Path) -> None:
    server = await spawn()
    async with (
        running(server, "listen", environment={"PYTHONIOENCODING": encoding}) as listener,
        running(server, "play", str(await held_note(tmp_path)), "--name", "Zoë 🎹"),
    ):
        await listener.wrote("\\U0001f3b9")
        await listener.wrote("note on   C4")
        listener.signal(signal.SIGINT)
        assert await listener.ended() == (0, "")


async def test_play_without_the_file_ends_with_an_error(spawn: Spawn, tmp_path: Path) -> None:
    async with running(await spawn(), "play", str(tmp_path / "nothing.mid")) as player:
        status, told = await player.ended()
    assert status == 2
    assert told.startswith("rhythmd: cannot read ")


async def test_play_refused_join_ends_with_an_error(spawn: Spawn) -> None:
    async with running(await spawn(), "play", str(PIECES[0]), "--no-create") as player:
        status, told = await player.ended()
    assert (status, told) == (4, "rhythmd: the server refused join-room: there is no such room (room-not-found)\n")
