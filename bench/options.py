"""What several commands share: their arguments, the cores they pin to, one run of the load on a server."""

import argparse
import os
from dataclasses import dataclass
from typing import Final

from bench.load.process import run_load
from bench.load.spec import LoadResult, LoadSpec, RoomLoad
from bench.peers import PEERS
from bench.report import Target
from bench.servers import RHYTHMD, Running
from bench.system import describe_machine

__all__ = [
    "METHOD",
    "Cores",
    "add_duration",
    "add_rooms",
    "add_server",
    "add_settings",
    "conditions",
    "even_rooms",
    "nothing_missing",
    "play_on",
]

METHOD: Final = [
    "Open loop: a latency is the time an event arrived less the time it was due by the timetable, so neither a server "
    "that stalls nor a load that sends late can hide. How late the load itself sent, and how much of its core it used, "
    "tells how much of a latency is the load's; other CPU is what the rest of the machine used meanwhile, of one core.",
    "A delivery is one event at one listener. CPU is the server's user and system time as the operating system counts "
    "it, over the measured window, for each delivery that arrived in it.",
    "rhythmd runs with validation, note state and note quota on. Its rooms allow black MIDI, whose quota is the "
    "largest, so that the load stays within it.",
]


@dataclass(frozen=True)
class Cores:
    """The core that the load, and the one that the server keeps to; None where the system may choose."""

    load: int | None
    server: int | None

    def __str__(self) -> str:
        return "not pinned" if self.load is None else f"load on core {self.load}, server on core {self.server}"

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Cores":
        """The first two cores that this process may use, unless there is one only or pinning is off."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(None, None) if arguments.no_pin or len(usable) < 2 else cls(usable[0], usable[1])


def add_duration(parser: argparse.ArgumentParser, seconds: float) -> None:
    parser.add_argument("--seconds", type=float, default=seconds, help="measured time of a run (%(default)s)")
    parser.add_argument("--warmup", type=float, default=1.0, help="seconds of load before it (%(default)s)")
    parser.add_argument("--no-pin", action="store_true", help="leave the choice of cores to the system")


def add_rooms(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rooms", type=int, default=10, help="rooms (%(default)s)")
    parser.add_argument("--players", type=int, default=16, help="players in each room (%(default)s)")


def add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="SECTION.KEY=VALUE",
        help="a configuration key for rhythmd; repeatable",
    )  # fmt: skip


def add_server(parser: argparse.ArgumentParser) -> None:
    """Which server to start, and how."""
    parser.add_argument("--server", choices=[RHYTHMD, *PEERS], default=RHYTHMD, help="what to start (%(default)s)")
    add_settings(parser)


def conditions(cores: Cores, **more: object) -> dict[str, str]:
    """The machine and how it was used, for the report."""
    return {**describe_machine(), "cores": str(cores), **{name: str(value) for name, value in more.items()}}


def even_rooms(rooms: int, players: int, rate: float, group: str = "all") -> list[RoomLoad]:
    """Rooms that all play alike; `rate` is events a second of each player."""
    return [RoomLoad(f"bench-{group}-{number}", players, rate, group=group) for number in range(rooms)]


def play_on(
    server: Running, rooms: list[RoomLoad], arguments: argparse.Namespace, cores: Cores, label: str = ""
) -> LoadResult:
    """One run of the load. Raises LoadFailed."""
    spec = LoadSpec(
        host=server.host,
        port=server.port,
        dialect=server.dialect,
        rooms=rooms,
        seconds=arguments.seconds,
        warmup=arguments.warmup,
        server_pid=server.pid,
        label=label or server.name,
    )
    return run_load(spec, cores.load)


def nothing_missing(what: str, result: LoadResult) -> Target:
    """Every event reached every listener, once and in order."""
    faults = {
        "missing": result.missing,
        "repeated": sum(group.repeated for group in result.groups.values()),
        "out of order": sum(group.out_of_order for group in result.groups.values()),
        "connections lost": result.lost_connections,
    }
    measured = ", ".join(f"{count} {name}" for name, count in faults.items() if count) or "nothing missing"
    return Target(f"{what}: loss", "every event, once, in order", measured, not any(faults.values()))
