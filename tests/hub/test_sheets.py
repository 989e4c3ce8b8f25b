"""Sheets played in a room, over sockets: who may, what all hear and are told, and that nothing goes on sounding."""

from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from rhythm_protocol.messages import JoinAck, Notes, RoomUpdated, Stopping
from rhythmd.app import Server
from rhythmd.clock import server_us
from rhythmd.hub.handlers import sheets
from rhythmd.hub.ports import Performance
from rhythmd.midi.score import Score
from rhythmd.rows import Role
from tests.client import Answer, Client, Connect, Music, note_on
from tests.conftest import ErrorLog
from tests.deadline import until, within
from tests.hub.people import Register
from tests.hub.rooms import find
from tests.hub.sheets import (
    FOREVER_MS,
    FakeLibrary,
    begin,
    hear,
    held_chord,
    over,
    playing,
    rings,
    scale,
    sheet,
)
from tests.metrics import metrics
from tests.server import make_config, running_server

ROOM: Final = "Salon"
WRAP: Final = 0xFFFFFFFF

Open = Callable[..., Awaitable[Server]]


@pytest.fixture
def library() -> FakeLibrary:
    return FakeLibrary(scale("scale", notes=24), held_chord("chord"), sheet("empty", []))


@pytest.fixture
async def opened(tmp_path: Path, library: FakeLibrary) -> AsyncIterator[Open]:
    """Starts servers that have `library`."""
    async with AsyncExitStack() as stack:

        async def start(*settings: str) -> Server:
            config = make_config(tmp_path / "data", ("hub.flush_max_ms=0", *settings))
            return await stack.enter_async_context(running_server(config, library))

        yield start


@pytest.fixture
async def server(opened: Open) -> Server:
    return await opened()


@pytest.fixture
async def owner(server: Server, connect: Connect, subprotocol: str) -> Client:
    client = await connect(server, subprotocol)
    await client.join(ROOM)
    return client


@pytest.fixture
async def member(server: Server, owner: Client, connect: Connect) -> Client:
    client = await connect(server)
    await client.join(ROOM)
    return client


def state_of(ack: JoinAck | Notes, slot: int) -> list[tuple[int, int, int]]:
    return next((held.state for held in ack.notes if held.slot == slot), [])


CHORD: Final = [(0xC0, 5, 0), (0xB0, 64, 127), (0x90, 48, 90), (0x90, 55, 90), (0x90, 64, 90)]

# What is heard and told


async def test_sheet_is_heard_by_all_from_a_slot_of_its_own_at_its_times(owner: Client, member: Client) -> None:
    told = await begin(owner, "scale")
    assert await playing(member) == told
    assert (told.id, told.title, told.artist, told.duration_ms) == ("scale", "Title of scale", "Clara Schumann", 480)
    assert (told.position_ms, told.speed, told.by) == (0, 1.0, owner.welcome.user.id)
    assert told.slot not in (owner.slot, member.slot)
    start_ms = told.start_us // 1_000
    for client in (owner, member):
        heard = await hear(client, told.slot, 48)
        assert heard.keys() == [60 + number % 12 for number in range(24)]
        pressed = [at_ms for at_ms, (status, _, _) in heard.events if status == 0x90]
        assert pressed == [start_ms + 20 * number & WRAP for number in range(24)]
        assert not rings(heard)


async def test_sheet_starts_a_moment_after_it_is_asked_for(owner: Client) -> None:
    before = server_us()
    told = await begin(owner, "scale")
    assert before < told.start_us


@pytest.mark.parametrize(("speed", "step_ms"), [(2.0, 10), (0.5, 40), (4.0, 5)])
async def test_sheet_is_played_at_the_speed_that_was_asked_for(owner: Client, speed: float, step_ms: int) -> None:
    told = await begin(owner, "scale", speed=speed)
    assert told.speed == speed
    heard = await hear(owner, told.slot, 10)
    pressed = [at_ms for at_ms, (status, _, _) in heard.events if status == 0x90][:5]
    assert pressed == [told.start_us // 1_000 + step_ms * number & WRAP for number in range(5)]


async def test_sheet_begins_at_the_place_that_was_asked_for(owner: Client) -> None:
    told = await begin(owner, "scale", position_ms=410)
    assert told.position_ms == 410
    heard = await hear(owner, told.slot, 7)
    assert heard.keys() == [69, 70, 71]
    assert heard.events[0][0] == told.start_us // 1_000 + 10 & WRAP


async def test_sheet_ends_by_itself_and_the_room_is_told(owner: Client, member: Client) -> None:
    await begin(owner, "scale", speed=4.0)
    assert (await over(owner)).id == (await over(member)).id
    assert (await member.refused("sheet-seek", {"position_ms": 0})).code == "not-found"


@pytest.mark.parametrize("sheet_id", ["empty", "scale"])
async def test_place_behind_the_end_is_the_end(owner: Client, sheet_id: str) -> None:
    told = await begin(owner, sheet_id, position_ms=4_294_967_295)
    assert told.position_ms == told.duration_ms
    await over(owner)


async def test_sheet_that_is_stopped_is_released_before_the_room_is_told(owner: Client, member: Client) -> None:
    told = await begin(owner, "chord")
    assert rings(await hear(member, told.slot, 5))
    await owner.ask("sheet-stop")
    release, last = [message for message in await member.received() if isinstance(message, Music | RoomUpdated)][-2:]
    assert isinstance(release, Music)
    assert isinstance(last, RoomUpdated)
    assert last.room.sheet is None


async def test_release_comes_to_all(owner: Client, member: Client) -> None:
    told = await begin(owner, "chord")
    await owner.ask("sheet-stop")
    for client in (owner, member):
        heard = await hear(client, told.slot, 9)
        assert not rings(heard)
        times = [at_ms for at_ms, _ in heard.events]
        assert times == sorted(times)


async def test_seek_releases_and_goes_on_there(owner: Client, member: Client) -> None:
    told = await begin(owner, "chord")
    await hear(member, told.slot, 5)
    await owner.ask("sheet-seek", {"position_ms": 1_000, "speed": 2.0})
    changed = await playing(member)
    while changed == told:
        changed = await playing(member)
    assert (changed.position_ms, changed.speed, changed.slot) == (1_000, 2.0, told.slot)
    assert changed.start_us >= told.start_us
    # The keys went up, and are not struck anew in the middle of a note; the pedal and the program are as they would be.
    heard = await hear(member, told.slot, 6)
    assert [message for _, message in heard.events][-2:] == [(0xC0, 5, 0), (0xB0, 64, 127)]
    newcomer = await find_again(member)
    assert state_of(newcomer, told.slot) == [(0xC0, 5, 0), (0xB0, 64, 127)]


async def find_again(client: Client) -> JoinAck:
    """Leave, and join anew."""
    await client.ask("leave-room")
    return await find(client, ROOM)


async def test_sheet_takes_the_place_of_another(owner: Client, member: Client) -> None:
    first = await begin(owner, "chord")
    second = await begin(owner, "scale")
    assert second.slot != first.slot
    assert not rings(await hear(member, first.slot, 9))
    ack = await find_again(member)
    assert ack.room.sheet == second
    assert state_of(ack, first.slot) == []


async def test_newcomer_hears_what_sounds(owner: Client, server: Server, connect: Connect) -> None:
    told = await begin(owner, "chord")
    ack = await (await connect(server)).join(ROOM)
    assert ack.room.sheet == told
    assert state_of(ack, told.slot) == CHORD
    assert [user.id for user in ack.members if user.slot == told.slot] == []
    assert ack.slot != told.slot


async def test_client_that_resumes_hears_what_sounds(
    owner: Client, member: Client, server: Server, connect: Connect
) -> None:
    told = await begin(owner, "chord")
    await hear(member, told.slot, 5)
    back = await connect(server)
    claim = {"session": member.welcome.session, "received": 0}
    await back.ask("resume", claim)
    assert state_of(await back.expect(Notes), told.slot) == CHORD


async def test_sheet_is_over_when_nobody_is_left(owner: Client, member: Client, server: Server) -> None:
    await begin(owner, "chord")
    await owner.ask("leave-room")
    assert (await find(owner, ROOM)).room.sheet is not None, "somebody was left"
    await owner.ask("leave-room")
    await member.ask("leave-room")
    assert (await metrics(server))["rhythmd_performances"] == 0


async def test_sheet_in_a_lobby_does_not_wait_for_the_next_guest(
    server: Server, connect: Connect, register: Register
) -> None:
    moderator = await moderating(register, server)
    await moderator.join("lobby")
    await begin(moderator, "chord")
    await moderator.ask("leave-room")
    ack = await (await connect(server)).join("lobby")
    assert ack.room.sheet is None
    assert ack.notes == []


async def test_sheet_is_played_where_only_the_owner_can_play(
    server: Server, connect: Connect, member: Client, owner: Client
) -> None:
    await owner.ask("room-update", {"settings": {"only_owner_can_play": True}})
    told = await begin(owner, "scale")
    assert len(await hear(member, told.slot, 48)) == 48


async def test_sheet_costs_nobody_any_points(owner: Client, member: Client) -> None:
    await begin(owner, "scale", speed=4.0)
    await over(owner)
    ack = await find_again(member)
    assert ack.quota.points == ack.quota.maximum


async def test_slot_is_not_given_to_a_member_while_the_sheet_has_it(
    owner: Client, server: Server, connect: Connect
) -> None:
    told = await begin(owner, "chord")
    slots = [(await (await connect(server)).join(ROOM)).slot for _ in range(3)]
    assert len({owner.slot, told.slot, *slots}) == 5


async def test_server_that_stops_releases_what_sheets_hold(opened: Open, connect: Connect) -> None:
    server = await opened()
    client = await connect(server)
    await client.join(ROOM)
    told = await begin(client, "chord")
    await server.stop()
    heard = await hear(client, told.slot, 9)
    assert not rings(heard)
    await over(client)
    await client.expect(Stopping)


async def test_sheet_that_fails_ends_in_its_room_only(
    owner: Client, member: Client, server: Server, library: FakeLibrary, connect: Connect, errors_logged: ErrorLog
) -> None:
    whole = held_chord("broken").score
    times = array("I", [*whole.times, 300])  # without its message
    library.add(Performance("broken", "Broken", "", Score(times, whole.messages, FOREVER_MS)))
    other = await connect(server)
    await other.join("Attic")
    slot = (await begin(other, "scale")).slot
    broken = await begin(owner, "broken")
    assert not rings(await hear(member, broken.slot, 9))
    await over(member)
    assert len(await hear(other, slot, 48)) == 48
    await over(other)
    assert "a sheet that is played failed" in errors_logged.texts()[0]
    errors_logged.records.clear()
    await begin(owner, "scale")
    await over(owner)


async def test_sheet_that_fails_at_its_start_is_over(
    owner: Client, library: FakeLibrary, errors_logged: ErrorLog
) -> None:
    library.add(Performance("broken", "Broken", "", Score(array("I", [0]), b"", FOREVER_MS)))
    assert (await owner.refused("sheet-play", {"sheet": "broken"})).code == "internal-error"
    errors_logged.records.clear()
    await over(owner)


async def test_metrics_count_rooms_with_a_sheet(owner: Client, server: Server, connect: Connect) -> None:
    assert (await metrics(server))["rhythmd_performances"] == 0
    await begin(owner, "chord")
    other = await connect(server)
    await other.join("Attic")
    await begin(other, "chord")
    assert (await metrics(server))["rhythmd_performances"] == 2
    await owner.ask("sheet-stop")
    assert (await metrics(server))["rhythmd_performances"] == 1


# Rights


async def moderating(register: Register, server: Server) -> Client:
    person = await register(server, "moritz")
    await person.become(Role.MODERATOR)
    return await person.open()


async def test_member_may_not_start_a_sheet(owner: Client, member: Client, library: FakeLibrary) -> None:
    assert (await member.refused("sheet-play", {"sheet": "scale"})).code == "not-owner"
    assert library.asked == []


async def test_nobody_but_a_moderator_may_start_a_sheet_in_a_lobby(
    server: Server, connect: Connect, register: Register
) -> None:
    guest = await connect(server)
    await guest.join("lobby")
    assert (await guest.refused("sheet-play", {"sheet": "scale"})).code == "not-owner"
    moderator = await moderating(register, server)
    await moderator.join("lobby")
    await begin(moderator, "scale")


async def test_member_may_not_touch_the_sheet_of_another(owner: Client, member: Client) -> None:
    await begin(owner, "chord")
    for refused in (await member.refused("sheet-stop"), await member.refused("sheet-seek", {"position_ms": 0})):
        assert refused.code == "not-owner"
        assert refused.message == "only the room's owner, a moderator or who started the sheet may do this"


async def test_moderator_may_stop_the_sheet_of_another(owner: Client, server: Server, register: Register) -> None:
    await begin(owner, "chord")
    moderator = await moderating(register, server)
    await moderator.join(ROOM)
    await moderator.ask("sheet-seek", {"position_ms": 5})
    await moderator.ask("sheet-stop")
    await over(owner)


async def test_member_who_started_it_may_stop_it_when_another_one_owns_the_room(owner: Client, member: Client) -> None:
    await begin(owner, "chord")
    await owner.ask("transfer-owner", {"user": member.welcome.user.id})
    await owner.ask("sheet-seek", {"position_ms": 5})
    await owner.ask("sheet-stop")
    await over(member)
    assert (await owner.refused("sheet-play", {"sheet": "chord"})).code == "not-owner"


async def test_new_owner_may_stop_a_sheet_whose_starter_has_left(owner: Client, member: Client) -> None:
    await begin(owner, "chord")
    await owner.ask("leave-room")
    await until_owner(member)
    await member.ask("sheet-stop")
    await over(member)


async def until_owner(client: Client) -> None:
    while (await client.expect(RoomUpdated)).room.owner != client.welcome.user.id:
        pass


async def test_stop_where_nothing_is_played_does_nothing(owner: Client, member: Client) -> None:
    await owner.ask("sheet-stop")
    await member.ask("sheet-stop")
    assert (await owner.refused("sheet-seek", {"position_ms": 0})).code == "not-found"


@pytest.mark.parametrize(("sheet_id", "code"), [("nothing", "not-found"), ("away", "unavailable")])
async def test_sheet_that_cannot_be_had_is_refused(owner: Client, sheet_id: str, code: str) -> None:
    assert (await owner.refused("sheet-play", {"sheet": sheet_id})).code == code


async def test_sheet_that_cannot_be_had_leaves_the_other_one_playing(owner: Client, member: Client) -> None:
    told = await begin(owner, "chord")
    await owner.refused("sheet-play", {"sheet": "nothing"})
    assert (await find_again(member)).room.sheet == told


async def test_one_account_has_its_share_of_performances(opened: Open, register: Register) -> None:
    """A tenth of them; what ends is given back at once."""
    server = await opened("limits.performances=20")
    clara, robert = await register(server, "clara"), await register(server, "robert")
    first, second, third = [await clara.open() for _ in range(3)]
    for number, client in enumerate((first, second, third)):
        await client.join(f"Attic {number}")
    await begin(first, "chord")
    await begin(second, "chord")
    assert (await third.refused("sheet-play", {"sheet": "chord"})).code == "performance-limit"
    other = await robert.open()
    await other.join(ROOM)
    await begin(other, "chord")
    await first.ask("sheet-stop")
    await begin(third, "chord")


async def test_more_than_can_wait_for_the_library_are_refused(
    opened: Open, library: FakeLibrary, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "MOST_WAITING", 0)
    server = await opened()
    library.gate.clear()
    *others, last = [await connect(server) for _ in range(3)]
    for number, client in enumerate((*others, last)):
        await client.join(f"Attic {number}")
    for client in others:
        await client.send("sheet-play", {"sheet": "scale"}, 77)
    await until(lambda: len(library.asked) == 2, "two are read")
    assert (await last.refused("sheet-play", {"sheet": "scale"})).code == "unavailable"
    library.gate.set()
    for client in others:
        await playing(client)
    await begin(last, "scale")


async def test_library_is_asked_for_the_user_and_their_roles(
    owner: Client, server: Server, register: Register, library: FakeLibrary
) -> None:
    await begin(owner, "scale")
    person = await register(server, "clara")
    await person.become(Role.MODERATOR)
    client = await person.open()
    await client.join("Attic")
    await begin(client, "scale")
    (_, guest, none), (_, account, roles) = library.asked
    assert (guest, none) == (None, frozenset())
    assert (account, roles) == (person.id, frozenset({"moderator"}))


# What changes while the sheet is read


@pytest.fixture
async def asked(owner: Client, member: Client, library: FakeLibrary) -> int:
    """The id of a request for a sheet that the library has not given yet."""
    library.gate.clear()
    await owner.send("sheet-play", {"sheet": "chord"}, 77)
    await until(lambda: library.asked, "the library is asked")
    return 77


async def refusal(client: Client, id_: int) -> str:
    answer = await client.expect(Answer)
    while answer.id != id_:
        answer = await client.expect(Answer)
    assert answer.error is not None
    return answer.error.code


async def test_starter_is_kicked_while_the_sheet_is_read(
    owner: Client, member: Client, library: FakeLibrary, asked: int, server: Server, register: Register
) -> None:
    moderator = await moderating(register, server)
    await moderator.join(ROOM)
    await moderator.ask("kick", {"user": owner.welcome.user.id})
    library.gate.set()
    assert await refusal(owner, asked) == "not-in-room"
    assert (await find_again(member)).room.sheet is None


async def test_right_is_lost_while_the_sheet_is_read(
    owner: Client, member: Client, library: FakeLibrary, asked: int, server: Server
) -> None:
    room = server.hub.registry.get(ROOM)
    assert room is not None
    room.set_owner(room.members[member.slot])
    library.gate.set()
    assert await refusal(owner, asked) == "not-owner"
    assert (await find_again(member)).room.sheet is None


async def test_connection_is_lost_while_the_sheet_is_read(
    owner: Client, member: Client, library: FakeLibrary, asked: int, server: Server, connect: Connect
) -> None:
    await owner.close()
    await until_owner(member)
    library.gate.set()
    assert (await (await connect(server)).join(ROOM)).room.sheet is None


async def test_players_and_a_sheet_are_heard_together(
    owner: Client, member: Client, server: Server, connect: Connect
) -> None:
    listener = await connect(server)
    await listener.join(ROOM)
    told = await begin(owner, "scale")
    await member.play([note_on(30)])
    slots: set[int] = set()
    while slots < {told.slot, member.slot}:
        slots |= {block.slot for block in await within(listener.blocks())}
