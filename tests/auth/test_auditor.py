"""The audit: what is recorded, and that nothing taken is lost."""

import logging
from collections.abc import AsyncIterator, Sequence

import pytest

from rhythmd.auth.auditor import Auditor, AuthAction
from rhythmd.auth.errors import Busy, InvalidRefreshToken, WrongCredentials
from rhythmd.auth.service import Auth
from rhythmd.auth.values import Client
from rhythmd.ports import AuditStore, Store, StoreUnavailable
from rhythmd.rows import AuditEntry, AuditFilter, Page, Role
from tests.auth.parts import CLIENT, ELSEWHERE, PASSWORD, ManualClock
from tests.conftest import ErrorLog
from tests.deadline import until

STOP_S = 5.0
PER_DAY = 20
HOUR_MS = 3_600_000


class FlakyAudit:
    """The store's audit, away when the test says so; `half` writes and then says that it did not."""

    def __init__(self, real: AuditStore) -> None:
        self.real = real
        self.away = False
        self.half = False
        self.asked = 0

    async def append(self, entries: Sequence[AuditEntry]) -> None:
        self.asked += 1
        if self.half or not self.away:
            await self.real.append(entries)
        if self.half or self.away:
            raise StoreUnavailable("away")

    async def page(
        self, now: int, limit: int, cursor: str | None = None, where: AuditFilter | None = None
    ) -> Page[AuditEntry]:
        return await self.real.page(now, limit, cursor, where)


@pytest.fixture
def flaky(store: Store) -> FlakyAudit:
    return FlakyAudit(store.audit)


@pytest.fixture
async def auditor(flaky: FlakyAudit, clock: ManualClock) -> AsyncIterator[Auditor]:
    made = Auditor(flaky, days=90, queue=1_000, per_day=PER_DAY, clock=clock, retry_s=0.005)
    yield made
    await made.stop(STOP_S)


async def actions(store: Store, clock: ManualClock, limit: int = 1_000) -> list[str]:
    """What is in the store, in no order."""
    return sorted(entry.action for entry in (await store.audit.page(clock.now, limit)).items)


async def test_record_tells_who_did_what_to_whom_from_where(auditor: Auditor, store: Store, clock: ManualClock) -> None:
    auditor.start()
    auditor.record("room.deleted", actor="anna", target="room", client=Client("192.0.2.1", "b\udcff"), name="Music")
    await until(lambda: auditor.waiting == 0, "the entry")
    (entry,) = (await store.audit.page(clock.now, 10)).items
    assert (entry.action, entry.actor_id, entry.target) == ("room.deleted", "anna", "room")
    assert (entry.address, entry.user_agent, entry.details) == ("192.0.2.1", "b?", {"name": "Music"})
    assert (entry.time, entry.expires) == (clock.now, clock.now + 90 * 86_400_000)


async def test_record_while_the_store_is_away_is_written_later_once_each(
    auditor: Auditor, flaky: FlakyAudit, store: Store, clock: ManualClock
) -> None:
    flaky.away = True
    auditor.start()
    names = sorted(f"action-{i}" for i in range(500))
    for name in names:
        auditor.record(name)
    await until(lambda: flaky.asked > 2, "attempts")
    flaky.half = True
    asked = flaky.asked
    await until(lambda: flaky.asked > asked + 2, "attempts that succeed unnoticed")
    flaky.away = flaky.half = False
    await until(lambda: auditor.waiting == 0, "the entries")
    assert await actions(store, clock) == names


async def test_record_too_many_waiting_is_refused_and_heals(
    auditor: Auditor, flaky: FlakyAudit, store: Store, clock: ManualClock
) -> None:
    for _ in range(1_000):
        auditor.record("taken")
    with pytest.raises(Busy):
        auditor.record("refused")
    auditor.start()
    await until(lambda: auditor.waiting == 0, "the entries")
    assert await actions(store, clock, 2_000) == ["taken"] * 1_000


async def test_record_of_other_networks_is_taken_although_one_has_its_part(
    auditor: Auditor, flaky: FlakyAudit, store: Store, clock: ManualClock
) -> None:
    flaky.away = True
    for number in range(100):
        auditor.record("taken", client=Client(f"2001:db8::{number:x}"))
    with pytest.raises(Busy):
        auditor.record("refused", client=Client("2001:db8::ffff"))
    for address in ("2001:db8:1::1", "192.0.2.1", "127.0.0.1", ""):
        auditor.record("another", client=Client(address))
    flaky.away = False
    auditor.start()
    await until(lambda: auditor.waiting == 0, "the entries")
    auditor.record("taken", client=Client("2001:db8::1"))
    await until(lambda: auditor.waiting == 0, "one more")
    assert await actions(store, clock) == ["another"] * 4 + ["taken"] * 101


async def test_network_with_too_many_ordinary_entries_has_them_summed_up(
    auditor: Auditor, store: Store, clock: ManualClock
) -> None:
    auditor.start()
    for number in range(PER_DAY + 7):
        auditor.record("room.changed", client=Client(f"2001:db8::{number:x}"))
    auditor.record("account.banned", client=Client("2001:db8::1"))
    auditor.record("room.changed", client=Client("2001:db8:1::1"))
    await until(lambda: auditor.waiting == 0, "the entries")
    assert await actions(store, clock) == ["account.banned"] + ["room.changed"] * (PER_DAY + 1)
    clock.advance(HOUR_MS / 1_000)
    auditor.record("room.changed", client=Client("2001:db8:1::1"))
    await until(lambda: auditor.waiting == 0, "the sum")
    entries = (await store.audit.page(clock.now, 100)).items
    assert [entry.details for entry in entries if entry.details] == [{"network": "2001:db8::/64", "more": 7}]


async def test_stop_writes_what_was_to_be_summed_up(auditor: Auditor, store: Store, clock: ManualClock) -> None:
    auditor.start()
    for _ in range(PER_DAY + 1):
        auditor.record("logout", client=Client("192.0.2.1"))
    await auditor.stop(STOP_S)
    assert len(await actions(store, clock)) == PER_DAY + 1


async def test_stop_writes_what_waits(auditor: Auditor, store: Store, clock: ManualClock) -> None:
    auditor.start()
    for _ in range(300):
        auditor.record("last words")
    await auditor.stop(STOP_S)
    assert await actions(store, clock) == ["last words"] * 300


async def test_stop_while_the_store_stays_away_leaves_the_entries_in_the_log(
    auditor: Auditor, flaky: FlakyAudit, errors_logged: ErrorLog
) -> None:
    flaky.away = True
    auditor.start()
    auditor.record("last words", actor="anna")
    await until(lambda: flaky.asked > 0, "an attempt")
    await auditor.stop(0.01)
    (logged,) = errors_logged.records
    assert logged.levelno == logging.ERROR
    assert '"action":"last words"' in logged.getMessage()
    errors_logged.records.clear()


async def test_services_record_what_they_do(auth: Auth, store: Store, clock: ManualClock) -> None:
    anna = await auth.accounts.register("anna", PASSWORD, None, CLIENT)
    with pytest.raises(WrongCredentials):
        await auth.accounts.login("anna", "something else", ELSEWHERE)
    await auth.sessions.refresh(anna.grant.refresh_token, CLIENT)
    with pytest.raises(InvalidRefreshToken):
        await auth.sessions.refresh(anna.grant.refresh_token, ELSEWHERE)
    other = await auth.accounts.login("anna", PASSWORD, CLIENT)
    await auth.accounts.change_password(other.account, other.grant.session_id, PASSWORD, "another password", CLIENT)
    await auth.sessions.logout(anna.account.id, other.grant.session_id, CLIENT)
    await auth.moderation.set_roles(None, "anna", frozenset({Role.PRO}), CLIENT)
    await auth.moderation.ban(None, "anna", 60, "noise", CLIENT)
    await until(lambda: auth.auditor.waiting == 0, "the entries")
    expected = [
        AuthAction.REGISTERED,
        *[AuthAction.LOGIN] * 2,
        AuthAction.LOGIN_FAILED,
        AuthAction.REFRESH_REPLAYED,
        AuthAction.PASSWORD_CHANGED,
        AuthAction.LOGOUT,
        AuthAction.ROLES_CHANGED,
        AuthAction.BANNED,
    ]
    assert await actions(store, clock) == sorted(expected)


async def test_record_of_a_failed_login_tells_the_address_and_no_typed_text(
    auth: Auth, store: Store, clock: ManualClock
) -> None:
    with pytest.raises(WrongCredentials):
        await auth.accounts.login("my-password", "something else", ELSEWHERE)
    await until(lambda: auth.auditor.waiting == 0, "the entry")
    (entry,) = (await store.audit.page(clock.now, 10)).items
    assert (entry.target, entry.address, entry.details) == (None, ELSEWHERE.address, {})
