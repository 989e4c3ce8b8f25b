"""What a ChatStore owes."""

import asyncio

from rhythm_protocol.messages import ChatKind, ChatLine
from rhythmd.ports import Store
from tests.contracts.rows import NOW, make_line
from tests.contracts.texts import AWKWARD_TEXTS

KEEP = 1_000


def contents(lines: list[ChatLine]) -> list[str]:
    return [line.content for line in lines]


async def test_append_keeps_every_field(store: Store) -> None:
    line = make_line("waves", kind=ChatKind.ME, user_id="u1", name="Ada", colour="#010203")
    [kept] = await store.chat.append("r", [line], KEEP)
    expected = ChatLine(
        id=kept.id, time=NOW, kind=ChatKind.ME, content="waves", user_id="u1", name="Ada", colour="#010203"
    )
    assert kept == expected
    assert await store.chat.last("r", 10) == [expected]


async def test_append_ids_grow_within_the_room(store: Store) -> None:
    ids: list[int] = []
    for n in range(5):
        ids += [line.id for line in await store.chat.append("r", [make_line(str(n)), make_line(f"{n}b")], KEEP)]
        await store.chat.append("other", [make_line()], KEEP)
    assert ids == sorted(set(ids))
    assert [line.id for line in await store.chat.last("r", 100)] == ids


async def test_append_nothing(store: Store) -> None:
    assert await store.chat.append("r", [], KEEP) == []


async def test_append_at_once_gives_different_ids(store: Store) -> None:
    texts = [str(n) for n in range(50)]
    appended = await asyncio.gather(*(store.chat.append("r", [make_line(text)], KEEP) for text in texts))
    lines = sorted((line for [line] in appended), key=lambda line: line.id)
    assert len({line.id for line in lines}) == 50
    assert await store.chat.last("r", 100) == lines


async def test_append_many_at_a_time(store: Store) -> None:
    texts = [str(n) for n in range(5_000)]
    await store.chat.append("r", [make_line(text) for text in texts], 10_000)
    assert contents(await store.chat.last("r", 10_000)) == texts


async def test_append_leaves_the_newest(store: Store) -> None:
    await store.chat.append("other", [make_line()], 3)
    for n in range(6):
        await store.chat.append("r", [make_line(str(n))], 3)
    assert contents(await store.chat.last("r", 100)) == ["3", "4", "5"]
    await store.chat.append("r", [make_line(str(n)) for n in range(10, 20)], 3)
    assert contents(await store.chat.last("r", 100)) == ["17", "18", "19"]
    await store.chat.append("r", [make_line()], 0)
    assert await store.chat.last("r", 100) == []
    assert len(await store.chat.last("other", 100)) == 1


async def test_last_gives_the_newest_oldest_first(store: Store) -> None:
    await store.chat.append("r", [make_line(str(n)) for n in range(10)], KEEP)
    assert contents(await store.chat.last("r", 3)) == ["7", "8", "9"]
    assert await store.chat.last("r", 0) == []
    assert await store.chat.last("unknown", 3) == []


async def test_clear_leaves_other_rooms_and_ids_go_on(store: Store) -> None:
    [before] = await store.chat.append("r", [make_line()], KEEP)
    await store.chat.append("other", [make_line("stays")], KEEP)
    await store.chat.clear("r")
    assert await store.chat.last("r", 10) == []
    assert contents(await store.chat.last("other", 10)) == ["stays"]
    [after] = await store.chat.append("r", [make_line()], KEEP)
    assert after.id > before.id


async def test_texts_come_back_as_they_were(store: Store) -> None:
    for text in AWKWARD_TEXTS:
        lines = await store.chat.append(text, [make_line(text, name=text)], KEEP)
        assert await store.chat.last(text, 10) == lines
        assert contents(lines) == [text]
