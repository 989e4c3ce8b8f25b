"""Folders that only the server's own user may look into: what is in them is accounts, keys and strangers' files."""

import stat
from itertools import takewhile
from pathlib import Path
from typing import Final

from rhythmd.telemetry import server_log

__all__ = ["close_to_others", "make_private", "warn_if_open"]

PRIVATE: Final = 0o700
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only. Raises OSError.

    One that is there stays as it is.
    """
    missing = takewhile(lambda each: not each.exists(), (folder, *folder.parents))
    for each in reversed(list(missing)):
        each.mkdir(mode=PRIVATE, exist_ok=True)  # `parents=True` would leave those above open to all


def close_to_others(folder: Path) -> None:
    """Make a folder that is nobody's but the server's, and close it if an older version left it open. Raises OSError.

    That it cannot be closed is no reason not to serve: the operator is told.
    """
    make_private(folder)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & OTHERS:
        try:
            folder.chmod(mode & ~OTHERS)
        except OSError:
            warn_if_open(folder)


def warn_if_open(folder: Path) -> None:
    """Tell the operator that others may look into a folder, which they may have made, and have a reason for."""
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError:
        return
    if mode & OTHERS:
        server_log.warning("%s is open to other users of this machine: chmod 700 closes it", folder)
