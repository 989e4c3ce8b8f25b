"""A user who is banned from the server, and comes back without the account: at once, and after a restart."""

from typing import Final

import pytest

from rhythmd.app import Server
from rhythmd.auth.values import Client as Origin
from rhythmd.rows import Role
from tests.deadline import until
from tests.raw import open_raw, upgrade_request
from tests.rest.api import UNLIMITED, Answer, Api, open_api
from tests.rest.conftest import Promote
from tests.server import Serve

HOME: Final = {"X-Forwarded-For": "203.0.113.7"}
ELSEWHERE: Final = {"X-Forwarded-For": "198.51.100.9"}
PASSWORD: Final = "correct horse"
BROWSER: Final = "rhythm_browser=" + "b" * 22


async def register(api: Api, usertag: str, headers: dict[str, str]) -> Answer:
    sent = {**headers, "Origin": api.url}
    return await api.call("POST", "/auth/register", {"usertag": usertag, "password": PASSWORD}, headers=sent)


async def log_in(api: Api, usertag: str, headers: dict[str, str]) -> Answer:
    return await api.call("POST", "/auth/login", {"usertag": usertag, "password": PASSWORD}, headers=headers)


async def socket_status(server: Server, headers: dict[str, str], path: str = "/ws") -> int:
    async with open_raw(server.port) as client:
        client.write(upgrade_request(path, headers))
        return (await client.response()).status


async def assert_kept_out(server: Server, api: Api, headers: dict[str, str], usertag: str) -> None:
    """As a guest, over the socket and REST, and with a new account."""
    assert await socket_status(server, headers) == 403
    for answer in (
        await api.call("POST", "/auth/guest", {}, headers=headers),
        await register(api, usertag, headers),
    ):
        assert (answer.status, answer.code) == (403, "user-banned")


async def assert_let_in(server: Server, api: Api, headers: dict[str, str], usertag: str) -> None:
    assert await socket_status(server, headers) == 101
    assert (await api.call("POST", "/auth/guest", {}, headers=headers)).status == 200
    assert (await register(api, usertag, headers)).status == 201


@pytest.fixture
async def server(serve: Serve) -> Server:
    return await serve(*UNLIMITED)


async def test_banned_user_comes_back_as_a_guest_or_with_a_new_account(server: Server, promote: Promote) -> None:
    async with open_api(server) as api:
        moderator = await api.register("moritz")
        await promote(moderator, Role.MODERATOR)
        assert (await register(api, "pupil", HOME)).status == 201
        bystander = (await log_in(api, "pupil", HOME)).body["access_token"]
        assert (await register(api, "culprit", {**HOME, "Cookie": BROWSER})).status == 201
        ban = await api.call("POST", "/users/culprit/ban", {}, token=moderator.access_token)
        assert ban.status == 200, ban.body
        for headers in (HOME, {**ELSEWHERE, "Cookie": BROWSER}):
            await assert_kept_out(server, api, headers, "innocent")
        # Those with accounts of their own are not meant.
        assert (await log_in(api, "pupil", HOME)).status == 200
        path = await api.socket_path(bystander)
        assert await socket_status(server, HOME, path) == 101
        await assert_let_in(server, api, ELSEWHERE, "innocent")
        assert (await log_in(api, "innocent", ELSEWHERE)).status == 200
        assert (await log_in(api, "innocent", HOME)).code == "user-banned"  # it was made after the ban
        unban = await api.call("DELETE", "/users/culprit/ban", token=moderator.access_token)
        assert unban.status == 200, unban.body
        await assert_let_in(server, api, {**HOME, "Cookie": BROWSER}, "culprit-2")


async def test_ban_at_the_command_line_and_before_a_restart_counts_as_well(serve: Serve, server: Server) -> None:
    other = await serve(*UNLIMITED)
    async with open_api(server) as api:
        assert (await register(api, "culprit", HOME)).status == 201
        await other.auth.moderation.ban(None, "culprit", 3_600, "noise", Origin())
        await until(lambda: len(server.auth.traces) > 0, "the server has heard of it")
        await assert_kept_out(server, api, HOME, "innocent")
    third = await serve(*UNLIMITED)
    async with open_api(third) as api:
        await until(lambda: len(third.auth.traces) > 0, "the store was asked")
        await assert_kept_out(third, api, HOME, "innocent")


async def test_nobody_is_kept_out_by_traces_for_longer_than_the_operator_says(serve: Serve) -> None:
    server = await serve("rooms.ban_network_minutes=0", "rooms.ban_browser_days=0", *UNLIMITED)
    async with open_api(server) as api:
        assert (await register(api, "culprit", {**HOME, "Cookie": BROWSER})).status == 201
        await server.auth.moderation.ban(None, "culprit", None, "noise", Origin())
        await assert_let_in(server, api, {**HOME, "Cookie": BROWSER}, "innocent")
        assert (await log_in(api, "culprit", HOME)).code == "user-banned"


async def test_loopback_is_no_trace(server: Server) -> None:
    async with open_api(server) as api:
        assert (await register(api, "culprit", {})).status == 201
        await server.auth.moderation.ban(None, "culprit", None, "noise", Origin())
        await assert_let_in(server, api, {}, "innocent")
