"""While the database is away: what needs it is refused with a code, and the music goes on."""

import pytest

from rhythmd.app import Server
from tests.client import Connect, note_off, note_on
from tests.conftest import ErrorLog
from tests.rest.api import PASSWORD, UNLIMITED, open_api
from tests.server import Serve
from tests.services import free_port


@pytest.fixture
async def bereft(serve: Serve) -> Server:
    """A server whose MongoDB is not there."""
    return await serve(
        "store.backend=mongo", f"mongo.url=mongodb://127.0.0.1:{free_port()}", "mongo.find_s=0.1", "store.timeout_s=1",
        *UNLIMITED,
    )  # fmt: skip


async def test_requests_are_refused_with_a_code_and_rooms_play_on(
    bereft: Server, connect: Connect, errors_logged: ErrorLog
) -> None:
    players = [await connect(bereft) for _ in range(2)]
    for player in players:
        await player.join("lobby")
    async with open_api(bereft) as api:
        for method, path, body in (
            ("POST", "/auth/login", {"usertag": "Clara", "password": PASSWORD}),
            ("POST", "/auth/register", {"usertag": "Clara", "password": PASSWORD}),
            ("POST", "/auth/refresh", {"refresh_token": "x"}),
            ("GET", "/users/Clara", None),
        ):
            answer = await api.call(method, path, body)
            assert (answer.status, answer.code) == (503, "unavailable"), path
            assert int(answer.headers["Retry-After"]) >= 1
        assert (await api.call("GET", "/rooms/active")).body["rooms"][0]["players"] == 2
        guest = await api.guest()
        assert (await api.call("POST", "/rooms/lobby/join", {}, token=guest)).status == 200
    await players[0].play([note_on(), note_off()])
    assert len(await players[1].events(2)) == 2
    errors_logged.records.clear()  # that the database is away
