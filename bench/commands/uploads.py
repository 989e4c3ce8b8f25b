"""Two hundred uploads at once beside playing rooms: what the notes feel of it, and what memory it takes.

The same rooms play twice on one server: alone, and beside the uploads. Workers run on the server's core, and the
uploads step back behind the players on theirs.
"""

import argparse
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from msgspec import Struct

from bench.load.spec import LoadResult
from bench.options import (
    METHOD,
    Cores,
    add_duration,
    add_rooms,
    add_settings,
    conditions,
    even_rooms,
    nothing_missing,
    play_on,
)
from bench.report import Measurement, Report, Table, Target
from bench.rows import chart_of, milliseconds, results_table
from bench.servers import RHYTHMD, Running, running
from bench.system import forget_peak, peak_resident_bytes, raise_open_files, resident_bytes
from bench.uploads.sending import UploadResult, UploadSpec, begin, read_result, uploads

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "two hundred uploads of sheet music at once beside playing rooms"
ALONE: Final = "alone"
BESIDE: Final = "beside uploads"
BOUND_MS: Final = 20.0
SENDER_MB: Final = 0.5
"""What each sender may cost the server, which has a buffer for each, and nobody's whole file."""
SHARED_MB: Final = 20.0
"""What the first ones make it load and allocate."""
WORKER_MB: Final = 768.0
LARGEST: Final = 4_900_000
UNLIMITED: Final = (
    "limits.requests_per_minute=1000000000",
    "limits.auth_requests_per_minute=1000000000",
    "limits.uploads_per_minute=1000000000",
    "sheets.uploads_per_day=1000000000",
    "auth.access_minutes=60",
)
LEAD_S: Final = 3.0
_STEP_BACK: Final = 19
_LOOK_S: Final = 0.05
_MB: Final = 1e6


class _Memory(Struct):
    """Resident bytes: of the server before and at its peak, and the peak of each worker that there was, by its id."""

    before: int
    peak: int
    workers: dict[int, int]


class _Watch:
    """Looks at the memory of a server and its workers until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._workers: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        forget_peak(self._pid)
        self._before = resident_bytes(self._pid)
        self._thread.start()

    def stop(self) -> _Memory:
        self._ended.set()
        self._thread.join()
        return _Memory(self._before, peak_resident_bytes(self._pid), self._workers)

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_S):
            for pid in _children(self._pid):
                with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                    self._workers[pid] = max(self._workers.get(pid, 0), peak_resident_bytes(pid))


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has just ended
            found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--uploads", type=int, default=200, help="uploads at the same time (%(default)s)")
    parser.add_argument("--largest", type=int, default=LARGEST, help="bytes of the largest file (%(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="events/s of each player (%(default)s)")
    add_rooms(parser)
    add_duration(parser, seconds=30.0)
    add_settings(parser)


def _beside(
    arguments: argparse.Namespace, server: Running, pid: int, cores: Cores
) -> tuple[LoadResult, UploadResult, _Memory]:
    """The rooms play, and while they do all senders begin."""
    rooms = even_rooms(arguments.rooms, arguments.players, arguments.rate, BESIDE)
    # The senders go on until the players have ended.
    seconds = arguments.warmup + arguments.seconds + LEAD_S
    spec = UploadSpec(server.url, arguments.uploads, arguments.largest, seconds)
    watch = _Watch(pid)
    with uploads(spec, cores.load, nice=_STEP_BACK) as senders:
        watch.start()
        timer = threading.Timer(arguments.warmup + LEAD_S, begin, [senders])
        timer.start()
        played = play_on(server, rooms, arguments, cores, BESIDE)
        timer.join()
        sent = read_result(senders)
    return played, sent, watch.stop()


def _left_over(pid: int) -> int:
    """Scratch files that are still open when all is answered."""
    deadline = monotonic() + 10.0
    while (count := _scratch_files(pid)) and monotonic() < deadline:
        sleep(_LOOK_S)
    return count


def _scratch_files(pid: int) -> int:
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(entry.readlink()))
    return sum("/scratch/" in link for link in links)


def _memory_table(memory: _Memory, at_once: int) -> Table:
    workers = memory.workers.values()
    rows = [
        ["server before", f"{memory.before / _MB:.0f} MB"],
        ["server at its peak", f"{memory.peak / _MB:.0f} MB"],
        ["of that for each upload", f"{(memory.peak - memory.before) / at_once / 1e3:.0f} KB"],
        ["workers that there were", str(len(workers))],
        ["largest worker at its peak", f"{max(workers, default=0) / _MB:.0f} MB"],
    ]
    return Table("Resident memory", ["", ""], rows)


def _targets(
    arguments: argparse.Namespace, played: LoadResult, sent: UploadResult, memory: _Memory, left: int
) -> list[Target]:
    p99 = played.groups[BESIDE].latency.p99
    growth, most = (memory.peak - memory.before) / _MB, SHARED_MB + SENDER_MB * arguments.uploads
    largest = max(memory.workers.values(), default=0) / _MB
    got_through = f"{sent.through:,} of {sent.files:,}"
    return [
        Target("notes' p99 beside uploads", f"under {BOUND_MS:g} ms", milliseconds(p99), p99 < BOUND_MS),
        nothing_missing("rooms", played),
        Target("uploads", "all get through", got_through, sent.through == sent.files),
        Target("memory of the server", f"at most {most:g} MB more", f"{growth:.0f} MB more", growth <= most),
        Target("memory of a worker", f"at most {WORKER_MB:g} MB", f"{largest:.0f} MB", largest <= WORKER_MB),
        Target("scratch files left", "0", str(left), left == 0),
    ]


def run(arguments: argparse.Namespace) -> Report:
    cores = Cores.of(arguments)
    raise_open_files()
    with running(RHYTHMD, [*UNLIMITED, *arguments.settings], cores.server) as server:
        assert server.pid is not None
        rooms = even_rooms(arguments.rooms, arguments.players, arguments.rate, ALONE)
        alone = play_on(server, rooms, arguments, cores, ALONE)
        played, sent, memory = _beside(arguments, server, server.pid, cores)
        left = _left_over(server.pid)
    measurements = [Measurement(RHYTHMD, ALONE, alone), Measurement(RHYTHMD, BESIDE, played)]
    answers = [[name, f"{count:,}"] for name, count in sorted(sent.answers.items())]
    times = f"{sent.latency.p50 / 1e3:.1f} s in the middle, {sent.latency.max / 1e3:.1f} s at most"
    return Report(
        command="uploads",
        title=f"{arguments.uploads} uploads at once beside {arguments.rooms} rooms x {arguments.players} players",
        conditions=conditions(cores, seconds=arguments.seconds, taken=f"{sent.bytes / _MB:,.0f} MB", each=times),
        tables=[
            results_table("The playing rooms", measurements),
            Table("Answers to uploads", ["status", "times"], answers),
            _memory_table(memory, arguments.uploads),
        ],
        targets=_targets(arguments, played, sent, memory, left),
        remarks=[
            "Files of six formats, up to the limit; a quarter of the senders take three seconds. A sender that is told "
            "`busy` asks again, and one whose file is in sends the next.",
            *METHOD,
        ],
        charts=[chart_of(measurements)],
        measurements=measurements,
    )
