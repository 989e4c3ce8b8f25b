"""A memory that all networks share: one that fills it pushes nobody else's entries out."""

import asyncio

from rhythmd.fairness.account import NetworkAccount
from rhythmd.fairness.remembered import FairDict
from rhythmd.store.cache import MemoryCache
from tests.fairness.payers import new_account, paid_by


def test_network_with_its_part_evicts_its_own() -> None:
    remembered: FairDict[str, int] = FairDict(20)
    remembered.set("other", "ticket", 1)
    for number in range(100):
        remembered.set("many", f"m{number}", number)
    assert (remembered.get("ticket"), len(remembered)) == (1, 3)
    assert [remembered.get(f"m{number}") for number in (97, 98, 99)] == [None, 98, 99]


def test_beyond_the_limit_of_all_the_oldest_goes() -> None:
    remembered: FairDict[str, int] = FairDict(2)
    for number in range(3):
        remembered.set(None, f"n{number}", number)
        remembered.get("n0")
    assert [remembered.get(f"n{number}") for number in range(3)] == [0, None, 2]
    remembered.clear()
    assert len(remembered) == 0


def test_entry_that_is_set_again_is_its_new_network_s() -> None:
    remembered: FairDict[str, int] = FairDict(10)
    remembered.set("a", "key", 1)
    remembered.set("b", "key", 2)
    remembered.set("a", "mine", 3)
    remembered.set("b", "yours", 4)
    assert [remembered.get(key) for key in ("key", "mine", "yours")] == [None, 3, 4]
    remembered.discard("nothing")


async def test_tickets_of_a_crowd_push_out_no_login_under_way() -> None:
    cache, crowd = MemoryCache(100), NetworkAccount()

    async def take_tickets(number: int) -> None:
        await cache.set(f"ticket {number}", b"", 600)

    await paid_by(new_account(), cache.set("login", b"state", 600))
    await asyncio.gather(*(paid_by(new_account(crowd), take_tickets(number)) for number in range(200)))
    assert await cache.get("login") == b"state"
    assert len(cache) == 11
