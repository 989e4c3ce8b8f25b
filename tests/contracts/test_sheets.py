"""What a SheetStore owes, but for the search."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from msgspec import structs

from rhythmd.ports import Conflict, NotFound, Store, TooMany
from rhythmd.rows import (
    Approval,
    Difficulty,
    Sheet,
    SheetCategory,
    SheetChanges,
    SheetPrivacy,
    SheetQuery,
    SheetScope,
)
from tests.contracts.conftest import DATABASE
from tests.contracts.rows import DAY, NOW, make_sheet, make_sheet_file
from tests.contracts.texts import AWKWARD_TEXTS
from tests.services import Mongod


async def add(store: Store, **fields: object) -> Sheet:
    await store.sheets.add_file(make_sheet_file())
    return await store.sheets.create(structs.replace(make_sheet(), **fields))


async def found(store: Store, text: str) -> list[Sheet]:
    return (await store.sheets.search(SheetQuery(text=text, scope=SheetScope.OWN, viewer="u1"), 10)).items


# Files


async def test_add_file_keeps_every_field(store: Store) -> None:
    file = make_sheet_file(size=5_000_000, midi_size=0, created=NOW + 1, used=NOW + 2)
    assert await store.sheets.add_file(file) == file
    assert await store.sheets.claim_file(file.hash, NOW) == file
    assert await store.sheets.files_of([file.hash, "unknown"]) == [file]
    assert await store.sheets.claim_file("unknown", NOW) is None


async def test_the_first_of_two_files_with_one_content_is_kept(store: Store) -> None:
    first, second = make_sheet_file(), make_sheet_file(used=NOW + 7)
    await store.sheets.add_file(first)
    assert await store.sheets.add_file(second) == structs.replace(first, used=NOW + 7)
    kept = await asyncio.gather(*(store.sheets.add_file(make_sheet_file("other")) for _ in range(5)))
    assert len({file.id for file in kept}) == 1


async def test_claim_file_moves_its_time_forward_only(store: Store) -> None:
    file = await store.sheets.add_file(make_sheet_file())
    assert await store.sheets.claim_file(file.hash, NOW + 5) == structs.replace(file, used=NOW + 5)
    assert await store.sheets.claim_file(file.hash, NOW + 3) == structs.replace(file, used=NOW + 5)


async def test_remove_file_spares_what_is_used(store: Store) -> None:
    file = await store.sheets.add_file(make_sheet_file())
    sheet = await store.sheets.create(make_sheet(file))
    assert not await store.sheets.remove_file(file.hash, NOW + DAY)
    await store.sheets.delete(sheet.id)
    assert not await store.sheets.remove_file(file.hash, NOW)
    assert await store.sheets.remove_file(file.hash, NOW + 1)
    assert not await store.sheets.remove_file(file.hash, NOW + 1)
    assert await store.sheets.files_of([file.hash]) == []


async def test_files_come_in_order(store: Store) -> None:
    files = [await store.sheets.add_file(make_sheet_file(str(number))) for number in range(5)]
    expected = sorted(files, key=lambda file: file.hash)
    assert await store.sheets.files(3) == expected[:3]
    assert await store.sheets.files(3, expected[2].hash) == expected[3:]


async def test_used_hashes(store: Store) -> None:
    used, unused = make_sheet_file("used"), make_sheet_file("unused")
    for file in (used, unused):
        await store.sheets.add_file(file)
    await store.sheets.create(make_sheet(used))
    await store.sheets.create(make_sheet(used))
    assert await store.sheets.used_hashes([used.hash, unused.hash, "unknown"]) == {used.hash}
    assert await store.sheets.used_hashes([]) == set()


async def test_creators_of_contents_are_those_of_their_first_sheets(store: Store) -> None:
    used, unused = make_sheet_file("used"), make_sheet_file("unused")
    for file in (used, unused):
        await store.sheets.add_file(file)
    first = await store.sheets.create(make_sheet(used, creator_id="first"))
    await store.sheets.create(make_sheet(used, creator_id="a second one"))
    assert await store.sheets.creators([used.hash, unused.hash, "unknown"]) == {used.hash: "first"}
    assert await store.sheets.creators([]) == {}
    await store.sheets.delete(first.id)
    assert await store.sheets.creators([used.hash]) == {used.hash: "a second one"}


# Sheets


async def test_create_keeps_every_field(store: Store) -> None:
    sheet = await add(
        store, size=1, file_name="../für.mid", title="Für Elise 🎹", artist="L. v. B.", album="Woo 59",
        description="a\n\nb", tags=("slow", "ピアノ"), difficulty=Difficulty.EXPERT, privacy=SheetPrivacy.UNLISTED,
        approval=Approval.REJECTED, rejection="spam", creator_id="u9", creator="Ölaf", created=NOW + 1,
        updated=NOW + 2, category=SheetCategory.MUSICXML, tempo=62.5, key="A minor", time_signature="3/8",
        duration_ms=3, notes=4, parts=2, remarks=("no chord symbols",),
    )  # fmt: skip
    assert await store.sheets.get(sheet.id) == sheet
    assert sheet.number > 0
    assert await store.sheets.get("unknown") is None


async def test_numbers_grow_and_are_never_given_again(store: Store) -> None:
    sheets = [await add(store) for _ in range(3)]
    await store.sheets.delete(sheets[-1].id)
    sheets.append(await add(store))
    numbers = [sheet.number for sheet in sheets]
    assert numbers == sorted(set(numbers))
    assert [sheet.number for sheet in await store.sheets.sheets(2)] == numbers[:2]
    assert [sheet.number for sheet in await store.sheets.sheets(2, numbers[1])] == numbers[3:]


async def test_find_looks_for_creator_content_and_name(store: Store) -> None:
    sheet = await add(store, file_name="für.mid", creator_id="u9")
    other = await store.sheets.add_file(make_sheet_file("other"))
    assert await store.sheets.find("u9", sheet.hash, "für.mid") == sheet
    for wanted in (("u1", sheet.hash, "für.mid"), ("u9", other.hash, "für.mid"), ("u9", sheet.hash, "fur.mid")):
        assert await store.sheets.find(*wanted) is None


async def test_create_needs_its_file_and_an_id_of_its_own(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.sheets.create(make_sheet())
    sheet = await add(store)
    with pytest.raises(Conflict) as conflict:
        await store.sheets.create(sheet)
    assert conflict.value.field == "id"


async def test_texts_come_back_as_they_were(store: Store) -> None:
    for text in AWKWARD_TEXTS:
        sheet = await add(
            store, title=text, artist=text, album=text, description=text, file_name=text, key=text, remarks=(text,)
        )
        assert await store.sheets.get(sheet.id) == sheet


async def test_update_changes_what_it_names(store: Store) -> None:
    sheet = await add(store, title="Before", tags=("old",))
    other = await store.sheets.add_file(make_sheet_file("other"))
    changes = SheetChanges(
        updated=NOW + 9, title="After", tags=("new", "fine"), hash=other.hash, approval=Approval.APPROVED, tempo=60.0
    )
    changed = await store.sheets.update(sheet.id, changes)
    assert changed == structs.replace(
        sheet,
        updated=NOW + 9,
        title="After",
        tags=("new", "fine"),
        hash=other.hash,
        approval=Approval.APPROVED,
        tempo=60.0,
    )
    assert await store.sheets.get(sheet.id) == changed
    assert await found(store, "after") == [changed]
    assert await found(store, "before") == []
    assert await found(store, "old") == []


async def test_update_needs_the_sheet_its_content_and_the_new_file(store: Store) -> None:
    sheet = await add(store)
    change, new_file = SheetChanges(updated=NOW, title="x"), SheetChanges(updated=NOW, title="x", hash="unknown")
    for sheet_id, having, changes in (
        ("unknown", None, change),
        (sheet.id, "another content", change),
        (sheet.id, None, new_file),
    ):
        with pytest.raises(NotFound):
            await store.sheets.update(sheet_id, changes, having)
    with pytest.raises(NotFound):
        await store.sheets.update(sheet.id, change, sheet.hash, sheet.updated - 1)
    assert await store.sheets.get(sheet.id) == sheet
    assert (await store.sheets.update(sheet.id, SheetChanges(updated=NOW), sheet.hash, sheet.updated)) == sheet


async def test_changes_at_once_are_all_there_and_found(store: Store) -> None:
    sheet = await add(store)
    await asyncio.gather(
        store.sheets.update(sheet.id, SheetChanges(updated=NOW, title="Moonlight")),
        store.sheets.update(sheet.id, SheetChanges(updated=NOW, artist="Beethoven")),
        store.sheets.update(sheet.id, SheetChanges(updated=NOW, tags=("sonata",))),
    )
    [changed] = await found(store, "moonlight beethoven sonata")
    assert (changed.title, changed.artist, changed.tags) == ("Moonlight", "Beethoven", ("sonata",))


async def test_delete_takes_all_of_it(store: Store) -> None:
    sheet = await add(store, title="Gone", tags=("tag",))
    await store.sheets.like("u2", sheet.id, NOW, 10)
    assert await store.sheets.delete(sheet.id)
    assert not await store.sheets.delete(sheet.id)
    assert await store.sheets.get(sheet.id) is None
    assert await found(store, "gone") == []
    assert await store.sheets.likes([sheet.id]) == {}
    assert not await store.sheets.unlike("u2", sheet.id)


# Favourites, views, uploads


async def test_favorites_are_exact(store: Store) -> None:
    first, second = await add(store), await add(store)
    assert await store.sheets.like("u1", first.id, NOW, 10)
    assert not await store.sheets.like("u1", first.id, NOW, 10)
    assert await store.sheets.like("u2", first.id, NOW, 10)
    assert await store.sheets.like("u2", second.id, NOW, 10)
    assert await store.sheets.likes([first.id, second.id, "unknown"]) == {first.id: 2, second.id: 1}
    assert await store.sheets.liked("u1", [first.id, second.id]) == {first.id}
    assert await store.sheets.unlike("u2", first.id)
    assert not await store.sheets.unlike("u2", first.id)
    assert await store.sheets.likes([first.id]) == {first.id: 1}


async def test_two_tabs_of_one_user_make_one_favorite(store: Store) -> None:
    sheet = await add(store)
    made = await asyncio.gather(*(store.sheets.like("u1", sheet.id, NOW, 10) for _ in range(10)))
    assert sorted(made) == [False] * 9 + [True]
    await asyncio.gather(*(store.sheets.like(f"u{number}", sheet.id, NOW, 10) for number in range(2, 12)))
    assert await store.sheets.likes([sheet.id]) == {sheet.id: 11}
    ended = await asyncio.gather(*(store.sheets.unlike("u1", sheet.id) for _ in range(10)))
    assert sorted(ended) == [False] * 9 + [True]
    assert await store.sheets.likes([sheet.id]) == {sheet.id: 10}


async def test_favorites_are_bounded(store: Store) -> None:
    sheets = [await add(store) for _ in range(3)]
    for sheet in sheets[:2]:
        assert await store.sheets.like("u1", sheet.id, NOW, 2)
    with pytest.raises(TooMany):
        await store.sheets.like("u1", sheets[2].id, NOW, 2)
    assert await store.sheets.liked("u1", [sheet.id for sheet in sheets]) == {sheet.id for sheet in sheets[:2]}
    assert not await store.sheets.like("u1", sheets[0].id, NOW, 2)
    with pytest.raises(NotFound):
        await store.sheets.like("u2", "unknown", NOW, 2)


async def test_views_add_up(store: Store) -> None:
    first, second = await add(store), await add(store)
    await asyncio.gather(*(store.sheets.add_views({first.id: 2, "unknown": 1}) for _ in range(5)))
    await store.sheets.add_views({second.id: 3})
    await store.sheets.add_views({})
    views = [sheet.views for sheet in await store.sheets.sheets(2)]
    assert views == [10, 3]
    await store.sheets.update(first.id, SheetChanges(updated=NOW, title="New"))
    assert (await store.sheets.sheets(1))[0].views == 10


async def test_uploads_of_a_day_are_counted(store: Store) -> None:
    today = NOW // DAY
    spent = await asyncio.gather(*(store.sheets.spend_upload("u1", today, 3) for _ in range(6)))
    assert sorted(spent) == [False] * 3 + [True] * 3
    assert await store.sheets.spend_upload("u2", today, 3)
    assert await store.sheets.spend_upload("u1", today + 1, 3)
    await store.expire(NOW + DAY)
    assert not await store.sheets.spend_upload("u1", today + 1, 1)
    await store.sheets.return_upload("u1", today + 1)
    await store.sheets.return_upload("nobody", today)
    assert await store.sheets.spend_upload("u1", today + 1, 1)
    assert not await store.sheets.spend_upload("u1", today + 1, 1)


# What does not agree


async def spoil(request: pytest.FixtureRequest, tmp_path: Path, sheet: Sheet) -> None:
    """Past the store: take the sheet's words away, and add a favourite of a sheet that is not there."""
    if request.node.callspec.params["store"] == "sqlite":
        await asyncio.to_thread(_spoil_sqlite, tmp_path / "store.sqlite", sheet.number)
        return
    mongod: Mongod = request.getfixturevalue("mongod")
    with mongod.database(DATABASE) as database:
        database["sheets"].update_one({"_id": sheet.id}, {"$set": {"words": []}})
        key = {"user_id": "u1", "sheet_id": "gone"}
        database["favorites"].insert_one({"_id": key, **key, "created": NOW})


def _spoil_sqlite(path: Path, number: int) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("DELETE FROM sheet_words WHERE rowid = ?", (number,))
    connection.execute("INSERT INTO favorites (user_id, number, created) VALUES ('u1', 1000, 0)")
    connection.close()


async def test_nothing_is_wrong_after_changes(store: Store) -> None:
    sheets = [await add(store, title=f"Air {number}", tags=("slow", "Für")) for number in range(4)]
    for sheet in sheets:
        await store.sheets.like("u1", sheet.id, NOW, 10)
    await store.sheets.update(sheets[0].id, SheetChanges(updated=NOW, title="New", tags=("fast",)))
    await store.sheets.add_views({sheets[1].id: 3})
    await store.sheets.delete(sheets[2].id)
    assert await store.sheets.misindexed([*(sheet.id for sheet in sheets), "unknown"]) == set()
    assert await store.sheets.strays() == {}


async def test_what_is_wrong_is_found_and_mended(store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    sheet, other = await add(store, title="Lost"), await add(store, title="Kept")
    await store.sheets.like("u1", other.id, NOW, 10)
    await spoil(request, tmp_path, sheet)
    both = [sheet.id, other.id]
    assert await store.sheets.misindexed(both) == await store.sheets.misindexed(both, mend=True) == {sheet.id}
    assert await store.sheets.strays() == await store.sheets.strays(remove=True) == {"favourites": 1}
    assert await store.sheets.misindexed(both) == set()
    assert await store.sheets.strays() == {}
    assert [each.id for each in await found(store, "lost")] == [sheet.id]
    assert await store.sheets.liked("u1", both) == {other.id}
