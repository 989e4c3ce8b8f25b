"""Servers that are up at once, to be killed often. `python -m tests.faults.server_child`.

Each line on standard input holds the arguments of `rhythmd`, which runs in a fork that has everything imported. The
fork's process id comes back as the first line, then what `rhythmd` prints, then `gone`.
"""

import ctypes
import os
import signal
import sys
from typing import Final

from rhythmd.cli import main as rhythmd

PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def _say(text: object) -> None:
    os.write(1, f"{text}\n".encode())


def _run(arguments: list[str]) -> int:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it must not outlive a killed test run
    _say(os.getpid())
    return rhythmd(arguments)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(_run(line.split()))
        os.waitpid(child, 0)
        _say("gone")


if __name__ == "__main__":
    main()
