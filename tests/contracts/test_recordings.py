"""What a RecordingStore owes."""

import pytest

from rhythmd.ports import Conflict, InvalidCursor, Store
from rhythmd.rows import Recording
from tests.contracts.rows import DAY, NOW, make_recording
from tests.contracts.texts import AWKWARD_TEXTS


async def add(store: Store, *present: str, **fields: object) -> Recording:
    recording = make_recording(**fields)
    await store.recordings.create(recording, present)
    return recording


async def test_create_keeps_every_field(store: Store) -> None:
    recording = await add(
        store, "u1", name="Für Elise 🎹", room="Salon", room_id="r1", owner_id="u1", expires=NOW + 5, duration_ms=1,
        size=2, players=3, key_hash=b"\x00\xff", guest_network="0a1b2",
    )  # fmt: skip
    assert await store.recordings.get(recording.id, NOW) == recording
    assert await store.recordings.get("unknown", NOW) is None


async def test_create_id_twice_conflicts(store: Store) -> None:
    recording = await add(store, "u1")
    with pytest.raises(Conflict) as conflict:
        await store.recordings.create(recording, ["u2"])
    assert conflict.value.field == "id"
    assert not await store.recordings.was_present(recording.id, "u2")


async def test_texts_come_back_as_they_were(store: Store) -> None:
    for text in AWKWARD_TEXTS:
        recording = await add(store, text, name=text, room=text, room_id=text, owner_id=text)
        assert await store.recordings.get(recording.id, NOW) == recording
        assert await store.recordings.was_present(recording.id, text)
        assert (await store.recordings.page(text, NOW, 10)).items == [recording]
        assert await store.recordings.count(NOW, owner_id=text, room_id=text) == 1


async def test_was_present_knows_who(store: Store) -> None:
    recording = await add(store, "u1", "u2")
    there = [user for user in ("u1", "u2", "u3", "") if await store.recordings.was_present(recording.id, user)]
    assert there == ["u1", "u2"]
    assert not await store.recordings.was_present("unknown", "u1")


async def test_page_lists_what_the_user_was_present_at(store: Store) -> None:
    mine = [await add(store, "u1", "u2", created=NOW + number // 2) for number in range(5)]
    await add(store, "u2")
    await add(store, owner_id="u1")
    expected = sorted(mine, key=lambda recording: (recording.created, recording.id), reverse=True)
    first = await store.recordings.page("u1", NOW, 3)
    assert first.items == expected[:3]
    last = await store.recordings.page("u1", NOW, 3, first.next)
    assert (last.items, last.next) == (expected[3:], None)


async def test_page_with_made_up_cursor_is_refused(store: Store) -> None:
    with pytest.raises(InvalidCursor):
        await store.recordings.page("u1", NOW, 10, "x")


async def test_count_of_all_of_an_owner_and_of_a_room(store: Store) -> None:
    for owner, room in (("u1", "r1"), ("u1", "r2"), ("u2", "r1")):
        await add(store, owner_id=owner, room_id=room)
    await add(store, owner_id="u1", room_id="r1", expires=NOW)
    count = store.recordings.count
    assert await count(NOW) == 3
    assert await count(NOW, owner_id="u1") == 2
    assert await count(NOW, room_id="r1") == 2
    assert await count(NOW, owner_id="u1", room_id="r1") == 1
    assert await count(NOW, owner_id="nobody") == 0


async def test_count_of_guests_and_of_their_networks(store: Store) -> None:
    for network in ("", "", "0a1b2", "0a1b2", "fffff"):
        await add(store, guest_network=network)
    await add(store, guest_network="0a1b2", expires=NOW)
    await add(store, account_network="0a1b2")
    count = store.recordings.count
    assert await count(NOW) == 6
    assert await count(NOW, guests=True) == 3
    assert await count(NOW, guest_network="0a1b2") == 2
    assert await count(NOW, guest_network="0a1b3") == 0
    assert await count(NOW, account_network="0a1b2") == 1
    assert await count(NOW, account_network="fffff") == 0


async def test_expired_is_on_no_list_but_its_own(store: Store) -> None:
    late = await add(store, "u1", expires=NOW + DAY)
    old = [await add(store, "u1", expires=NOW - age) for age in (0, 2, 1)]
    await store.expire(NOW)
    assert (await store.recordings.page("u1", NOW, 10)).items == [late]
    assert await store.recordings.get(old[0].id, NOW) is None
    assert await store.recordings.expired(NOW, 2) == [old[1], old[2]]
    assert await store.recordings.expired(NOW, 10) == [old[1], old[2], old[0]]


async def test_delete_takes_the_presences_along(store: Store) -> None:
    recording, other = await add(store, "u1"), await add(store, "u1")
    assert await store.recordings.delete(recording.id)
    assert not await store.recordings.delete(recording.id)
    assert await store.recordings.get(recording.id, NOW) is None
    assert not await store.recordings.was_present(recording.id, "u1")
    assert (await store.recordings.page("u1", NOW, 10)).items == [other]
    assert await store.check() == []


async def test_files_are_all_recordings_by_id(store: Store) -> None:
    for expires in (NOW - 1, NOW + 1, NOW + 2):
        await add(store, expires=expires)
    first = await store.recordings.files(2)
    (last,) = await store.recordings.files(2, first[-1].id)
    ids = [recording.id for recording in (*first, last)]
    assert ids == sorted(ids)
    assert {recording.expires for recording in (*first, last)} == {NOW - 1, NOW + 1, NOW + 2}
    assert await store.recordings.files(2, last.id) == []
