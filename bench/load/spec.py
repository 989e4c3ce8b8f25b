"""What a load process is told and what it reports, as JSON between the two processes."""

from enum import StrEnum

from msgspec import Struct, field

from bench.statistics import Summary

__all__ = ["Dialect", "GroupResult", "LoadResult", "LoadSpec", "NoteTiming", "RoomLoad"]


class Dialect(StrEnum):
    """How to talk to the server: rhythmd's protocol, or a bare relay of binary messages."""

    RHYTHMD = "rhythmd"
    RELAY = "relay"


class RoomLoad(Struct, frozen=True):
    """One room: `players` each play `rate` events a second, `listeners` only listen.

    `group` says with which rooms it is counted; with `midi`, players share that file's parts instead.
    """

    name: str
    players: int
    rate: float
    listeners: int = 0
    group: str = "all"
    midi: str | None = None

    @property
    def members(self) -> int:
        return self.players + self.listeners


class LoadSpec(Struct, frozen=True):
    """A whole run. `warmup` seconds of the same load come first: counted for loss, not for latency or CPU.

    `nice` lets this load step back behind another one on the same core, as nice(1) does.
    """

    host: str
    port: int
    dialect: Dialect
    rooms: list[RoomLoad]
    seconds: float
    warmup: float = 1.0
    server_pid: int | None = None
    label: str = ""
    seed: int = 1
    nice: int = 0


class NoteTiming(Struct, frozen=True):
    """One press or release of a score: when it was due and how far from there it was heard (s, ms, ms).

    `delay` is the worst over all listeners; `error` is the same with each listener's median delay taken off.
    """

    due: float
    delay: float
    error: float


class GroupResult(Struct, frozen=True):
    """What became of the events of one group of rooms. A delivery is one event at one listener."""

    sent: int
    expected: int
    delivered: int
    missing: int
    repeated: int
    unknown: int
    out_of_order: int
    latency: Summary


class LoadResult(Struct, frozen=True):
    """What a run measured. Times in seconds, summaries in milliseconds, `server_cpu` in seconds of the window.

    `lateness` is how long after its due time the load sent an event, `load_cpu` the load process's share of a core:
    both tell whether the load was what limited the run. `other_cpu` is what the rest of the machine used, in cores.
    """

    groups: dict[str, GroupResult]
    window: float
    delivered_in_window: int
    lateness: Summary
    load_cpu: float
    server_cpu: float | None
    other_cpu: float
    errors: dict[str, int] = field(default_factory=dict)
    lost_connections: int = 0
    notes: list[NoteTiming] = field(default_factory=list)
    note_error: Summary | None = None

    @property
    def cpu_per_delivery_us(self) -> float | None:
        """Server CPU per delivered event in the window, microseconds."""
        if self.server_cpu is None or not self.delivered_in_window:
            return None
        return self.server_cpu / self.delivered_in_window * 1e6

    @property
    def missing(self) -> int:
        return sum(group.missing for group in self.groups.values())
