"""Guessing the password of a room gets slow, for those who guess; whoever knows it comes in."""

import asyncio
from typing import Final

from rhythmd.app import Server
from tests.client import Answer, Connect
from tests.hub.people import PASSWORD as ACCOUNT_PASSWORD
from tests.hub.people import Register
from tests.rest.api import open_api
from tests.server import Serve

GUESSER: Final = {"X-Forwarded-For": "203.0.113.7"}
NEIGHBOUR: Final = {"X-Forwarded-For": "203.0.113.8"}
PASSWORD: Final = "1234"


async def make_room(connect: Connect, server: Server) -> str:
    """Its id."""
    owner = await connect(server, headers=NEIGHBOUR)
    return (await owner.join("Salon", password=PASSWORD)).room.id


async def test_network_that_guesses_has_to_wait_and_nobody_else(serve: Serve, connect: Connect) -> None:
    server = await serve("auth.pair_failures=3", "auth.lock_first_s=300")
    room = await make_room(connect, server)
    guessers = [await connect(server, headers=GUESSER) for _ in range(2)]
    codes = [
        (await guessers[number % 2].refused("join-room", {"room": "Salon", "password": str(number)})).code
        for number in range(6)
    ]
    assert codes == ["wrong-password"] * 4 + ["locked-out"] * 2
    assert (await guessers[0].refused("join-room", {"room": "Salon", "password": PASSWORD})).code == "locked-out"
    async with open_api(server) as api:
        guest = await api.call("POST", "/auth/guest", {}, headers=GUESSER)
        headers = GUESSER | {"Authorization": f"Bearer {guest.body['access_token']}"}
        answer = await api.call("POST", f"/rooms/{room}/join", {"password": PASSWORD}, headers=headers)
        assert (answer.status, answer.code) == (429, "locked-out")
    neighbour = await connect(server, headers=NEIGHBOUR)
    await neighbour.join("Salon", password=PASSWORD)


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
    server = await serve("auth.pair_failures=3", "auth.lock_first_s=300")
    clara = await register(server, "clara")
    owner = await connect(server, headers={"Authorization": f"Bearer {clara.token}"})
    await owner.join("Salon", password=PASSWORD)
    guessers = [await connect(server, headers=GUESSER) for _ in range(8)]
    for number, client in enumerate(guessers):
        await client.send("join-room", {"room": "Salon", "password": str(number)}, id_=1)
    answers = [await client.expect(Answer) for client in guessers]
    assert (
        sorted(answer.error.code for answer in answers if answer.error is not None)
        == ["locked-out"] * 4 + ["wrong-password"] * 4
    )


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
