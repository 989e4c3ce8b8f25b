"""How a connection's output ends without losing what was written last."""

import asyncio
from typing import Final

__all__ = ["CLOSE_S", "end_output"]

CLOSE_S: Final = 5.0  # for the other side to close, too


def end_output(transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> asyncio.TimerHandle:
    """Close our side, go on reading, and give up after `CLOSE_S`; the timer of that.

    Closing both at once while bytes are still coming in would reset the connection, and what was written could be lost.
    """
    if transport.can_write_eof() and not transport.is_closing():
        transport.write_eof()
    else:
        transport.close()
    return loop.call_later(CLOSE_S, transport.abort)
