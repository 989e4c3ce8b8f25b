"""The two clocks. The server's is monotonic, so that a corrected wall clock never bends the rhythm.

They have names of their own because a time of one is never right on the other.
"""

import time

__all__ = ["server_ms", "server_us", "unix_ms"]


def server_us() -> int:
    """Microseconds of the server's clock, since an arbitrary start."""
    return time.monotonic_ns() // 1_000


def server_ms() -> int:
    """Milliseconds of the server's clock; on the wire modulo 2^32."""
    return time.monotonic_ns() // 1_000_000


def unix_ms() -> int:
    """Unix milliseconds, by the wall clock."""
    return time.time_ns() // 1_000_000
