"""Somebody who is banned from a room comes back as somebody else, over sockets that a proxy tells the address of."""

from collections.abc import AsyncIterator, Mapping
from http.cookies import SimpleCookie
from typing import Final, NamedTuple

import aiohttp
import pytest

from rhythm_protocol.messages import RoomLeft
from rhythmd.app import Server
from tests.client import Client, Connect
from tests.rest.api import UNLIMITED, Api, User, open_api
from tests.server import Serve

HOME: Final = "203.0.113.7"
ELSEWHERE: Final = "198.51.100.9"
ROOM: Final = "Salon"


class Browser(NamedTuple):
    """What sends its cookies along, from an address."""

    server: Server
    connect: Connect
    api: Api
    address: str
    cookies: dict[str, str]

    @property
    def headers(self) -> Mapping[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return {"X-Forwarded-For": self.address, "Origin": self.api.url} | ({"Cookie": cookie} if cookie else {})

    async def visit(self) -> "Browser":
        """Load the page."""
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(f"{self.api.url}/", headers=self.headers) as answer,
        ):
            assert answer.status == 200
            self.keep(answer.cookies)
        return self

    def keep(self, cookies: SimpleCookie) -> None:
        self.cookies.update({name: morsel.value for name, morsel in cookies.items()})

    async def register(self, usertag: str) -> None:
        body = {"usertag": usertag, "password": "correct horse", "cookies": True}
        answer = await self.api.call("POST", "/auth/register", body, headers=self.headers)
        assert answer.status == 201, answer.body
        self.keep(answer.cookies)

    async def log_in(self, usertag: str) -> None:
        body = {"usertag": usertag, "password": "correct horse", "cookies": True}
        answer = await self.api.call("POST", "/auth/login", body, headers=self.headers)
        assert answer.status == 200, answer.body
        self.keep(answer.cookies)

    async def log_out(self) -> None:
        for name in [name for name in self.cookies if name != "rhythm_browser"]:
            del self.cookies[name]

    async def open(self) -> Client:
        return await self.connect(self.server, headers=self.headers)

    def moved(self, address: str) -> "Browser":
        """The same browser at another address."""
        return self._replace(address=address)

    def cleared(self) -> "Browser":
        """The same machine, whose user has thrown the cookies away."""
        return self._replace(cookies={})


class Scene(NamedTuple):
    """A server, the owner of a room in it, and somebody at home."""

    server: Server
    owner: Client
    home: Browser

    async def ban(self, member: Client) -> None:
        await member.join(ROOM)
        await self.owner.ask("ban", {"user": member.welcome.user.id})
        assert (await member.expect(RoomLeft)).reason == "banned"

    async def assert_out(self, browser: Browser) -> None:
        error = await (await browser.open()).refused("join-room", {"room": ROOM})
        assert error.code == "banned"

    async def assert_in(self, browser: Browser) -> None:
        await (await browser.open()).join(ROOM)


@pytest.fixture
async def scene(serve: Serve, connect: Connect) -> AsyncIterator[Scene]:
    server = await serve("hub.flush_max_ms=0", *UNLIMITED)
    owner = await connect(server, headers={"X-Forwarded-For": "192.0.2.1"})
    await owner.join(ROOM)
    async with open_api(server) as api:
        yield Scene(server, owner, Browser(server, connect, api, HOME, {}))


async def test_banned_account_comes_back_as_a_guest_from_the_same_address(scene: Scene) -> None:
    await scene.home.register("culprit")
    await scene.ban(await scene.home.open())
    await scene.assert_out(scene.home)
    await scene.assert_out(scene.home.cleared())
    await scene.assert_in(scene.home.cleared().moved(ELSEWHERE))


async def test_banned_account_comes_back_as_a_guest_in_the_same_browser(scene: Scene) -> None:
    await scene.home.visit()
    await scene.home.register("culprit")
    await scene.ban(await scene.home.open())
    await scene.home.log_out()
    await scene.assert_out(scene.home.moved(ELSEWHERE))


async def test_banned_account_comes_back_as_another_new_account(scene: Scene) -> None:
    await scene.home.register("culprit")
    await scene.ban(await scene.home.open())
    other = scene.home.cleared()
    await other.register("innocent")
    await scene.assert_out(other)


async def test_banned_guest_makes_an_account(scene: Scene) -> None:
    await scene.ban(await scene.home.open())
    await scene.home.register("innocent")
    await scene.assert_out(scene.home)


async def test_banned_guest_logs_in_in_the_same_browser_wherever_it_is(scene: Scene) -> None:
    before = scene.home.cleared()._replace(cookies={})
    await before.register("innocent")
    await scene.home.visit()
    await scene.ban(await scene.home.open())
    for browser in (scene.home, scene.home.moved(ELSEWHERE)):
        await browser.log_in("innocent")
        await scene.assert_out(browser)
    await scene.assert_in(before)  # at home, where the account was before, in a browser of its own


async def test_class_behind_one_address_loses_one_of_its_members(scene: Scene) -> None:
    pupils = [scene.home._replace(cookies={}) for _ in range(4)]
    for number, pupil in enumerate(pupils):
        await pupil.visit()
        await pupil.register(f"pupil-{number}")
    await scene.ban(await pupils[0].open())
    await scene.assert_out(pupils[0])
    for pupil in pupils[1:]:
        await scene.assert_in(pupil)


async def test_operator_says_for_how_long_traces_count(serve: Serve, connect: Connect) -> None:
    server = await serve("hub.flush_max_ms=0", "rooms.ban_network_minutes=0", "rooms.ban_browser_days=0", *UNLIMITED)
    owner = await connect(server, headers={"X-Forwarded-For": "192.0.2.1"})
    await owner.join(ROOM)
    async with open_api(server) as api:
        scene = Scene(server, owner, Browser(server, connect, api, HOME, {}))
        await scene.home.visit()
        assert scene.home.cookies == {}
        await scene.ban(await scene.home.open())
        await scene.assert_in(scene.home)


async def test_ban_in_a_kept_room_is_of_the_person_after_a_restart(serve: Serve, connect: Connect) -> None:
    first = await serve("hub.flush_max_ms=0", *UNLIMITED)
    async with open_api(first) as api:
        clara: User = await api.register("clara")
        owner = await connect(first, path=await api.socket_path(clara.access_token))
        home = Browser(first, connect, api, HOME, {})
        await home.visit()
        await owner.join(ROOM)
        await Scene(first, owner, home).ban(await home.open())
        await owner.ask("leave-room")
    await first.stop()
    second = await serve("hub.flush_max_ms=0", *UNLIMITED)
    async with open_api(second) as api:
        again = home._replace(server=second, api=api)
        scene = Scene(second, owner, again)
        await scene.assert_out(again)
        await scene.assert_out(again.cleared())
        await scene.assert_out(again.moved(ELSEWHERE))
        await again.register("innocent")
        await scene.assert_out(again.moved(ELSEWHERE))
        await scene.assert_in(again.cleared().moved(ELSEWHERE))


@pytest.mark.parametrize("value", ["", "A" * 21, "A" * 23, "'; drop", "\u00e4" * 22])
async def test_browser_cookie_that_is_none_of_ours_counts_for_nothing_and_is_replaced(scene: Scene, value: str) -> None:
    browser = scene.home._replace(cookies={"rhythm_browser": value})
    await browser.visit()
    assert len(browser.cookies["rhythm_browser"]) == 22
