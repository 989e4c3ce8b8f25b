"""The same query finds the same sheets in every database, in the same order."""

import pytest
from msgspec import structs

from rhythmd.ports import InvalidCursor, Store
from rhythmd.rows import (
    FACET_TAGS,
    Approval,
    Difficulty,
    Sheet,
    SheetCategory,
    SheetChanges,
    SheetFacets,
    SheetPrivacy,
    SheetQuery,
    SheetScope,
    SheetSort,
)
from tests.contracts.rows import NOW, make_sheet, make_sheet_file

TITLES = (
    "Moonlight Sonata",
    "Für Elise",
    "Élégie, Op. 10",
    "月光ソナタ 第1番",
    "千本桜",
    "Лунная соната",
    "Щелкунчик – Вальс цветов",
    "Λούνα",
    "夜想曲",
    "Straße im Regen",
    "C++ (100% [pure] \"quoted\" 'single' * AND OR NOT NEAR",
    "Gymnopédie No. 1",
    "달빛",
    "ガンダム",
    "Don't Stop",
)


@pytest.fixture
async def library(store: Store) -> Store:
    await store.sheets.add_file(make_sheet_file())
    return store


async def add(store: Store, title: str = "Air", **fields: object) -> Sheet:
    sheet = structs.replace(make_sheet(title=title, approval=Approval.APPROVED), **fields)
    return await store.sheets.create(sheet)


async def titles(store: Store, text: str = "", **fields: object) -> list[str]:
    query = structs.replace(SheetQuery(text=text, sort=SheetSort.OLDEST), **fields)
    return [sheet.title for sheet in (await store.sheets.search(query, 50)).items]


async def walk(store: Store, query: SheetQuery, limit: int) -> list[Sheet]:
    page = await store.sheets.search(query, limit)
    found = page.items
    while page.next is not None:
        assert len(page.items) == limit
        page = await store.sheets.search(query, limit, page.next)
        found = found + page.items
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("moonlight", ["Moonlight Sonata"]),
        ("MOON son", ["Moonlight Sonata"]),
        ("sonata moonlight", ["Moonlight Sonata"]),
        ("onlight", []),
        ("fur", ["Für Elise"]),
        ("FÜR", ["Für Elise"]),
        ("fu\u0308r", ["Für Elise"]),
        ("elegie", ["Élégie, Op. 10"]),
        ("élégie op 10", ["Élégie, Op. 10"]),
        ("gymnopedie", ["Gymnopédie No. 1"]),
        ("strasse", ["Straße im Regen"]),
        ("ｍｏｏｎ", ["Moonlight Sonata"]),
        ("月光", ["月光ソナタ 第1番"]),
        ("月", ["月光ソナタ 第1番"]),
        ("光", ["月光ソナタ 第1番"]),
        ("ソナタ", ["月光ソナタ 第1番"]),
        ("ｿﾅﾀ", ["月光ソナタ 第1番"]),
        ("月桜", []),
        ("本桜", ["千本桜"]),
        ("曲", ["夜想曲"]),
        ("がんだむ", []),
        ("ガンダム", ["ガンダム"]),
        ("カンタム", []),
        ("лунная", ["Лунная соната"]),
        ("ЛУН СОН", ["Лунная соната"]),
        ("вальс", ["Щелкунчик – Вальс цветов"]),
        ("λουνα", ["Λούνα"]),
        ("달", ["달빛"]),
        ("don't", ["Don't Stop"]),
        ("c++", ["C++ (100% [pure] \"quoted\" 'single' * AND OR NOT NEAR"]),
        ("100%", ["C++ (100% [pure] \"quoted\" 'single' * AND OR NOT NEAR"]),
        ("AND OR NOT", ["C++ (100% [pure] \"quoted\" 'single' * AND OR NOT NEAR"]),
        ('"quoted"', ["C++ (100% [pure] \"quoted\" 'single' * AND OR NOT NEAR"]),
        ("***", []),
        ('"', []),
        ("title:moon", []),
        ("moon*light", []),
        ("moon OR elise", []),
        ("moon NEAR/3 sonata", []),
        (".*", []),
        ("^moon", ["Moonlight Sonata"]),
        ("$where", []),
        ("\\", []),
        ("\x00moon", ["Moonlight Sonata"]),
    ],
)
async def test_words(library: Store, text: str, expected: list[str]) -> None:
    for title in TITLES:
        await add(library, title)
    assert await titles(library, text) == expected
    assert (await library.sheets.facets(SheetQuery(text=text))).total == len(expected)


async def test_search_looks_at_title_artist_album_tags_and_creator(library: Store) -> None:
    await add(library, "One", artist="Érik Satie")
    await add(library, "Two", album="Satiety")
    await add(library, "Three", tags=("satie-like",))
    await add(library, "Four", creator="Satie")
    await add(library, "Five", description="Satie", file_name="satie.mid")
    assert await titles(library, "satie") == ["One", "Two", "Three", "Four"]
    assert await titles(library, "satie erik") == ["One"]
    assert await titles(library, "four satie") == ["Four"]


async def test_no_text_finds_all_that_are_listed(library: Store) -> None:
    await add(library, "Listed")
    await add(library, "Waiting", approval=Approval.PENDING)
    await add(library, "Refused", approval=Approval.REJECTED)
    await add(library, "By link", privacy=SheetPrivacy.UNLISTED)
    await add(library, "Mine alone", privacy=SheetPrivacy.PRIVATE)
    assert await titles(library) == ["Listed"]
    assert await titles(library, " \t") == ["Listed"]


async def test_scopes(library: Store) -> None:
    for privacy in SheetPrivacy:
        for approval in Approval:
            for creator in ("u1", "u2"):
                await add(
                    library, f"{privacy} {approval} {creator}", privacy=privacy, approval=approval, creator_id=creator
                )
    assert await titles(library) == ["public approved u1", "public approved u2"]
    assert len(await titles(library, scope=SheetScope.PUBLIC)) == 6
    own = await titles(library, scope=SheetScope.OWN, viewer="u1")
    assert len(own) == 9
    assert all(title.endswith("u1") for title in own)
    others = set(await titles(library, scope=SheetScope.READABLE, viewer="u1")) - set(own)
    assert others == {"public approved u2", "public pending u2", "unlisted approved u2", "unlisted pending u2"}
    assert await titles(library, "pending", scope=SheetScope.PUBLIC) == ["public pending u1", "public pending u2"]
    await add(library, "changed since", approval=Approval.PENDING, rejection="no", creator_id="u2")
    assert await titles(library, "changed", scope=SheetScope.READABLE, viewer="u1") == []
    assert await titles(library, "changed", scope=SheetScope.READABLE, viewer="u2") == ["changed since"]


async def test_filters(library: Store) -> None:
    await add(library, "A", category=SheetCategory.MIDI, difficulty=Difficulty.EXPERT, tags=("jazz", "slow"))
    await add(library, "B", category=SheetCategory.MIDI, creator_id="u2", tags=("slow",))
    await add(library, "C", tags=("slower",), creator_id="u2")
    await library.sheets.like("u3", (await library.sheets.sheets(1))[0].id, NOW, 10)
    assert await titles(library, category=SheetCategory.MIDI) == ["A", "B"]
    assert await titles(library, difficulty=Difficulty.EXPERT) == ["A"]
    assert await titles(library, tag="slow") == ["A", "B"]
    assert await titles(library, tag="sl") == []
    assert await titles(library, creator="u2") == ["B", "C"]
    assert await titles(library, creator="u2", category=SheetCategory.MIDI, tag="slow") == ["B"]
    assert await titles(library, favorite=True, viewer="u3") == ["A"]
    assert await titles(library, favorite=True, viewer="u4") == []
    assert await titles(library, "b", tag="slow") == ["B"]
    assert await titles(library, scope=SheetScope.PUBLIC, approval=Approval.PENDING) == []


async def test_facets_count_what_is_found(library: Store) -> None:
    await add(library, "Slow A", category=SheetCategory.MIDI, difficulty=Difficulty.EXPERT, tags=("jazz", "slow"))
    await add(library, "Slow B", category=SheetCategory.MIDI, tags=("slow",))
    await add(library, "Fast C", tags=("fast",))
    await add(library, "Slow D", approval=Approval.PENDING, tags=("slow",))
    everything = await library.sheets.facets(SheetQuery())
    assert everything == SheetFacets(
        total=3,
        complete=True,
        category={"midi": 2, "abc": 1},
        difficulty={"expert": 1, "unknown": 2},
        tags={"slow": 2, "fast": 1, "jazz": 1},
    )
    slow = await library.sheets.facets(SheetQuery(text="slow", difficulty=Difficulty.UNKNOWN))
    assert (slow.total, slow.category, slow.tags) == (1, {"midi": 1}, {"slow": 1})
    nothing = await library.sheets.facets(SheetQuery(text="***"))
    assert (nothing.total, nothing.complete, nothing.tags) == (0, True, {})


async def test_facets_name_the_most_frequent_tags(library: Store) -> None:
    for number in range(FACET_TAGS + 5):
        await add(library, tags=(f"tag{number:02}", "common"))
    tags = (await library.sheets.facets(SheetQuery())).tags
    assert len(tags) == FACET_TAGS
    assert list(tags.items())[:2] == [("common", FACET_TAGS + 5), ("tag00", 1)]


async def test_best_match_puts_titles_first(library: Store) -> None:
    await add(library, "Clair", artist="Moon")
    await add(library, "Moon")
    await add(library, "Moonlight")
    await add(library, "Blue Moon")
    await add(library, "Other", tags=("moon",))
    found = await walk(library, SheetQuery(text="moon"), 2)
    assert [sheet.title for sheet in found] == ["Blue Moon", "Moon", "Moonlight", "Other", "Clair"]


async def test_orders(library: Store) -> None:
    sheets = [await add(library, f"Air {number}") for number in range(5)]
    await library.sheets.add_views({sheets[1].id: 5, sheets[3].id: 5, sheets[4].id: 1})
    for text in ("", "air"):
        for sort, expected in (
            (SheetSort.NEWEST, "43210"),
            (SheetSort.OLDEST, "01234"),
            (SheetSort.VIEWED, "31420"),
            (SheetSort.BEST, "43210"),
        ):
            for limit in (1, 2, 3, 5, 6):
                found = await walk(library, SheetQuery(text=text, sort=sort), limit)
                assert "".join(sheet.title[-1] for sheet in found) == expected, (text, sort, limit)


@pytest.mark.parametrize("sort", list(SheetSort))
async def test_pages_are_stable_while_sheets_come_and_go(library: Store, sort: SheetSort) -> None:
    sheets = [await add(library, f"Air {number}") for number in range(12)]
    query = SheetQuery(text="air", sort=sort)
    page = await library.sheets.search(query, 4)
    seen = [sheet.id for sheet in page.items]
    await library.sheets.delete(seen[3])  # the cursor's own sheet
    await add(library, "Air new")
    unseen = [sheet.id for sheet in sheets if sheet.id not in seen]
    await library.sheets.delete(unseen[2])
    await library.sheets.update(unseen[5], SheetChanges(updated=NOW, privacy=SheetPrivacy.PRIVATE))
    while page.next is not None:
        page = await library.sheets.search(query, 4, page.next)
        seen += [sheet.id for sheet in page.items]
    expected = {sheet.id for sheet in sheets} - {unseen[2], unseen[5]}
    assert len(seen) == len(set(seen))
    assert expected <= set(seen)


async def test_cursors_are_checked(library: Store) -> None:
    for number in range(3):
        await add(library, f"Air {number}")
    newest = (await library.sheets.search(SheetQuery(sort=SheetSort.NEWEST), 1)).next
    for cursor in ("", "x", "W10=", "eyJ9", "bnVsbA==", "🎹", "WyJiZXN0Iiw5OSwxXQ==", newest):
        with pytest.raises(InvalidCursor):
            await library.sheets.search(SheetQuery(text="air"), 1, cursor)


async def test_long_and_hostile_texts_are_only_words(library: Store) -> None:
    await add(library, "a " * 60)
    for text in (
        "a " * 10_000,
        "(" * 5_000,
        '"' * 999,
        "a" * 100_000,
        "{title_words}: a",
        "\ud7ff\uffff",
        "a' OR 1=1 --",
    ):
        await library.sheets.search(SheetQuery(text=text), 10)
        await library.sheets.facets(SheetQuery(text=text))
    assert len(await titles(library, "a " * 10_000)) == 1
