"""The server's clock: monotonic, so that a corrected wall clock never bends the rhythm."""

from time import monotonic_ns

__all__ = ["now_ms", "now_us"]


def now_us() -> int:
    """Microseconds since an arbitrary start."""
    return monotonic_ns() // 1_000


def now_ms() -> int:
    """Milliseconds of the same clock; on the wire modulo 2^32."""
    return monotonic_ns() // 1_000_000
