"""What one network has is counted together, whatever counts it: here neighbours of a /24 have it together."""

import asyncio
from typing import Final

import pytest

from rhythmd.addresses import customer_network, set_customer_prefix
from rhythmd.app import Server
from rhythmd.auth.errors import LockedOut
from rhythmd.auth.lockout import Lockout, LockoutPolicy
from rhythmd.config import LimitsConfig
from rhythmd.fairness.turns import Turns
from rhythmd.hub.rooms.members import Player
from rhythmd.net.places import Places
from rhythmd.telemetry import Stats
from tests.raw import ConnectRaw
from tests.server import Serve

HERE: Final = "203.0.113.1"
NEIGHBOUR: Final = "203.0.113.254"
ELSEWHERE: Final = "203.0.112.1"
NETWORK: Final = "limits.network_prefix_v4=24"
BODY: Final = b'{"usertag":"nobody","password":"not mine"}'
LOGIN: Final = (
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class Holder:
    """A connection that makes no room."""

    def make_room(self, *, is_read: bool) -> None:
        raise AssertionError


async def ask(connect_raw: ConnectRaw, server: Server, address: str, request: bytes) -> int:
    """The status of the answer to somebody at this address, whose connection stays."""
    client = await connect_raw(server)
    client.write(f"PROXY TCP4 {address} 127.0.0.1 40000 80\r\n".encode() + request)
    return (await client.response()).status


def test_neighbours_share_their_connections() -> None:
    set_customer_prefix(24)
    places, holder = Places(LimitsConfig(connections_per_address=1)), Holder()
    claims = []
    for address in (HERE, NEIGHBOUR, ELSEWHERE):
        place = places.enter(holder)
        assert place is not None
        place.wait(None)
        claims.append(place.claim_socket(customer_network(address)))
    assert claims == [True, False, True]


def test_those_of_a_network_that_are_about_to_end_are_bounded() -> None:
    ended: list[int] = []

    class Leaver:
        def __init__(self, number: int) -> None:
            self.number = number

        def make_room(self, *, is_read: bool) -> None:
            ended.append(self.number)

    places = Places(LimitsConfig(connections_per_address=2))
    leaving = []
    for number in range(5):
        place = places.enter(Leaver(number))
        assert place is not None
        place.keep()
        assert place.claim_socket(HERE)
        place.end()
        leaving.append(place)
    assert (ended, len(places)) == ([0, 1, 2], 2)
    for place in leaving:
        place.leave()
    assert len(places) == 0


def test_network_does_not_displace_those_that_have_no_more() -> None:
    """Attackers from two networks hold all; each newcomer of a third has one of theirs, until all have as many."""
    ended: list[str] = []

    class Attacker:
        def __init__(self, network: str) -> None:
            self.network = network

        def make_room(self, *, is_read: bool) -> None:
            ended.append(self.network)

    places = Places(LimitsConfig(http_connections=12, connections_per_address=12))

    def enters(network: str) -> bool:
        place = places.enter(Attacker(network), network)
        if place is None:
            return False
        assert place.claim(network)
        place.wait(None)
        return True

    assert all(enters("left") and enters("right") for _ in range(6))
    assert not enters("left")
    assert not ended
    assert [enters("new") for _ in range(6)] == [True] * 4 + [False] * 2
    assert sorted(ended) == ["left", "left", "right", "right"]


async def test_neighbours_share_their_requests(serve: Serve, connect_raw: ConnectRaw) -> None:
    server = await serve(NETWORK, "limits.auth_requests_per_minute=1", "limits.people_per_address=1")
    statuses = [await ask(connect_raw, server, address, LOGIN) for address in (HERE, NEIGHBOUR, ELSEWHERE)]
    assert statuses == [401, 429, 401]


def test_neighbours_share_their_locks() -> None:
    set_customer_prefix(24)
    policy = LockoutPolicy(0, 60.0, 60.0)
    lockout = Lockout(policy, policy, LockoutPolicy(100, 1.0, 1.0), 10, lambda: 1)
    lockout.begin("somebody", HERE)
    with pytest.raises(LockedOut):
        lockout.begin("another", NEIGHBOUR)
    lockout.begin("another", ELSEWHERE)


async def test_neighbours_share_their_turns_and_bans() -> None:
    set_customer_prefix(24)
    turns = Turns(asyncio.get_running_loop(), LimitsConfig(), Stats())
    assert turns.network(HERE) is turns.network(NEIGHBOUR)
    assert turns.network(HERE) is not turns.network(ELSEWHERE)
    players = [Player("id", "A", "#ffffff", address, guest=True, bot=False) for address in (HERE, NEIGHBOUR, ELSEWHERE)]
    assert [player.network for player in players] == ["203.0.113.0/24", "203.0.113.0/24", "203.0.112.0/24"]
