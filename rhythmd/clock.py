"""The two clocks of the server: its own, which all players share, and the wall's.

What is timed for music, or measured as a span, is on the server's clock: it is monotonic, so a corrected wall clock
never bends the rhythm. What is stored, or compared with a time from outside this process, is on the wall clock.
"""

from time import monotonic_ns, time_ns

__all__ = ["server_ms", "server_us", "unix_ms"]


def server_us() -> int:
    """The server's clock in microseconds, from an arbitrary start that is another one after a reboot."""
    return monotonic_ns() // 1_000


def server_ms() -> int:
    """The same clock in milliseconds, which the wire carries modulo 2^32."""
    return monotonic_ns() // 1_000_000


def unix_ms() -> int:
    """The wall clock in milliseconds since 1970; it may jump, also backwards."""
    return time_ns() // 1_000_000
