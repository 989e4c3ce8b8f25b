"""Live state in a memory-mapped file: what survives the process, `kill -9` included, at the price of a memory write.

LMDB without syncing: a transaction is whole or not there, whenever the process dies. After a loss of power the file is
worth nothing and could even do harm; so one from before the last boot is thrown away unread.
"""

import fcntl
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import lmdb

from rhythmd.folders import close_to_others
from rhythmd.telemetry import OutageLog, store_log

__all__ = ["MappedLiveState", "NoLiveState"]

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
BOOT_FILE: Final = "boot"
DATA_FILE: Final = "data.mdb"
LOCK_FILE: Final = "server.lock"
MIB: Final = 1 << 20


class NoLiveState:
    """A `ports.LiveState` that keeps nothing."""

    def open(self) -> None:
        pass

    def apply(self, changes: Mapping[str, bytes | None]) -> None:
        pass

    def items(self, _prefix: str) -> list[tuple[str, bytes]]:
        return []

    def clear(self) -> None:
        pass

    def close(self) -> None:
        pass


class MappedLiveState:
    """A `ports.LiveState` in `folder`, of at most `size_mb` MiB. One process at a time."""

    def __init__(self, folder: Path, size_mb: int) -> None:
        self._folder = folder
        self._size = size_mb * MIB
        self._file: lmdb.Environment | None = None
        self._lock: IO[bytes] | None = None
        self._outage = OutageLog(str(folder))

    def open(self) -> None:
        try:
            close_to_others(self._folder)
            self._lock = self._locked()
            self._forget_other_boot()
            self._forget_other_size()
            self._file = self._readable()
        except BlockingIOError:
            store_log.warning("nothing will survive a restart: %s is another server's", self._folder)
        except (OSError, lmdb.Error) as error:
            store_log.error("nothing will survive a restart: %s: %s", self._folder, error)

    def _locked(self) -> IO[bytes]:
        """Raises BlockingIOError when another server, which would give away the same seats, has the folder."""
        lock = (self._folder / LOCK_FILE).open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise
        return lock

    def _forget_other_boot(self) -> None:
        boot = BOOT_ID.read_text() if BOOT_ID.exists() else ""
        marker = self._folder / BOOT_FILE
        if not boot or not marker.exists() or marker.read_text() != boot:
            (self._folder / DATA_FILE).unlink(missing_ok=True)
            marker.write_text(boot)

    def _forget_other_size(self) -> None:
        """Reading beyond the end of a mapped file kills the process."""
        data = self._folder / DATA_FILE
        if data.exists() and data.stat().st_size != self._size:
            store_log.warning("%s is begun anew: it is not of hub.live_mb", self._folder)
            data.unlink()

    def _readable(self) -> lmdb.Environment:
        """The file; a new one in place of one that is damaged."""
        try:
            return self._map()
        except lmdb.Error as error:
            store_log.error("%s is begun anew: %s", self._folder, error)
            (self._folder / DATA_FILE).unlink()
            return self._map()

    def _map(self) -> lmdb.Environment:
        file = lmdb.open(
            str(self._folder), map_size=self._size, writemap=True, sync=False, metasync=False, lock=False, mode=0o600
        )
        # All of it now: writing to a page that a full disk cannot hold would kill the process.
        if hasattr(os, "posix_fallocate"):
            with (self._folder / DATA_FILE).open("r+b") as raw:
                os.posix_fallocate(raw.fileno(), 0, self._size)
        return file

    def apply(self, changes: Mapping[str, bytes | None]) -> None:
        if self._file is None:
            return
        try:
            with self._file.begin(write=True) as transaction:
                for key, value in changes.items():
                    if value is None:
                        transaction.delete(key.encode())
                    else:
                        transaction.put(key.encode(), value)
        except lmdb.Error as error:
            self._outage.began(error)
        else:
            self._outage.over()

    def items(self, prefix: str) -> list[tuple[str, bytes]]:
        if self._file is None:
            return []
        found: list[tuple[str, bytes]] = []
        try:
            with self._file.begin() as transaction, transaction.cursor() as cursor:
                for key, value in cursor if cursor.set_range(prefix.encode()) else ():
                    if not key.startswith(prefix.encode()):
                        break
                    found.append((key.decode(), value))
        except (lmdb.Error, UnicodeDecodeError) as error:
            self._outage.began(error)
        return found

    def clear(self) -> None:
        if self._file is None:
            return
        try:
            with self._file.begin(write=True) as transaction:
                transaction.drop(self._file.open_db(None, transaction), delete=False)
        except lmdb.Error as error:
            self._outage.began(error)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
