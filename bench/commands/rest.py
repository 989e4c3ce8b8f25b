"""The REST side: the list of lobbies, a user and a profile behind a login beside a bare handler, and beside music.

The bare handler sends as many bytes as the list has. All of them are asked in turn and in one run, several times over,
and the middle of the rounds counts, each compared within itself: what else the machine does meets all alike.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final
from urllib.request import Request, urlopen

from msgspec.structs import replace
from tqdm import tqdm

from bench.load.http import HttpResult, HttpSpec, http_load, read_result
from bench.options import METHOD, Cores, add_duration, add_rooms, add_settings, conditions, even_rooms, play_on
from bench.report import Measurement, Report, Table, Target
from bench.rows import chart_of, milliseconds, results_table
from bench.servers import RHYTHMD, Running, running
from bench.system import cpu_seconds, pinned

__all__ = ["HELP", "add_arguments", "run"]

HELP: Final = "the REST side beside a bare aiohttp handler, and beside playing rooms"
BARE: Final = Path(__file__).parents[1] / "peers" / "aiohttp_rest.py"
LOBBIES: Final = "/api/v1/rooms/active"
API: Final = "/api/v1"
USERTAG: Final = "Bench"
PERSON: Final = f"{API}/users/{USERTAG}"
PROFILE: Final = f"{API}/users/profile"
RATIO: Final = 0.8
BOUND_MS: Final = 20.0
STEP_BACK: Final = 10
UNLIMITED: Final = ("limits.requests_per_minute=1000000000", "limits.auth_requests_per_minute=1000000000")
LEAD_S: Final = 3.0
SEPARATOR: Final = ":"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--connections", type=int, default=16, help="HTTP connections (%(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="times that each is asked (%(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="events/s of each player (%(default)s)")
    add_rooms(parser)
    add_duration(parser, seconds=2.0)
    add_settings(parser)


@contextmanager
def _bare(size: int, core: int | None) -> Iterator[tuple[int, int]]:
    """Port and process id of the bare handler."""
    with (
        pinned(core),
        subprocess.Popen([sys.executable, str(BARE), str(size)], stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(SEPARATOR)[2]), process.pid
        finally:
            process.kill()


def _register(server: Running) -> str:
    """A new user's access token."""
    body = json.dumps({"usertag": USERTAG, "password": "correct horse"}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{server.url}{API}/auth/register", body, headers)) as answer:
        token: str = json.load(answer)["access_token"]
        return token


def _list_size(server: Running) -> int:
    with urlopen(f"{server.url}{LOBBIES}") as answer:
        return len(answer.read())


class _Subject:
    """What is asked, and what came of each round."""

    def __init__(self, name: str, pid: int, spec: HttpSpec) -> None:
        self.name = name
        self._pid = pid
        self._spec = spec
        self._rounds: list[HttpResult] = []
        self._cpu: list[float] = []

    def ask(self, core: int | None) -> None:
        """One round."""
        before = cpu_seconds(self._pid)
        with http_load(self._spec, core) as load:
            result = read_result(load)
        self._rounds.append(result)
        whole = self._spec.warmup + self._spec.seconds
        self._cpu.append((cpu_seconds(self._pid) - before) / (result.per_second * whole))

    @property
    def per_second(self) -> float:
        return median(result.per_second for result in self._rounds)

    def of(self, bare: "_Subject") -> float:
        """Its requests/s for one of the bare handler's, in the same round."""
        return median(
            mine.per_second / theirs.per_second for mine, theirs in zip(self._rounds, bare._rounds, strict=True)
        )

    def row(self, bare: "_Subject") -> list[str]:
        p50, p99 = (median(getattr(result.latency, name) for result in self._rounds) for name in ("p50", "p99"))
        return [
            self.name,
            f"{self.per_second:,.0f}",
            f"{self.of(bare):.2f}",
            milliseconds(p50),
            milliseconds(p99),
            f"{median(self._cpu) * 1e6:.0f} us",
        ]


def _spec(arguments: argparse.Namespace, port: int, path: str, token: str | None = None) -> HttpSpec:
    return HttpSpec(
        "127.0.0.1", port, path, token, arguments.connections, warmup=arguments.warmup, seconds=arguments.seconds
    )


def _side_by_side(arguments: argparse.Namespace, server: Running, token: str, cores: Cores) -> list[_Subject]:
    """The bare handler first, then the list, each with its rounds."""
    assert server.pid is not None
    with _bare(_list_size(server), cores.server) as (port, pid):
        subjects = [
            _Subject("bare aiohttp handler", pid, _spec(arguments, port, "/")),
            _Subject("list of lobbies", server.pid, _spec(arguments, server.port, LOBBIES)),
            _Subject("user by usertag", server.pid, _spec(arguments, server.port, PERSON)),
            _Subject("profile with a login", server.pid, _spec(arguments, server.port, PROFILE, token)),
        ]
        for _ in tqdm(range(arguments.rounds), desc="rounds", leave=False, disable=None):
            for subject in subjects:
                subject.ask(cores.load)
    return subjects


def _beside_music(arguments: argparse.Namespace, server: Running, cores: Cores) -> tuple[Measurement, HttpResult]:
    """Rooms that play while the list is asked for as fast as it comes."""
    rooms = even_rooms(arguments.rooms, arguments.players, arguments.rate)
    # From before the players come until after they have gone.
    longer = replace(_spec(arguments, server.port, LOBBIES), seconds=arguments.seconds + LEAD_S)
    with http_load(longer, cores.load, nice=STEP_BACK) as load:
        played = play_on(server, rooms, arguments, cores, "beside REST")
        return Measurement(server.name, "beside REST", played), read_result(load)


def run(arguments: argparse.Namespace) -> Report:
    cores = Cores.of(arguments)
    with running(RHYTHMD, [*UNLIMITED, *arguments.settings], cores.server) as server:
        token = _register(server)
        subjects = _side_by_side(arguments, server, token, cores)
        measurement, asked = _beside_music(arguments, server, cores)
    bare, lobbies, *_ = subjects
    ratio = lobbies.of(bare)
    p99 = measurement.result.groups["all"].latency.p99
    columns = ["", "requests/s", "of bare", "p50", "p99", "CPU/request"]
    return Report(
        command="rest",
        title=f"The list of lobbies at {ratio:.2f} of a bare aiohttp handler",
        conditions=conditions(cores, connections=arguments.connections, rounds=arguments.rounds),
        tables=[
            Table("Requests", columns, [subject.row(bare) for subject in subjects]),
            results_table(f"Notes beside {asked.per_second:,.0f} requests/s", [measurement]),
        ],
        targets=[
            Target("list of lobbies", f"at least {RATIO:g} of bare", f"{ratio:.2f}", ratio >= RATIO),
            Target("notes' p99 beside REST", f"under {BOUND_MS:g} ms", milliseconds(p99), p99 < BOUND_MS),
        ],
        remarks=[
            "Requests come in a closed loop: each connection asks again when it has its answer.",
            *METHOD,
        ],
        charts=[chart_of([measurement])],
        measurements=[measurement],
    )
