"""Ports beside the database: files, live state that outlives the process, and a cache."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from typing import Protocol

__all__ = ["BlobStore", "Cache", "LiveState"]


class BlobStore(Protocol):
    """Files by key, whole or not at all, and never whole in memory.

    A key is parts of small letters, digits, `-`, `_` and single dots, joined by `/`; ValueError for others. No key is
    another one's folder.
    """

    async def start(self) -> bool:
        """Get ready, and remove what a process that was killed has left. Raises ConfigError.

        Whether no other process uses these files now; False, too, where nobody can tell.
        """
        ...

    async def close(self) -> None:
        """Let go of what the store holds open."""

    async def put(self, key: str, content: AsyncIterable[bytes], limit: int | None = None) -> int:
        """Keep what `content` gives, in parts of any size, in place of what was there; how many bytes it was.

        When it is cancelled, or `content` raises, what was there before stays. Raises TooLarge as soon as more than
        `limit` bytes have come.
        """
        ...

    async def get(self, key: str, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` to before `stop`, as far as there are any, in parts. Raises NotFound.

        They are of one version. The iterator raises StoreUnavailable when it comes too late for the rest of it.
        """
        ...

    async def size(self, key: str) -> int:
        """In bytes. Raises NotFound."""
        ...

    async def delete(self, key: str) -> bool:
        """Whether there was one."""

    async def probe(self) -> None:
        """Raises StoreUnavailable unless files can be written, as far as that can be found out at little cost."""

    def keys(self, folder: str = "") -> AsyncIterator[str]:
        """The keys below a folder, `a/b` for `a/b/…`, in no order; all of them without one."""
        ...


class LiveState(Protocol):
    """Small values that outlive this process, a `kill -9` included, though not the machine's next boot.

    Plain `def`, unlike all other ports: a call writes to memory that belongs to a file, and waits for no disk.
    Nothing here raises: what cannot be kept is logged, and rooms go on.
    """

    def open(self) -> None:
        """Find what the process before left. May wait for a disk, and raises no error."""

    def apply(self, changes: Mapping[str, bytes | None]) -> None:
        """Set values, or delete those of None, all in one step."""

    def items(self, prefix: str) -> list[tuple[str, bytes]]:
        """The values whose keys begin so, by key."""

    def clear(self) -> None:
        """Forget everything."""

    @property
    def is_failing(self) -> bool:
        """Whether what was set last is not kept, although it should be."""
        ...

    def close(self) -> None: ...


class Cache(Protocol):
    """Bounded and forgetful: what was set may be gone at any time, and is after its time to live."""

    async def get(self, key: str) -> bytes | None:
        """None also when the cache is away."""

    async def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Raises StoreUnavailable when the cache is away: what was sold on it, a ticket, would be worth nothing."""

    async def delete(self, key: str) -> None:
        """Raises StoreUnavailable when the cache is away: it may still hold the value."""

    async def take(self, key: str) -> bytes | None:
        """Read and delete in one step: of several callers one gets it. Raises StoreUnavailable."""

    async def close(self) -> None:
        """Let go of what the cache holds open."""
