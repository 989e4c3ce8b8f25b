"""The kernel's own bad network, tc-netem(8), on the loopback of a network namespace where it harms nobody else."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

__all__ = ["again_behind", "is_allowed"]

_NAMESPACE: Final = ("unshare", "--map-root-user", "--net", "sh", "-c")
_SET_UP: Final = "ip link set lo up && tc qdisc add dev lo root netem "


def is_allowed() -> bool:
    """Whether this kernel has netem and this user may use it."""
    try:
        tried = subprocess.run([*_NAMESPACE, _SET_UP + "delay 1ms"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return tried.returncode == 0


def again_behind(netem: Sequence[str], more: Sequence[str]) -> NoReturn:
    """Run this bench again, in this process's place, behind `netem` (words as tc takes them) and with `more` words."""
    words = [sys.executable, "-m", "bench", *sys.argv[1:], *more]
    os.execvp(_NAMESPACE[0], [*_NAMESPACE, f'{_SET_UP}{shlex.join(netem)} && exec "$@"', "sh", *words])
