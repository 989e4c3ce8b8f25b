"""How the interpreter is kept from stopping the music: its search for garbage, and its lock.

Both are of the whole process, so the command sets them, not the server.
"""

import gc
import sys
from typing import Final

__all__ = ["tune"]

YOUNG: Final = 5_000
"""New containers after which the youngest are looked at: more than one message makes, and it takes a millisecond."""
MIDDLE: Final = 2
"""Searches of the youngest before the middle-aged are looked at. If all of them stay, as when many rooms are made, that
takes nearly a microsecond an object: with 20 of 10,000 everything stopped for 0.2 s.
"""
OLD: Final = 70
"""Searches of the middle-aged before all are looked at: that stops everything for some 0.1 us an object."""
SWITCH_S: Final = 0.0005
"""For which a thread that works may keep the interpreter's lock when the loop wants it; 5 ms by default."""


def tune() -> None:
    """Call it when all is built: what is there now stays, and is not looked at again.

    What the server makes is freed by counting references. The search is for cycles, which exceptions and libraries
    leave behind here and there.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
