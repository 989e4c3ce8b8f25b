"""Many mutes: a look for one costs no more the more there are, and a socket from before one evades none."""

from typing import Final

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythmd.app import Server
from rhythmd.auth.ranks import Rank
from rhythmd.hub.rooms.members import Player
from rhythmd.hub.rooms.sanctions import PER_NETWORK, PER_TRACE, SanctionList
from tests.client import Connect
from tests.deadline import until

HOME: Final = "203.0.113.7"
ELSEWHERE: Final = "198.51.100.1"
MANY: Final = 300


def guest(id_: str, address: str = HOME, browser: str = "") -> Player:
    player = Player(id_, "Guest", "#ffffff", address, guest=True, bot=False)
    player.browser = browser
    player.since = 1.0
    return player


@pytest.fixture
def mutes() -> SanctionList:
    return SanctionList(ErrorCode.MUTE_LIMIT, spares_present=True)


@pytest.mark.parametrize("browser", ["", "A" * 22])
def test_guests_of_one_network_or_browser_take_a_bounded_part_of_a_list(mutes: SanctionList, browser: str) -> None:
    for number in range(MANY):
        mutes.add(guest(str(number), browser=browser), None)
    assert len(mutes.all()) == PER_NETWORK
    newcomer = guest("new")
    newcomer.since = 2e10
    assert len(mutes.over(newcomer)) == PER_TRACE
    mutes.add(guest("elsewhere", ELSEWHERE), None)
    assert len(mutes.all()) == PER_NETWORK + 1


def test_guests_of_ever_new_addresses_with_one_browser_stand_behind_it_in_a_bounded_number(mutes: SanctionList) -> None:
    for number in range(MANY):
        mutes.add(guest(str(number), f"198.51.{number // 200}.{number % 200 + 1}", "A" * 22), None)
    assert len(mutes.over(guest("other", "192.0.2.9", "A" * 22))) == PER_TRACE
    assert len(mutes.all()) == MANY


def test_mutes_by_an_owner_push_none_by_a_moderator_out(mutes: SanctionList) -> None:
    mutes.add(guest("worst"), None, Rank.MODERATOR)
    for number in range(MANY):
        mutes.add(guest(str(number)), None)
    newcomer = guest("new")
    newcomer.since = 2e10
    assert mutes.of("worst") is not None
    assert "worst" in [one.keys[0] for one in mutes.over(newcomer)]


def test_longest_mute_of_a_network_holds_when_shorter_ones_have_pushed_others_out(mutes: SanctionList) -> None:
    mutes.add(guest("first"), 0)
    mutes.add(guest("for good"), None)
    for number in range(MANY):
        mutes.add(guest(str(number)), 60)
    newcomer = guest("new")
    newcomer.since = 2e10
    assert mutes.of("for good") is not None
    assert "for good" in [one.keys[0] for one in mutes.over(newcomer)]


def test_what_has_ended_is_forgotten_under_each_of_its_keys(mutes: SanctionList) -> None:
    for number in range(MANY):
        mutes.add(guest(str(number), browser="A" * 22), 0 if number % 2 else 600)
        mutes.change(str(number), 0)
    mutes.forget_ended()
    assert mutes.all() == []
    assert not mutes.applies_to(guest("0", browser="A" * 22))
    mutes.add(guest("next"), None)
    assert [one.keys[0] for one in mutes.over(guest("next"))] == ["next"]


async def test_socket_that_was_open_before_a_mute_does_not_evade_it(server: Server, connect: Connect) -> None:
    owner = await connect(server, headers={"X-Forwarded-For": ELSEWHERE})
    spare, muted, present = [await connect(server, headers={"X-Forwarded-For": HOME}) for _ in range(3)]
    for client in (owner, muted, present):
        await client.join("Salon of spares")
    await owner.ask("mute", {"user": muted.welcome.user.id, "chat": True})
    await spare.join("Salon of spares")
    assert (await spare.refused("chat-message", {"content": "hello"})).code == "chat-muted"
    await present.ask("chat-message", {"content": "I was here before"})
    await present.ask("leave-room")
    await present.join("Salon of spares")
    assert (await present.refused("chat-message", {"content": "hello"})).code == "chat-muted"


async def test_timed_mutes_that_end_one_by_one_give_each_their_voice_back(server: Server, connect: Connect) -> None:
    owner = await connect(server)
    members = [await connect(server) for _ in range(3)]
    for client in (owner, *members):
        await client.join("Salon of short mutes")
    for member in members[:2]:
        await owner.ask("mute", {"user": member.welcome.user.id, "chat": True, "seconds": 1})
    await owner.ask("mute", {"user": members[2].welcome.user.id, "chat": True})
    room = server.hub.registry.get("Salon of short mutes")
    assert room is not None
    await until(lambda: [m.chat_muted for m in room.members.values()] == [False, False, False, True], "two are heard")
    assert (await members[2].refused("chat-message", {"content": "hello"})).code == "chat-muted"
