"""What a RoomStore owes."""

import asyncio

import pytest
from msgspec import structs

from rhythm_protocol.messages import Mode, RoomSettings, RoomType
from rhythmd.ports import Conflict, NotFound, Store, TooMany
from rhythmd.rows import FOREVER, SanctionKind, StoredRoom, StoredRoomChanges
from tests.contracts.rows import NOW, make_line, make_room, make_sanction
from tests.contracts.texts import AWKWARD_TEXTS


async def add_room(store: Store, name: str | None = None, **fields: object) -> StoredRoom:
    room = make_room(name, **fields)
    await store.rooms.create(room)
    return room


async def test_create_keeps_every_field(store: Store) -> None:
    settings = RoomSettings(
        type=RoomType.PRIVATE,
        max_players=50,
        stage="$stage.of.dots",
        mode=Mode.ORCHESTRA,
        welcome_message="Hello %%user%% 🎹",
        only_owner_can_chat=True,
        allow_guests=False,
        allow_replay=True,
        playout_ms=120,
    )
    room = await add_room(store, "Jazz", owner_id="u1", settings=settings, password_hash="$argon2id$…")
    assert await store.rooms.get(room.id) == room
    assert await store.rooms.get("unknown") is None


async def test_room_of_an_earlier_version_has_the_defaults_of_newer_settings(store: Store) -> None:
    room = await add_room(store, settings={"type": "unlisted", "max_players": 3})
    kept = structs.replace(room, settings=RoomSettings(type=RoomType.UNLISTED, max_players=3))
    assert await store.rooms.get(room.id) == kept


async def test_by_name_in_any_case(store: Store) -> None:
    room = await add_room(store, "Große Halle")
    assert await store.rooms.by_name("GROSSE halle") == room
    assert await store.rooms.by_name("Große") is None


async def test_create_name_of_other_case_conflicts(store: Store) -> None:
    await add_room(store, "Jazz")
    with pytest.raises(Conflict) as conflict:
        await add_room(store, "JAZZ")
    assert conflict.value.field == "name"


async def test_names_that_look_alike_conflict(store: Store) -> None:
    room, other = await add_room(store, "Salon 1"), await add_room(store, "Attic")
    assert await store.rooms.by_look("SaIon l") == room
    assert await store.rooms.by_look("Salon 2") is None
    with pytest.raises(Conflict) as conflict:
        await add_room(store, "Sаlon 1")
    assert conflict.value.field == "name"
    with pytest.raises(Conflict) as conflict:
        await store.rooms.update(other.id, StoredRoomChanges(updated=NOW, name="SaIon l"))
    assert conflict.value.field == "name"
    await store.rooms.update(other.id, StoredRoomChanges(updated=NOW, name="Attic 2"))
    assert await store.rooms.by_look("Attic") is None
    await add_room(store, "Attіc")


async def test_create_id_twice_conflicts(store: Store) -> None:
    room = await add_room(store)
    with pytest.raises(Conflict) as conflict:
        await add_room(store, id=room.id)
    assert conflict.value.field == "id"


async def test_create_one_name_at_once_makes_one(store: Store) -> None:
    outcomes = await asyncio.gather(*(add_room(store, "Jazz") for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, StoredRoom) for outcome in outcomes) == 1


async def test_texts_come_back_as_they_were(store: Store) -> None:
    for text in AWKWARD_TEXTS:
        room = await add_room(store, text, owner_id=text, settings=RoomSettings(welcome_message=text[:500]))
        assert await store.rooms.get(room.id) == room
        assert await store.rooms.by_name(text) == room


async def test_update_changes_what_is_named(store: Store) -> None:
    room = await add_room(store, "Before", owner_id="u1", password_hash="hash")
    settings = RoomSettings(type=RoomType.UNLISTED, max_players=3)
    changes = StoredRoomChanges(updated=NOW + 1, name="After", settings=settings, password_hash=None)
    changed = await store.rooms.update(room.id, changes)
    assert changed == structs.replace(room, updated=NOW + 1, name="After", settings=settings, password_hash=None)
    assert await store.rooms.get(room.id) == changed
    assert await store.rooms.by_name("before") is None
    assert await store.rooms.by_name("after") == changed


async def test_update_to_taken_name_conflicts(store: Store) -> None:
    await add_room(store, "Jazz")
    room = await add_room(store, "Blues")
    with pytest.raises(Conflict) as conflict:
        await store.rooms.update(room.id, StoredRoomChanges(updated=NOW, name="jazz"))
    assert conflict.value.field == "name"
    assert await store.rooms.get(room.id) == room


async def test_update_own_name_to_other_case(store: Store) -> None:
    room = await add_room(store, "Jazz")
    changed = await store.rooms.update(room.id, StoredRoomChanges(updated=NOW, name="JAZZ"))
    assert changed.name == "JAZZ"


async def test_update_unknown_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.rooms.update("unknown", StoredRoomChanges(updated=NOW))


async def test_delete_takes_chat_and_sanctions_along(store: Store) -> None:
    room, other = await add_room(store), await add_room(store)
    for each in (room, other):
        await store.chat.append(each.id, [make_line()], 10)
        await store.rooms.sanction(make_sanction(each))
    assert await store.rooms.delete(room.id)
    assert not await store.rooms.delete(room.id)
    assert await store.rooms.get(room.id) is None
    assert await store.chat.last(room.id, 10) == []
    assert await store.rooms.sanctions(room.id, NOW) == []
    assert len(await store.chat.last(other.id, 10)) == 1
    assert len(await store.rooms.sanctions(other.id, NOW)) == 1


async def test_sanctions_keep_every_field_until_their_end(store: Store) -> None:
    room = await add_room(store)
    short = make_sanction(room, "a", until=NOW + 10, by="mod")
    forever = make_sanction(room, "b", until=FOREVER, created=NOW + 1, reason="$reason")
    await store.rooms.sanction(short)
    await store.rooms.sanction(forever)
    assert await store.rooms.sanctions(room.id, NOW + 9) == [short, forever]
    assert await store.rooms.sanctions(room.id, NOW + 10) == [forever]


async def test_sanction_again_takes_the_place_of_the_first(store: Store) -> None:
    room = await add_room(store)
    await store.rooms.sanction(make_sanction(room, until=NOW + 1))
    longer = make_sanction(room, until=NOW + 100, reason="again", created=NOW + 1, by="mod")
    await store.rooms.sanction(longer)
    assert await store.rooms.sanctions(room.id, NOW) == [longer]


async def test_sanction_in_unknown_room_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.rooms.sanction(make_sanction(make_room()))


async def test_pardon_ends_one(store: Store) -> None:
    room = await add_room(store)
    other = make_sanction(room, "other")
    await store.rooms.sanction(make_sanction(room))
    await store.rooms.sanction(other)
    assert await store.rooms.pardon(room.id, "somebody", SanctionKind.BAN)
    assert not await store.rooms.pardon(room.id, "somebody", SanctionKind.BAN)
    assert await store.rooms.sanctions(room.id, NOW) == [other]


async def test_create_more_than_an_owner_may_have_keeps_nothing_of_it(store: Store) -> None:
    for _ in range(2):
        await store.rooms.create(make_room(owner_id="u1"), 2)
    third = make_room("Third", owner_id="u1")
    with pytest.raises(TooMany):
        await store.rooms.create(third, 2)
    assert await store.rooms.by_name("Third") is None
    await store.rooms.create(make_room(owner_id="u2"), 2)
    await store.rooms.create(make_room(owner_id=None), 0)
    await store.rooms.create(third)


async def test_create_many_at_once_never_exceeds_the_most(store: Store) -> None:
    rooms = [make_room(owner_id="u1") for _ in range(12)]
    outcomes = await asyncio.gather(*(store.rooms.create(room, 3) for room in rooms), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes if outcome is not None} == {TooMany}
    kept = [room for room in rooms if await store.rooms.get(room.id) is not None]
    assert len(kept) == outcomes.count(None) <= 3
