"""The processes that the tests have started: those of fixtures, and the workers of a server in this process."""

from contextlib import suppress
from pathlib import Path

__all__ = ["children"]


def children() -> set[int]:
    """The processes that this one has started and not waited for, zombies included."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has ended meanwhile
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found
