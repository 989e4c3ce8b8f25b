"""What the operating system knows of a process: CPU time, memory, cores, open files (Linux, /proc)."""

import os
import platform
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = [
    "AHEAD",
    "ahead",
    "anonymous_bytes",
    "cpu_seconds",
    "describe_machine",
    "forget_peak",
    "interruptible",
    "machine_cpu_seconds",
    "peak_resident_bytes",
    "pinned",
    "raise_open_files",
    "resident_bytes",
]

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_KIB: Final = 1024
AHEAD: Final = -15
"""The niceness of what goes before all else that runs on its core; not every user may ask for it."""
_GROUP: Final = Path("/proc/self/autogroup")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of `pid` so far, in steps of 10 ms (proc(5), fields 14 and 15)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(after_name[11]), int(after_name[12])
    return (user + system) / _TICKS_PER_SECOND


def machine_cpu_seconds() -> float:
    """Time that all cores together have worked so far, whoever for (proc(5), /proc/stat: all but idle and iowait)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """Resident memory of `pid` (VmRSS)."""
    return _status_bytes(pid, "VmRSS:")


def anonymous_bytes(pid: int) -> int:
    """Resident memory of `pid` that is its own alone (RssAnon): pages of mapped files are the kernel's to take back."""
    return _status_bytes(pid, "RssAnon:")


def peak_resident_bytes(pid: int) -> int:
    """The most resident memory that `pid` had since it started or `forget_peak` was called (VmHWM)."""
    return _status_bytes(pid, "VmHWM:")


def forget_peak(pid: int) -> None:
    """Let the peak begin at what `pid` has now (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status_bytes(pid: int, field: str) -> int:
    """A size from /proc/PID/status (proc(5)), which has none once the process has ended."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * _KIB
    raise ProcessLookupError(f"process {pid} has no resident memory: it has ended")


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Processes started inside inherit `core` as their only one; None leaves the choice to the system."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def ahead() -> Iterator[None]:
    """Let this session's processes go before those of other sessions, where the system lets (sched(7), autogroup).

    It may let nobody but root, too often in a second nobody, and a session that has no group of its own never.
    """
    nice = _GROUP.read_text().rpartition("nice")[2].strip() if _GROUP.exists() else None
    if nice is None:
        yield
        return
    with suppress(OSError):
        _GROUP.write_text(str(AHEAD))
    try:
        yield
    finally:
        with suppress(OSError):
            _GROUP.write_text(nice)


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM interrupts the block as a key at the terminal does, with KeyboardInterrupt."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def raise_open_files() -> int:
    """Allow as many open files as the hard limit lets; that limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def describe_machine() -> dict[str, str]:
    """What a reader needs to place the numbers."""
    return {
        "cpu": f"{_cpu_model()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
