"""The audit log: an entry is taken at once, written in batches, and stored before the request is answered."""

import asyncio
import contextlib
from collections import Counter, deque
from enum import StrEnum
from itertools import islice
from typing import Final, Protocol

import msgspec

from rhythmd.addresses import customer_network, is_loopback
from rhythmd.auth.errors import Busy
from rhythmd.auth.secret import new_id
from rhythmd.auth.values import Client, Clock
from rhythmd.bounded import BoundedDict
from rhythmd.fairness.remembered import PART
from rhythmd.ports import AuditStore, StoreUnavailable
from rhythmd.rows import AuditEntry
from rhythmd.telemetry import auth_log

__all__ = ["AuditTrail", "Auditor", "AuthAction", "Detail"]

BATCH: Final = 200
RETRY_S: Final = 0.5
SETTLE_S: Final = 2.0
DAY_MS: Final = 86_400_000
SUM_MS: Final = 3_600_000
NETWORKS: Final = 20_000  # whose entries of a day are counted


Detail = str | int | bool | list[str] | None


class AuthAction(StrEnum):
    """Actions of this package's services that the audit log has. `target` is the account's id."""

    REGISTERED = "account.registered"
    DELETED = "account.deleted"
    LOGIN = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGOUT = "logout"
    SESSION_REVOKED = "session.revoked"
    REFRESH_REPLAYED = "session.replayed"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - the name of an action
    IDENTITY_LINKED = "identity.linked"
    IDENTITY_UNLINKED = "identity.unlinked"
    ROLES_CHANGED = "roles.changed"
    BANNED = "account.banned"
    UNBANNED = "account.unbanned"
    MUTED = "account.muted"
    UNMUTED = "account.unmuted"
    AVATAR_TAKEN_DOWN = "avatar.taken-down"


ORDINARY: Final = frozenset(
    {
        AuthAction.REGISTERED,
        AuthAction.LOGIN,
        AuthAction.LOGIN_FAILED,
        AuthAction.LOGOUT,
        AuthAction.SESSION_REVOKED,
        AuthAction.REFRESH_REPLAYED,
        AuthAction.PASSWORD_CHANGED,
        AuthAction.IDENTITY_LINKED,
        AuthAction.IDENTITY_UNLINKED,
        "room.created",
        "room.changed",
        "room.deleted",
        "recording.deleted",
    }
)
"""What anybody may do to what is their own, again and again. What somebody does by rank is never summed up."""


class AuditTrail(Protocol):
    """Keeps who did what with the power of their roles."""

    def record(self, action: str, *, actor: str, target: str, address: str, **details: str) -> None:
        """Take an entry: never raises, and never waits.

        Args:
            action: a word for it.
            actor: the id of who did it.
            target: the id of what it was done to.
            address: where they were.
            details: what else is worth knowing.
        """


class Auditor:
    """Writes audit entries in their order. An entry that `record` took is written, however long the store is away.

    Args:
        store: where entries end.
        days: that an entry is kept.
        queue: entries that may wait, a tenth of them of one network; one more raises Busy.
        per_day: of one network's ordinary entries; of more there is one an hour, which tells how many they were.
        clock: Unix ms.
        retry_s: seconds between attempts while the store is away.
    """

    def __init__(
        self, store: AuditStore, days: int, queue: int, per_day: int, clock: Clock, retry_s: float = RETRY_S
    ) -> None:
        self._store = store
        self._lifetime_ms = days * DAY_MS
        self._limit = queue
        self._clock = clock
        self._retry_s = retry_s
        self._part = max(1, queue // PART)
        self._waiting: deque[AuditEntry] = deque()
        self._of_network: Counter[str] = Counter()  # how many of them
        self._surplus = _Surplus(per_day)
        self._taken = 0
        self._written = 0
        self._progress = asyncio.Event()
        self._news = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Entries that are not written yet."""
        return len(self._waiting)

    def record(
        self,
        action: str,
        *,
        actor: str | None = None,
        target: str | None = None,
        client: Client | None = None,
        **details: Detail,
    ) -> None:
        """Take an entry.

        Args:
            action: a word for it, such as those of AuthAction.
            actor: the id of the user who did it.
            target: the id of what it was done to.
            client: where it was done from.
            details: what else is worth knowing; nothing secret.

        Raises:
            Busy: too many wait.
        """
        client = client or Client()
        network, now = _network(client.address), self._clock()
        self._tell_surplus(now)
        if network and action in ORDINARY and not self._surplus.may_stand_alone(network, action, now):
            return
        if len(self._waiting) >= self._limit or (network and self._of_network[network] >= self._part):
            raise Busy
        entry = AuditEntry(
            id=new_id(),
            time=now,
            expires=now + self._lifetime_ms,
            action=action,
            actor_id=actor,
            target=target,
            address=client.address,
            user_agent=client.agent,
            details=details,
        )
        self._take(entry)

    def _take(self, entry: AuditEntry) -> None:
        self._waiting.append(entry)
        self._of_network[_network(entry.address)] += 1
        self._taken += 1
        self._news.set()

    def _tell_surplus(self, now: int, *, at_once: bool = False) -> None:
        """One entry for each network and action that had too many, when that is due."""
        for (network, action), count in self._surplus.take(now, at_once=at_once):
            details: dict[str, Detail] = {"network": network, "more": count}
            expires = now + self._lifetime_ms
            self._take(AuditEntry(id=new_id(), time=now, expires=expires, action=action, details=details))

    async def settle(self) -> None:
        """Wait until what was taken so far is written, so that an answer given after this can be relied on.

        While the store is away only for `SETTLE_S`: the entries go on waiting for it.
        """
        taken = self._taken
        if self._written >= taken:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while self._written < taken:
                    await self._progress.wait()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="auditor")
        self._task.add_done_callback(_report)

    async def stop(self, timeout_s: float) -> None:
        """Write what waits. What cannot be written within `timeout_s` goes to the log."""
        self._stopping = True
        self._tell_surplus(self._clock(), at_once=True)
        self._news.set()
        if self._task:
            _, late = await asyncio.wait([self._task], timeout=timeout_s)
            for task in late:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        for entry in self._waiting:
            auth_log.error("audit entry not written: %s", msgspec.json.encode(entry).decode())
        self._waiting.clear()

    async def _run(self) -> None:
        while self._waiting or not self._stopping:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                await self._write(list(islice(self._waiting, BATCH)))

    async def _write(self, batch: list[AuditEntry]) -> None:
        """Append a batch and take it from the queue, or wait a little. Appending twice is harmless."""
        try:
            await self._store.append(batch)
        except StoreUnavailable as error:
            auth_log.warning("audit waits for the store: %s", error)
            await asyncio.sleep(self._retry_s)
        else:
            for entry in batch:
                self._waiting.popleft()
                self._of_network[_network(entry.address)] -= 1
            self._of_network += Counter()  # without those that have none left
            self._written += len(batch)
            self._progress.set()
            self._progress.clear()


class _Surplus:
    """How many entries each network has had today, and those above `per_day` that nobody was told of yet."""

    def __init__(self, per_day: int) -> None:
        self._per_day = per_day
        self._day = 0
        self._today: BoundedDict[str, int] = BoundedDict(NETWORKS)
        self._untold: BoundedDict[tuple[str, str], int] = BoundedDict(NETWORKS)
        self._first_at = 0

    def may_stand_alone(self, network: str, action: str, now: int) -> bool:
        """Whether there is an entry left for this one; else it is counted."""
        if now // DAY_MS != self._day:
            self._day = now // DAY_MS
            self._today.clear()
        count = self._today[network] = self._today.get(network, 0) + 1
        if count <= self._per_day:
            return True
        if not self._untold:
            self._first_at = now
        self._untold[network, action] = self._untold.get((network, action), 0) + 1
        return False

    def take(self, now: int, *, at_once: bool) -> list[tuple[tuple[str, str], int]]:
        """Those above, by network and action: at once, or an hour after the first of them and nothing before."""
        if not self._untold or (now - self._first_at < SUM_MS and not at_once):
            return []
        due = list(self._untold.items())
        self._untold.clear()
        return due


def _network(address: str | None) -> str:
    """Whose entries are counted together; "" for the operator's, and for loopback, which a whole machine shares."""
    return "" if not address or is_loopback(address) else customer_network(address)


def _report(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        auth_log.critical("the audit is no longer written", exc_info=error)
