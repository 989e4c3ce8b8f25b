"""The rule of ranks, which REST has, too, in a room and over real sockets: who may do what to whom."""

from typing import Final, NamedTuple

import pytest

from rhythm_protocol.messages import RoomLeft
from rhythmd.app import Server
from rhythmd.rows import Role
from tests.client import Client, Connect
from tests.hub.people import Person, Register
from tests.rest.api import UNLIMITED, open_api
from tests.server import Serve

ROOM: Final = "Salon"
PASSWORD: Final = "let me in"
SANCTIONS: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("kick", {}), ("ban", {}), ("ban", {"seconds": 60}), ("mute", {"notes": True}), ("mute", {"chat": True}),
)  # fmt: skip
LINES: Final = ("/kick {}", "/ban {}", "/mute {}", "/mute {} notes")


class People(NamedTuple):
    """Of each rank somebody in one room, which has a password. Its owner is a guest."""

    server: Server
    owner: Client
    guest: Client
    moderator: Client
    other_moderator: Client
    admin: Client
    other_admin: Client
    token: str

    def id_of(self, name: str) -> str:
        client: Client = getattr(self, name)
        return client.welcome.user.id

    async def audited(self, action: str) -> list[dict[str, object]]:
        await self.server.auth.auditor.settle()
        async with open_api(self.server) as api:
            answer = await api.call("GET", f"/audit?action={action}", token=self.token)
            entries: list[dict[str, object]] = answer.body["entries"]
            return entries


async def staff(server: Server, register: Register, usertag: str, role: Role) -> Person:
    person = await register(server, usertag)
    await person.become(Role.MEMBER, role)
    return person


@pytest.fixture
async def people(serve: Serve, connect: Connect, register: Register) -> People:
    server = await serve("hub.flush_max_ms=0", *UNLIMITED)
    owner, guest = await connect(server), await connect(server)
    await owner.join(ROOM, password=PASSWORD)
    await guest.join(ROOM, password=PASSWORD)
    persons = [
        await staff(server, register, usertag, role)
        for usertag, role in (
            ("moritz", Role.MODERATOR), ("maria", Role.MODERATOR), ("ada", Role.ADMIN), ("alan", Role.ADMIN),
        )
    ]  # fmt: skip
    sockets = [await person.open() for person in persons]
    for socket in sockets:
        await socket.join(ROOM)  # without its password
    moderator, other_moderator, admin, other_admin = sockets
    return People(server, owner, guest, moderator, other_moderator, admin, other_admin, persons[2].token)


async def test_sanctions_go_down_the_ranks_and_never_up_or_sideways(people: People) -> None:
    refused = (
        ("owner", "moderator"), ("owner", "admin"),
        ("moderator", "other_moderator"), ("moderator", "admin"), ("admin", "other_admin"),
    )  # fmt: skip
    for judge, other in refused:
        for type_, data in SANCTIONS:
            client: Client = getattr(people, judge)
            error = await client.refused(type_, {"user": people.id_of(other), **data})
            assert (error.code, error.field) == ("not-permitted", "user"), (judge, type_, other)
        for line in LINES:
            error = await client.refused("chat-message", {"content": line.format(people.id_of(other))})
            assert error.code == "not-permitted", (judge, line, other)
    listed = (await people.admin.ask("sanctions"))["sanctions"]
    assert listed == []
    for judge, other in (("moderator", "owner"), ("admin", "moderator"), ("admin", "guest")):
        judging: Client = getattr(people, judge)
        judged: Client = getattr(people, other)
        await judging.ask("mute", {"user": people.id_of(other), "chat": True})
        await judging.ask("ban", {"user": people.id_of(other)})
        assert (await judged.expect(RoomLeft)).reason == "banned"
        assert (await judged.refused("join-room", {"room": ROOM, "password": PASSWORD})).code == "banned"


async def test_what_a_higher_rank_imposed_no_lower_one_ends_or_changes(people: People) -> None:
    guest = people.id_of("guest")
    await people.moderator.ask("mute", {"user": guest, "notes": True, "chat": True})
    for data in ({"notes": False}, {"chat": False}, {"notes": True, "seconds": 1}):
        assert (await people.owner.refused("mute", {"user": guest, **data})).code == "not-permitted", data
    await people.moderator.ask("ban", {"user": guest})
    assert (await people.owner.refused("unban", {"user": guest})).code == "not-permitted"
    assert (await people.owner.refused("ban", {"user": guest, "seconds": 1})).code == "not-permitted"
    for data in ({"chat": False}, {"notes": True, "seconds": 1}):
        assert (await people.owner.refused("mute", {"user": guest, **data})).code == "not-permitted", data
    await people.other_moderator.ask("ban", {"user": guest, "seconds": 3_600})
    await people.admin.ask("ban", {"user": guest, "seconds": 7_200})
    assert (await people.moderator.refused("unban", {"user": guest})).code == "not-permitted"
    await people.other_admin.ask("unban", {"user": guest})
    await people.guest.join(ROOM, password=PASSWORD)


async def test_owner_who_was_muted_by_a_moderator_does_not_give_themselves_the_voice_back(people: People) -> None:
    owner = people.id_of("owner")
    await people.moderator.ask("mute", {"user": owner, "chat": True})
    assert (await people.owner.refused("mute", {"user": owner, "chat": False})).code == "not-permitted"
    assert (await people.owner.refused("chat-message", {"content": "hello"})).code == "chat-muted"
    await people.moderator.ask("mute", {"user": owner, "chat": False})
    await people.owner.ask("chat-message", {"content": "hello"})


async def test_owners_go_on_ruling_over_guests_and_members(people: People) -> None:
    guest = people.id_of("guest")
    await people.owner.ask("mute", {"user": guest, "chat": True})
    await people.owner.ask("mute", {"user": guest, "chat": False})
    await people.owner.ask("kick", {"user": guest})
    await people.guest.join(ROOM, password=PASSWORD)
    await people.owner.ask("ban", {"user": guest})
    await people.owner.ask("unban", {"user": guest})
    await people.guest.join(ROOM, password=PASSWORD)
    assert await people.audited("room.banned") == []  # it is the owner's own room


async def test_moderators_in_a_room_of_others_are_written_down(people: People) -> None:
    entered = await people.audited("room.entered-by-rank")
    assert {entry["actor_id"] for entry in entered} == {
        people.id_of(name) for name in ("moderator", "other_moderator", "admin", "other_admin")
    }
    await people.moderator.ask("ban", {"user": people.id_of("guest"), "reason": "noise"})
    (entry,) = await people.audited("room.banned")
    assert (entry["actor_id"], entry["target"]) == (people.id_of("moderator"), people.id_of("guest"))


async def test_password_keeps_out_who_is_no_moderator_and_counts_for_who_knows_it(
    people: People, connect: Connect, register: Register
) -> None:
    member = await staff(people.server, register, "robert", Role.EDITOR)
    socket = await member.open()
    for options in ({}, {"password": "wrong"}):
        assert (await socket.refused("join-room", {"room": ROOM, **options})).code == "wrong-password"
    await people.moderator.ask("leave-room")
    await people.moderator.join(ROOM, password=PASSWORD)
    by_rank = [entry["actor_id"] for entry in await people.audited("room.entered-by-rank")]
    assert by_rank.count(people.id_of("moderator")) == 1


async def test_moderator_is_seen_and_takes_a_seat_like_others(people: People) -> None:
    await people.guest.ask("leave-room")
    users = (await people.guest.join(ROOM, password=PASSWORD)).members
    assert {people.id_of("moderator"), people.id_of("admin")} <= {user.id for user in users}
    await people.admin.ask("leave-room")
    await people.owner.ask("room-update", {"settings": {"max_players": 5}})
    assert (await people.admin.refused("join-room", {"room": ROOM})).code == "room-full"


async def test_role_that_is_taken_away_ends_the_power_at_once(
    people: People, register: Register, connect: Connect
) -> None:
    person = await staff(people.server, register, "former", Role.MODERATOR)
    socket = await person.open()
    await socket.join(ROOM)
    guest = people.id_of("guest")
    await socket.ask("mute", {"user": guest, "chat": True})
    await person.become(Role.MEMBER)
    assert (await socket.refused("mute", {"user": guest, "chat": False})).code == "not-owner"
    await people.owner.ask("ban", {"user": person.id})
    assert (await socket.expect(RoomLeft)).reason == "banned"
    await person.become(Role.MEMBER, Role.MODERATOR)
    await socket.join(ROOM)  # what an owner imposed keeps no moderator from their work
