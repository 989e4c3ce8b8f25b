"""What an AuditStore owes."""

from msgspec import structs

from rhythmd.ports import Store
from rhythmd.rows import AuditFilter
from tests.contracts.rows import DAY, NOW, make_entry
from tests.contracts.texts import AWKWARD_TEXTS


async def test_append_keeps_every_field(store: Store) -> None:
    entry = make_entry(
        "ban",
        actor_id="admin",
        target="u1",
        address="192.0.2.7",
        user_agent="Tests/1.0",
        details={"reason": "spam", "days": 3, "until": None, "list": [1, 2.5, True, {"a": "b"}]},
    )
    await store.audit.append([entry])
    assert (await store.audit.page(NOW, 10)).items == [entry]


async def test_append_details_with_operators_and_dots_in_keys(store: Store) -> None:
    deep: dict[str, object] = {}
    for _ in range(150):
        deep = {"down": deep}
    details = {"$where": "1", "a.b": {"$ne": None}, "": [{"$ref": "x", "$id": 1}], "$set": {"": "nul\x00"}, "d": deep}
    entry = make_entry(details=details)
    await store.audit.append([entry])
    assert (await store.audit.page(NOW, 10)).items == [entry]


async def test_texts_come_back_as_they_were(store: Store) -> None:
    for text in AWKWARD_TEXTS:
        entry = make_entry(user_agent=text, target=text, details={"text": text})
        await store.audit.append([entry])
        assert (await store.audit.page(NOW, 10, where=AuditFilter(target=text))).items == [entry]


async def test_append_again_adds_only_what_is_missing(store: Store) -> None:
    first, second = make_entry(time=NOW), make_entry(time=NOW + 1)
    await store.audit.append([first])
    await store.audit.append([structs.replace(first, action="changed"), second])
    assert (await store.audit.page(NOW, 10)).items == [second, first]


async def test_append_nothing(store: Store) -> None:
    await store.audit.append([])
    assert (await store.audit.page(NOW, 10)).items == []


async def test_append_many_at_a_time(store: Store) -> None:
    entries = [make_entry(time=NOW + n) for n in range(3_000)]
    await store.audit.append(entries)
    assert (await store.audit.page(NOW, 5_000)).items == entries[::-1]


async def test_page_by_each_filter(store: Store) -> None:
    login = make_entry("login", time=NOW + 1, actor_id="a")
    ban = make_entry("ban", time=NOW + 2, actor_id="b", target="a")
    unban = make_entry("unban", time=NOW + 3, actor_id="b", target="a")
    await store.audit.append([login, ban, unban])
    expected = {
        AuditFilter(): [unban, ban, login],
        AuditFilter(action="ban"): [ban],
        AuditFilter(actor_id="b"): [unban, ban],
        AuditFilter(target="a"): [unban, ban],
        AuditFilter(since=NOW + 2): [unban, ban],
        AuditFilter(until=NOW + 2): [login],
        AuditFilter(since=NOW + 2, until=NOW + 3, actor_id="b", target="a", action="ban"): [ban],
        AuditFilter(action="ban", actor_id="a"): [],
    }
    for where, entries in expected.items():
        assert (await store.audit.page(NOW, 10, where=where)).items == entries, where


async def test_page_with_filter_goes_on_at_the_cursor(store: Store) -> None:
    entries = [make_entry("ban" if n % 2 else "login", time=NOW + n) for n in range(10)]
    await store.audit.append(entries)
    where = AuditFilter(action="ban", since=NOW + 2)
    page = await store.audit.page(NOW, 2, where=where)
    assert page.items == [entries[9], entries[7]]
    page = await store.audit.page(NOW, 2, page.next, where)
    assert page.items == [entries[5], entries[3]]
    assert page.next is None


async def test_page_leaves_out_what_has_expired(store: Store) -> None:
    short, long = make_entry(expires=NOW + 10), make_entry(time=NOW + 1, expires=NOW + DAY)
    await store.audit.append([short, long])
    assert (await store.audit.page(NOW + 9, 10)).items == [long, short]
    assert (await store.audit.page(NOW + 10, 10)).items == [long]
