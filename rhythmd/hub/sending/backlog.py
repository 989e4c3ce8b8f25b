"""Music that waits for a listener who reads too slowly."""

from typing import Final

__all__ = ["Backlog"]

NOTHING: Final = b""


class Backlog:
    """What was played since `since_ms`, as whole frames: shared with all other listeners, and bounded.

    It is stale once it is larger than `limit` bytes, and then holds nothing: its listener gets a snapshot instead.
    """

    __slots__ = ("_frames", "_limit", "_size", "is_stale", "since_ms")

    def __init__(self, since_ms: int, limit: int) -> None:
        self.since_ms = since_ms
        self.is_stale = False
        self._limit = limit
        self._size = 0
        self._frames: list[bytes] = []

    def keep(self, frame: bytes) -> None:
        if self.is_stale:
            return
        self._size += len(frame)
        self._frames.append(frame)
        if self._size > self._limit:
            self.spoil()

    def spoil(self) -> None:
        """Forget all of it."""
        self.is_stale = True
        self._frames.clear()

    def take(self, now_ms: int, patience_ms: int) -> bytes | None:
        """All frames as one; None when they are stale, or the oldest waited longer than `patience_ms`."""
        if self.is_stale or now_ms - self.since_ms > patience_ms:
            return None
        return NOTHING.join(self._frames)
