"""Guessing the password of a room gets slow, for those who guess; whoever knows it comes in."""

import asyncio
from typing import Final

from rhythmd.app import Server
from rhythmd.auth.guesses import CROWD, RoomGuesses
from rhythmd.config import AuthConfig
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Player
from tests.client import Answer, Connect
from tests.hub.people import PASSWORD as ACCOUNT_PASSWORD
from tests.hub.people import Register
from tests.rest.api import open_api
from tests.server import Serve

GUESSER: Final = {"X-Forwarded-For": "203.0.113.7"}
NEIGHBOUR: Final = {"X-Forwarded-For": "203.0.113.8"}
PASSWORD: Final = "1234"
MINUTE_MS: Final = 60_000
DAY_MS: Final = 1_440 * MINUTE_MS


async def make_room(connect: Connect, server: Server) -> str:
    """Its id."""
    owner = await connect(server, headers=NEIGHBOUR)
    return (await owner.join("Salon", password=PASSWORD)).room.id


async def test_who_guesses_has_to_wait_over_sockets_and_rest_and_nobody_else(serve: Serve, connect: Connect) -> None:
    server = await serve("auth.pair_failures=3", "auth.lock_first_s=300")
    room = await make_room(connect, server)
    async with open_api(server) as api:
        guest = await api.call("POST", "/auth/guest", {}, headers=GUESSER)
        headers = GUESSER | {"Authorization": f"Bearer {guest.body['access_token']}"}
        guesser, classmate = await connect(server, headers=headers), await connect(server, headers=GUESSER)
        codes = [
            (await guesser.refused("join-room", {"room": "Salon", "password": str(number)})).code for number in range(6)
        ]
        assert codes == ["wrong-password"] * 4 + ["locked-out"] * 2
        assert (await guesser.refused("join-room", {"room": "Salon", "password": PASSWORD})).code == "locked-out"
        answer = await api.call("POST", f"/rooms/{room}/join", {"password": PASSWORD}, headers=headers)
        assert (answer.status, answer.code) == (429, "locked-out")
    await classmate.join("Salon", password=PASSWORD)
    await (await connect(server, headers=NEIGHBOUR)).join("Salon", password=PASSWORD)


async def test_guesses_of_ever_new_guests_lock_their_network_but_nobody_whom_the_room_knows(
    serve: Serve, connect: Connect, register: Register
) -> None:
    server = await serve("auth.pair_failures=1", "limits.connections_per_address=100")
    owner, insider = [await connect(server, headers=GUESSER) for _ in range(2)]
    await owner.join("Salon", password=PASSWORD)
    await insider.join("Salon", password=PASSWORD)
    for _ in range(CROWD // 2):
        guesser = await connect(server, headers=GUESSER)
        for number in range(2):
            wrong = {"room": "Salon", "password": str(number)}
            assert (await guesser.refused("join-room", wrong)).code == "wrong-password"
        await guesser.close()
    newcomer = await connect(server, headers=GUESSER)
    assert (await newcomer.refused("join-room", {"room": "Salon", "password": PASSWORD})).code == "locked-out"
    clara = await register(server, "clara")
    pupil = await connect(server, headers=GUESSER | {"Authorization": f"Bearer {clara.token}"})
    await pupil.join("Salon", password=PASSWORD)  # guests do not use up what accounts have
    for known in (insider, owner):
        await known.ask("leave-room")
        await known.join("Salon", password=PASSWORD)
    await insider.ask("leave-room")
    assert (await insider.refused("join-room", {"room": "Salon", "password": "other"})).code == "locked-out"
    await insider.join("Salon", password=PASSWORD)


async def test_password_that_was_right_before_is_a_guess_when_the_room_has_another_one(
    serve: Serve, connect: Connect
) -> None:
    server = await serve("auth.pair_failures=1", "auth.lock_first_s=300")
    owner, insider = [await connect(server, headers=GUESSER) for _ in range(2)]
    for client in (owner, insider):
        await client.join("Salon", password=PASSWORD)
    await insider.ask("leave-room")
    await owner.ask("room-update", {"settings": {"password": "another"}})
    old = {"room": "Salon", "password": PASSWORD}
    codes = [(await insider.refused("join-room", old)).code for _ in range(4)]
    assert codes == ["wrong-password"] * 3 + ["locked-out"]


def test_ten_thousand_passwords_of_four_digits_take_one_network_more_than_a_month() -> None:
    """Of guests who are new each time; and as long again of accounts, of which each is counted, too."""
    config = AuthConfig()
    now = 0
    guesses = RoomGuesses(config, lambda: now)
    tried = number = 0
    while now < DAY_MS:
        number += 1
        stranger = Player(f"guest {number}", "Guest", "#ffffff", "203.0.113.7", guest=True, bot=False)
        try:
            guesses.begin("room", stranger, str(number), owns=False)
        except Refused:
            now += MINUTE_MS
        else:
            tried += 1
    a_day = DAY_MS // (config.lock_max_s * 1_000)
    assert tried <= CROWD * config.pair_failures + a_day
    assert 10_000 / a_day > 30


async def test_right_password_is_no_guess_and_forgives_those_before(serve: Serve, connect: Connect) -> None:
    server = await serve("auth.pair_failures=3", "auth.lock_first_s=300")
    await make_room(connect, server)
    client = await connect(server, headers=GUESSER)
    for _ in range(3):
        for number in range(3):
            wrong = {"room": "Salon", "password": str(number)}
            assert (await client.refused("join-room", wrong)).code == "wrong-password"
        await client.join("Salon", password=PASSWORD)
        await client.ask("leave-room")


async def test_guesses_at_a_kept_room_count_from_their_beginning(
    serve: Serve, connect: Connect, register: Register
) -> None:
    server = await serve("auth.pair_failures=1", "auth.lock_first_s=300", "limits.connections_per_address=100")
    clara = await register(server, "clara")
    owner = await connect(server, headers={"Authorization": f"Bearer {clara.token}"})
    await owner.join("Salon", password=PASSWORD)
    guessers = [await connect(server, headers=GUESSER) for _ in range(CROWD + 4)]
    for number, client in enumerate(guessers):
        await client.send("join-room", {"room": "Salon", "password": str(number)}, id_=1)
    answers = [await client.expect(Answer) for client in guessers]
    codes = [answer.error.code for answer in answers if answer.error is not None]
    assert codes.count("locked-out") == 4


async def test_login_from_elsewhere_is_answered_while_one_network_guesses_as_fast_as_it_can(
    serve: Serve, connect: Connect, register: Register
) -> None:
    server = await serve(
        *(f"auth.{kind}_failures=100000" for kind in ("pair", "address", "account")),
        "auth.password_threads=1", "auth.password_queue=4", "limits.auth_requests_per_minute=100000",
        "limits.connections_per_address=200",
    )  # fmt: skip
    clara = await register(server, "clara")
    owner = await connect(server, headers={"Authorization": f"Bearer {clara.token}"})
    await owner.join("Salon", password=PASSWORD)
    guests = [await connect(server, headers=GUESSER) for _ in range(40)]
    async with open_api(server) as api:

        async def login(password: str, headers: dict[str, str]) -> tuple[int, str | None]:
            said = {"usertag": clara.account.usertag, "password": password}
            answer = await api.call("POST", "/auth/login", said, headers=headers)
            return answer.status, None if answer.status == 200 else answer.code

        for number, guest in enumerate(guests):
            await guest.send("join-room", {"room": "Salon", "password": f"wrong {number}"}, id_=1)
        crowd = [asyncio.create_task(login(f"wrong {number}", GUESSER)) for number in range(40)]
        await asyncio.wait(crowd, return_when=asyncio.FIRST_COMPLETED)
        assert await login(ACCOUNT_PASSWORD, NEIGHBOUR) == (200, None)
        assert (503, "busy") in await asyncio.gather(*crowd)
    codes = {answer.error.code for answer in [await guest.expect(Answer) for guest in guests] if answer.error}
    assert codes == {"wrong-password", "unavailable"}
