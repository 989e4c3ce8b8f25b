"""What a Store owes as a whole: pages, expiry, start and stop."""

import asyncio
import base64
from typing import Final

import pytest

from rhythmd.ports import InvalidCursor, Store, StoreUnavailable
from rhythmd.rows import Account
from tests.conftest import ErrorLog
from tests.contracts.rows import NOW, make_account, make_entry


async def read_pages(store: Store, limit: int) -> list[Account]:
    """All accounts, page by page; before each further page newer and older rows are added and one is changed."""
    page = await store.accounts.page(limit)
    seen = page.items
    while page.next is not None:
        assert len(page.items) == limit
        await store.accounts.create(make_account(created=NOW + 1_000_000))
        page = await store.accounts.page(limit, page.next)
        seen = seen + page.items
    return seen


@pytest.mark.parametrize("limit", [1, 3, 7, 20, 21])
async def test_page_by_page_shows_each_row_once_while_rows_are_added(store: Store, limit: int) -> None:
    accounts = [make_account(created=NOW + n // 5) for n in range(20)]  # five of each time
    await asyncio.gather(*(store.accounts.create(account) for account in accounts))
    expected = sorted(accounts, key=lambda account: (account.created, account.id), reverse=True)
    assert await read_pages(store, limit) == expected


async def test_page_of_nothing(store: Store) -> None:
    page = await store.accounts.page(10)
    assert (page.items, page.next) == ([], None)


def as_cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


MADE_UP_CURSORS: Final = (
    "",
    "x",
    "é",
    "AAAA",
    as_cursor("[1]"),
    as_cursor('{"$gt": 0}'),
    as_cursor('[{"$gt": 0}, "x"]'),
    as_cursor('[1, {"$ne": ""}]'),
    as_cursor('[-1, "x"]'),
    as_cursor('[1e400, "x"]'),
    as_cursor(f'[{2**64}, "x"]'),
    as_cursor('[1, "\\ud800"]'),
)


async def test_page_with_made_up_cursor_is_refused(store: Store) -> None:
    for cursor in MADE_UP_CURSORS:
        for page in (
            store.accounts.page(10, cursor),
            store.sessions.page("u", NOW, 10, cursor),
            store.audit.page(NOW, 10, cursor),
        ):
            with pytest.raises(InvalidCursor):
                await page


async def test_expire_removes_nothing_that_counts(store: Store) -> None:
    account = make_account()
    entry = make_entry()
    await store.accounts.create(account)
    await store.audit.append([entry])
    await store.expire(NOW)
    assert await store.accounts.get(account.id) == account
    assert (await store.audit.page(NOW, 10)).items == [entry]


async def test_ping_and_check_of_a_sound_store(store: Store) -> None:
    await store.accounts.create(make_account())
    await store.ping()
    assert await store.check() == []


async def test_start_again_keeps_what_is_there(store: Store) -> None:
    account = make_account()
    await store.accounts.create(account)
    await store.close()
    await store.start()
    assert await store.accounts.get(account.id) == account


async def test_calls_after_close_are_refused(store: Store) -> None:
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.ping()
    with pytest.raises(StoreUnavailable):
        await store.accounts.create(make_account())


async def test_text_that_is_no_unicode_is_refused(store: Store, errors_logged: ErrorLog) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        await store.accounts.create(make_account(username="\ud800"))
    errors_logged.records.clear()


async def test_probe_says_whether_anything_is_kept(store: Store, errors_logged: ErrorLog) -> None:
    for now in (NOW, NOW + 1):
        await store.probe(now)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.probe(NOW)
    errors_logged.records.clear()
