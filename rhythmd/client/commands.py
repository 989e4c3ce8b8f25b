"""`rhythmd play` and `rhythmd listen` on the command line.

Exit statuses: 0 done, 1 the server refused notes, 2 wrong options or file, 3 no server there, 4 the server refused to
let us in or put us out, 5 the connection ended, 130 interrupted. Interrupting `listen` is its normal end.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import uvloop
from tqdm import tqdm

from rhythmd.client.listen import Until, listen
from rhythmd.client.play import Played, play
from rhythmd.client.recording import Recording, check_writable
from rhythmd.client.room import RoomAddress
from rhythmd.client.score import ScoreEvent, read_score

__all__ = ["add_client_commands"]

DEFAULT_URL: Final = "ws://127.0.0.1:8080/ws"
NOTES_REFUSED: Final = 1
INTERRUPTED: Final = 130
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

T = TypeVar("T")


class Commands(Protocol):
    """What `ArgumentParser.add_subparsers` returns, as far as it is used here."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser: ...  # noqa: A002 - argparse's name


def add_client_commands(commands: Commands) -> None:
    """Add both; each sets `run`, which takes the options and returns the exit status."""
    player = commands.add_parser("play", help="play a MIDI file into a room")
    player.add_argument("file", type=Path, metavar="FILE.mid", help="Standard MIDI File to play")
    player.add_argument("--speed", type=_positive, default=1.0, help="how many times as fast (default: 1)")
    _add_room_options(player)
    player.set_defaults(run=_play)
    listener = commands.add_parser("listen", help="print or record what a room plays")
    listener.add_argument("--record", type=Path, metavar="OUT.mid", help="write a Standard MIDI File, a track a player")
    listener.add_argument("--seconds", type=_positive, help="stop after so many seconds")
    listener.add_argument(
        "--until-quiet", type=_positive, metavar="SECONDS", help="stop so many seconds after the last note"
    )
    _add_room_options(listener)
    listener.set_defaults(run=_listen)


def _add_room_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--room", required=True, help="id or name of the room; 'lobby' finds a lobby")
    parser.add_argument("--url", default=DEFAULT_URL, help=f"the server (default: {DEFAULT_URL})")
    parser.add_argument("--password", help="of the room")
    parser.add_argument(
        "--create", action=argparse.BooleanOptionalAction, default=True, help="make the room if there is none (default)"
    )
    parser.add_argument("--name", help="what to be called in the room")
    parser.add_argument("--bot", action="store_true", help="say that this is a bot")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be more than 0, is {text}")
    return value


def _address(options: argparse.Namespace) -> RoomAddress:
    return RoomAddress(options.url, options.room, options.password, options.create, options.name, options.bot)


def _play(options: argparse.Namespace) -> int:
    """Raises ClientError."""
    score = read_score(options.file)
    played = uvloop.run(_until_signal(_play_with_bar(_address(options), score, options.speed)))
    if played is None:
        _tell("interrupted: everything is released")
        return INTERRUPTED
    _tell(f"{played.notes} notes played")
    if played.skipped:
        _tell(f"{played.skipped} were due while the connection was lost")
    for code, times in played.refusals.items():
        _tell(f"the server refused some of them: {code}, {times} times")
    return NOTES_REFUSED if played.refusals else 0


async def _play_with_bar(address: RoomAddress, score: Sequence[ScoreEvent], speed: float) -> Played:
    form = "{percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} s{postfix}"
    # The delay keeps the bar away until there is progress: what goes wrong before that is all the user should see.
    with tqdm(total=score[-1].due_s, bar_format=form, file=sys.stderr, delay=0.001) as bar:

        def show(position_s: float, notes: int) -> None:
            bar.set_postfix_str(f"{notes} notes", refresh=False)
            bar.update(position_s - bar.n)

        played = await play(address, score, speed, show)
        show(score[-1].due_s, played.notes)
        return played


def _listen(options: argparse.Namespace) -> int:
    """Raises ClientError. Music that was recorded is written however the listening ends."""
    path: Path | None = options.record
    if path is None:
        _run_listen(options, None)
        return 0
    check_writable(path)
    recording = Recording(options.room)
    try:
        _run_listen(options, recording)
    except Exception:
        if recording.notes:
            _save(recording, path)
        raise
    _save(recording, path)
    return 0


def _run_listen(options: argparse.Namespace, recording: Recording | None) -> None:
    until = Until(options.seconds, options.until_quiet)
    try:
        uvloop.run(_until_signal(listen(_address(options), until, recording, partial(print, flush=True))))
    except BrokenPipeError:
        # Who read our lines has gone (`| head`): that is the end, and nothing for Python to complain of at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _save(recording: Recording, path: Path) -> None:
    recording.save(path)
    _tell(f"{recording.notes} notes written to {path}")


async def _until_signal(work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`; None when SIGINT or SIGTERM cancelled it."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    for number in SIGNALS:
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return None
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _tell(text: str) -> None:
    sys.stderr.write(f"rhythmd: {text}\n")
