"""`rhythmd play` and `rhythmd listen` at a terminal.

Exit statuses: 0 done, 1 the server refused notes, 2 wrong options or file, 3 no server there, 4 the server refused to
let us in or put us out, 5 the connection ended, 130 interrupted. Interrupting `listen` is its normal end.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import uvloop
from tqdm import tqdm

from rhythm_protocol.errors import ErrorCode
from rhythmd.client.errors import PLAY_LESS
from rhythmd.client.listen import Until, listen
from rhythmd.client.play import Played, play
from rhythmd.client.recording import Recording, check_writable
from rhythmd.client.room import RoomAddress
from rhythmd.client.score import ScoreEvent, read_score
from rhythmd.terminal import INTERRUPTED, complain, let_go_of_output, printable

__all__ = ["run_listen", "run_play"]

NOTES_REFUSED: Final = 1
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

T = TypeVar("T")


def _address(options: argparse.Namespace) -> RoomAddress:
    return RoomAddress(options.url, options.room, options.password, options.create, options.name, options.bot)


def run_play(options: argparse.Namespace) -> int:
    """Play a file; the exit status. Raises ClientError."""
    score = read_score(options.file)
    for warning in score.warnings:
        complain(f"{options.file}: {warning}")
    played = uvloop.run(_until_signal(_play_with_bar(_address(options), score.events, options.speed)))
    if played is None:
        complain("interrupted: everything is released")
        return INTERRUPTED
    complain(f"{played.notes} notes played")
    if played.skipped:
        complain(f"{played.skipped} were due while the connection was lost")
    for code, times in played.refusals.items():
        advice = f"; {PLAY_LESS}" if code == ErrorCode.QUOTA_EXCEEDED else ""
        complain(f"the server refused some of them: {code}, {times} times{advice}")
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


def run_listen(options: argparse.Namespace) -> int:
    """Listen; the exit status. Music that was recorded is written however the listening ends. Raises ClientError."""
    path: Path | None = options.record
    if path is None:
        _listen(options, None)
        return 0
    check_writable(path)
    recording = Recording(options.room)
    try:
        _listen(options, recording)
    except Exception:
        if recording.notes:
            _save(recording, path)
        raise
    _save(recording, path)
    return 0


def _listen(options: argparse.Namespace, recording: Recording | None) -> None:
    until = Until(options.seconds, options.until_quiet)
    try:
        uvloop.run(_until_signal(listen(_address(options), until, recording, _write)))
    except BrokenPipeError:  # the reader of our lines has gone (`| head`): that is the end, as an interrupt is
        let_go_of_output()


def _write(text: str) -> None:
    print(printable(text), flush=True)


def _save(recording: Recording, path: Path) -> None:
    recording.save(path)
    complain(f"{recording.notes} notes written to {path}")


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
