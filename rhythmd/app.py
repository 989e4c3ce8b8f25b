"""The only place that builds things. `Server.run` is the life of the process, top to bottom."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from rhythmd.addresses import set_customer_prefix
from rhythmd.auth.notices import LogMailer
from rhythmd.auth.service import Auth, load_keys
from rhythmd.avatars.service import Avatars
from rhythmd.bridges import AccountWatcher, LibrarySheets, Recheck, RoomAudit, RoomPasswords, SocketLoginVerifier
from rhythmd.clock import unix_ms
from rhythmd.config import Config, check_packages, load_tls, local_url
from rhythmd.errors import ConfigError
from rhythmd.fairness.disk import Disk
from rhythmd.fairness.turns import Turns
from rhythmd.folders import warn_if_open
from rhythmd.hub.hub import Hub
from rhythmd.hub.ports import SheetSource
from rhythmd.hub.sessions.session import Session
from rhythmd.interpreter import Housekeeper
from rhythmd.net.heartbeat import Heartbeat
from rhythmd.net.listener import Listener
from rhythmd.net.opening import Opener
from rhythmd.net.peer import Wiring
from rhythmd.ports import BlobStore, Cache, LiveState, Store, StoreError, StoreUnavailable
from rhythmd.readiness import Readiness
from rhythmd.rest.app import RestSide
from rhythmd.sheets.files import SheetFiles
from rhythmd.sheets.library import SheetLibrary
from rhythmd.store.blobs.directory import DirectoryBlobs
from rhythmd.store.cache import MemoryCache
from rhythmd.store.live import MappedLiveState, NoLiveState
from rhythmd.store.sqlite.store import SqliteStore
from rhythmd.telemetry import Stats, StatsCollector, server_log
from rhythmd.workers.pool import WorkerPool
from rhythmd.workers.scratch import ScratchFolder

__all__ = ["Server", "open_blobs", "open_scratch", "open_store"]

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
PING_S: Final = 1.0
SQLITE_FILE: Final = "rhythmd.sqlite3"
BLOBS_FOLDER: Final = "blobs"
LIVE_FOLDER: Final = "live"
SCRATCH_FOLDER: Final = "scratch"


def open_store(config: Config) -> Store:
    """The store that the configuration names, not started. Raises ConfigError."""
    if config.store.backend == "sqlite":
        return SqliteStore(Path(config.server.data_dir) / SQLITE_FILE, timeout_s=config.store.timeout_s)
    check_packages(config)
    from rhythmd.store.documents.store import MongoStore  # noqa: PLC0415 - its drivers are an extra

    mongo = config.mongo
    return MongoStore(mongo.url, mongo.database, mongo.driver, find_s=mongo.find_s, timeout_s=config.store.timeout_s)


def open_blobs(config: Config) -> BlobStore:
    """The store of files that the configuration names, not started. Raises ConfigError."""
    if config.blobs.backend == "directory":
        return DirectoryBlobs(Path(config.server.data_dir) / BLOBS_FOLDER)
    check_packages(config)
    if config.blobs.backend == "s3":
        from rhythmd.store.blobs.s3 import S3Blobs  # noqa: PLC0415 - an extra

        return S3Blobs(config.blobs)
    from rhythmd.store.blobs.gridfs import GridFSBlobs  # noqa: PLC0415 - an extra

    mongo = config.mongo
    return GridFSBlobs(mongo.url, mongo.database, mongo.driver, find_s=mongo.find_s, timeout_s=config.store.timeout_s)


def _blobs_folder(config: Config) -> Path | None:
    """Where files are, if they are on a disk of this machine."""
    return Path(config.server.data_dir) / BLOBS_FOLDER if config.blobs.backend == "directory" else None


def open_scratch(config: Config) -> ScratchFolder:
    """Where files are on their way through a worker."""
    return ScratchFolder(Path(config.server.data_dir) / SCRATCH_FOLDER)


def _open_cache(config: Config) -> Cache:
    if not config.redis.url:
        return MemoryCache(config.store.cache_entries)
    check_packages(config)
    from rhythmd.cluster.redis_cache import RedisCache  # noqa: PLC0415 - its driver is an extra

    return RedisCache(config.redis.url, timeout_s=config.redis.timeout_s)


def _live_state(config: Config) -> LiveState:
    if not config.hub.live_mb:
        return NoLiveState()
    return MappedLiveState(Path(config.server.data_dir) / LIVE_FOLDER, config.hub.live_mb)


class Server:
    """One rhythmd process. Build it inside the event loop that it shall run in.

    Args:
        sheets: that may be played in rooms; None for those of the library.
    """

    def __init__(self, config: Config, sheets: SheetSource | None = None) -> None:
        self._config = config
        loop = self._loop = asyncio.get_running_loop()
        set_customer_prefix(config.limits.network_prefix_v4, config.limits.network_prefix_v6)
        stats = Stats()
        warn_if_open(Path(config.server.data_dir))
        self._store = open_store(config)
        keys = load_keys(config.auth, Path(config.server.data_dir))
        self._cache = _open_cache(config)
        self._auth = Auth(config.auth, keys, self._store, self._cache, LogMailer(), rooms=config.rooms)
        login_verifier = SocketLoginVerifier(self._auth.authenticator)
        passwords = RoomPasswords(self._auth.room_passwords)
        self._blobs = open_blobs(config)
        self._live = _live_state(config)
        self._workers = WorkerPool(config.workers)
        scratch, auth = open_scratch(config), self._auth
        disk = self._disk = Disk(config, _blobs_folder(config))
        files = SheetFiles(self._store.sheets, self._blobs, self._workers, scratch, disk)
        self._library = SheetLibrary(self._store.sheets, files, scratch, auth.auditor, config.sheets)
        sheets = sheets or LibrarySheets(self._library)
        audit = RoomAudit(auth.auditor)
        turns = Turns(loop, config.limits, stats)
        self._hub = Hub(
            config,
            stats,
            loop,
            self._store,
            self._blobs,
            passwords,
            login_verifier,
            self._live,
            sheets,
            audit,
            turns,
            disk,
        )
        watcher = AccountWatcher(self._hub, auth.traces)
        self._auth.notifier.add(watcher)
        self._recheck = Recheck(self._store, self._hub, watcher, auth.traces)
        self._avatars = Avatars(
            self._store.accounts,
            auth.public_accounts,
            self._blobs,
            self._workers,
            scratch,
            auth.moderation,
            auth.auditor,
            disk,
        )
        heartbeat = Heartbeat(loop, config.limits.ping_interval_s, config.limits.silence_s)
        wiring: Wiring[Session] = Wiring(loop, config.limits, self._hub, stats, heartbeat, turns)
        self._heartbeat = heartbeat
        self._rest = RestSide(
            config,
            self._hub,
            auth,
            self._store,
            self._library,
            self._avatars,
            self._why_not_ready,
            self._metrics(stats),
            scratch,
            Opener(wiring),
            login_verifier,
            turns,
        )
        self._listener = Listener(
            config.limits, config.server.trusted_proxies, self._rest.protocol, self._rest.refusal, turns
        )
        self._stopped = asyncio.Event()
        self._readiness = Readiness(self._store, self._blobs, self._live)
        self._keeping = (self._keep_store, self._keep_library, self._keep_house, self._readiness.watch)
        self._housekeeper = Housekeeper(lambda: stats.loop_busy, lambda: len(self._hub.sessions))
        self._keepers: list[asyncio.Task[None]] = []
        self._blobs_starter: asyncio.Task[None] | None = None
        self._store_answers = False
        self._tls = load_tls(config.server)
        self.port = 0

    async def run(self, on_ready: Callable[[str], None]) -> None:
        """Start, serve until a signal or `request_stop`, stop. `on_ready` gets the server's address as a URL."""
        for number in SIGNALS:
            self._loop.add_signal_handler(number, self.request_stop)
        try:
            await self.start()
            on_ready(self.url)
            await self._stopped.wait()
            await self.stop()
        finally:
            for number in SIGNALS:
                self._loop.remove_signal_handler(number)

    async def start(self) -> None:
        """Raises OSError when the port cannot be had, StoreError when the store is of another version."""
        await self._start_store()
        self._keepers = [self._loop.create_task(keep()) for keep in self._keeping]
        self._auth.start()
        self._avatars.start()
        self._rest.start()
        await asyncio.to_thread(self._live.open)
        await self._hub.restore()
        self._hub.start()
        self._heartbeat.start()
        self.port = await self._listener.start(self._config.server.hosts, self._config.server.port, self._tls)

    def request_stop(self) -> None:
        self._stopped.set()

    async def stop(self) -> None:
        """No new connections, members told, buffers flushed, code 1012, out within `server.stop_s`."""
        server_log.info("stopping: %d connections", self._listener.connections)
        self._listener.stop_accepting()
        self._rest.refuse_sockets()
        self._heartbeat.stop()
        self._hub.recorder.stop()
        await self._hub.settle(self._config.server.stop_s / 4)
        self._hub.stop()
        await asyncio.gather(
            self._rest.stop(),
            self._listener.drain(self._config.server.stop_s / 2),
            self._hub.settle(self._config.server.stop_s / 2),
        )
        for task in (*self._keepers, self._blobs_starter):
            if task is not None:
                task.cancel()
        await self._workers.close()
        await self._avatars.stop()
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(self._config.server.stop_s / 4):
                await self._library.close()
        await self._auth.stop(self._config.server.stop_s / 4)
        await self._cache.close()
        await self._store.close()
        await self._blobs.close()
        self._live.close()
        server_log.info("stopped")

    @property
    def auth(self) -> Auth:
        """The services behind accounts and logins."""
        return self._auth

    @property
    def blobs(self) -> BlobStore:
        """The files."""
        return self._blobs

    @property
    def library(self) -> SheetLibrary:
        """The sheet music."""
        return self._library

    @property
    def hub(self) -> Hub:
        """The rooms and sessions."""
        return self._hub

    @property
    def workers(self) -> WorkerPool:
        """The processes that read strangers' files."""
        return self._workers

    @property
    def url(self) -> str:
        """An address that this machine reaches it under, whatever it listens on."""
        return local_url(self._config.server, self.port)

    async def _start_store(self) -> None:
        """A database that is away is no reason not to play; `_keep_store` goes on trying."""
        try:
            await self._store.start()
            self._store_answers = True
        except StoreUnavailable as error:
            server_log.warning("the store is away: %s", error)
        try:
            await self._blobs.start()
        except StoreUnavailable:  # it has logged that
            self._blobs_starter = self._loop.create_task(self._keep_starting_blobs())

    async def _keep_starting_blobs(self) -> None:
        while True:
            await asyncio.sleep(PING_S)
            with suppress(StoreUnavailable, ConfigError):
                await self._blobs.start()
                return

    async def _keep_library(self) -> None:
        """Apart from the store's keeper: a sweep looks through all files, and a place for files may be away alone."""
        while True:
            await asyncio.sleep(PING_S)
            try:
                if self._store_answers:
                    await self._library.tend(unix_ms())
            except StoreUnavailable:
                continue  # it has been logged, and what was due is due again
            except StoreError:
                server_log.exception("the library cannot be tended")

    async def _keep_house(self) -> None:
        while True:
            await self._housekeeper.look()
            await asyncio.sleep(PING_S)

    async def _keep_store(self) -> None:
        """Notice when the store goes away and comes, and what others changed in it; sweep out what is over."""
        swept = -self._config.store.expire_every_s
        while True:
            try:
                await (self._store.ping() if self._store_answers else self._store.start())
                self._store_answers = True
                await self._recheck.run()
                if self._loop.time() - swept >= self._config.store.expire_every_s:
                    await self._store.expire(unix_ms())
                    await self._hub.archive.sweep()
                    swept = self._loop.time()
            except StoreUnavailable:
                self._store_answers = False
            except StoreError:
                server_log.exception("the store cannot be used")
                self._store_answers = False
            await asyncio.sleep(PING_S)

    def _why_not_ready(self) -> str | None:
        if self._hub.sessions.stopping:
            return "stopping"
        return self._readiness.failing if self._store_answers else "store-away"

    def _metrics(self, stats: Stats) -> CollectorRegistry:
        registry = CollectorRegistry()
        hub = self._hub
        gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "connections": ("Open connections, HTTP included", lambda: self._listener.connections),
            "http_connections": (
                "Open connections that are no sockets, or not yet",
                lambda: self._listener.places.http,
            ),
            "sessions": ("Connected WebSocket clients", lambda: len(hub.sessions)),
            "rooms": ("Rooms", lambda: len(hub.registry)),
            "recordings": ("Rooms that are recorded", lambda: len(hub.recorder)),
            "performances": ("Rooms in which a sheet is played", lambda: len(hub.conductor)),
            "away": ("Clients that are gone and may come back", lambda: len(hub.sessions.away)),
            "worker_jobs": ("Files that worker processes look at", lambda: self._workers.running),
            "worker_queue": ("Files that wait for a worker process", lambda: self._workers.waiting),
            "files_bytes": ("Bytes of sheets, avatars and recordings that are kept", lambda: self._disk.kept),
            "files_total_bytes": ("Bytes of them that may be kept", lambda: self._disk.total),
            "players": ("Players in rooms", lambda: sum(len(room.members) for room in hub.registry)),
        }
        registry.register(StatsCollector(stats, gauges, hub.memory.by_kind))
        return registry
