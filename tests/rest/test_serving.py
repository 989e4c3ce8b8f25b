"""What is around every request: counts, headers, origins, proxies, ids and patience."""

import asyncio
import logging
import re
from typing import Final

import aiohttp
import orjson
import pytest
from aiohttp import web

from rhythmd.app import Server
from rhythmd.config import LimitsConfig
from rhythmd.hub.rooms.room import Room
from rhythmd.rest.serving.rates import Rate, RateLimiter, Rates
from rhythmd.telemetry import setup_logging
from tests.conftest import ErrorLog
from tests.deadline import until, within
from tests.raw import ConnectRaw, upgrade_request
from tests.rest.api import PASSWORD, UNLIMITED, Api, open_api
from tests.server import Serve

ALONE: Final = "limits.people_per_address=1"
FRIEND: Final = "https://friend.example"
ACTIVE: Final = "/rooms/active"


# Counts


async def test_requests_are_counted_down_and_then_refused(serve: Serve) -> None:
    async with open_api(await serve("limits.requests_per_minute=3", ALONE)) as api:
        answers = [await api.call("GET", ACTIVE) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    refusal = answers[-1]
    assert refusal.code == "rate-limited"
    assert refusal.headers["X-RateLimit-Limit"] == "3"
    assert 1 <= int(refusal.headers["Retry-After"]) <= int(refusal.headers["X-RateLimit-Reset"]) <= 60


async def test_logins_are_counted_apart(serve: Serve) -> None:
    async with open_api(await serve("limits.auth_requests_per_minute=1", ALONE)) as api:
        assert (await api.call("POST", "/auth/guest", {})).status == 200
        assert (await api.call("POST", "/auth/guest", {})).status == 429
        assert (await api.call("GET", ACTIVE)).status == 200


async def test_member_is_counted_by_account_and_guest_by_address(serve: Serve) -> None:
    settings = ("limits.requests_per_minute=2", UNLIMITED[1], ALONE)
    async with open_api(await serve(*settings)) as api:
        user, guests = await api.register(), [await api.guest() for _ in range(3)]
        statuses = [(await api.call("POST", "/auth/ticket", token=token)).status for token in guests]
        assert statuses == [200, 200, 429]
        assert (await api.call("GET", "/users/profile", token=user.access_token)).status == 200


async def test_bad_tokens_are_counted_too(serve: Serve) -> None:
    async with open_api(await serve("limits.requests_per_minute=2", ALONE)) as api:
        statuses = [(await api.call("GET", "/users/profile", token="x")).status for _ in range(3)]
    assert statuses == [401, 401, 429]


def test_limiter_gives_back_what_time_brings() -> None:
    now = 0.0
    limiter = RateLimiter(60, 10, lambda: now)
    assert [limiter.take("a").wait_s for _ in range(61)] == [0] * 60 + [1]
    assert limiter.take("b").remaining == 59
    now = 1.0
    assert limiter.take("a").wait_s == 0
    assert limiter.take("a").wait_s == 1
    now = 61.0
    assert limiter.take("a").remaining == 59


def test_limiter_remembers_only_so_many() -> None:
    limiter = RateLimiter(1, 10, lambda: 0.0)
    for number in range(1_000):
        limiter.take(str(number))
    assert len(limiter) == 10


def test_rates_follow_the_configuration() -> None:
    limits = {"requests_per_minute": 7, "auth_requests_per_minute": 5, "uploads_per_minute": 3}
    rates = Rates(LimitsConfig(**limits, people_per_address=2, accounts_per_hour=9))
    counted = (Rate.GENERAL, Rate.AUTH, Rate.UPLOAD)
    assert [rates.of_account(rate, "a").limit for rate in counted] == [7, 5, 3]
    assert [rates.of_address(rate, "a").limit for rate in Rate] == [14, 10, 6, 9]


async def test_class_behind_one_address_gets_in(server: Server) -> None:
    """Thirty people within a minute, half of them with an account."""
    async with open_api(server) as api:
        for number in range(15):
            await api.register(f"Pupil{number}")
            await api.guest()
            answers = [
                await api.call("POST", "/auth/login", {"usertag": f"Pupil{number}", "password": PASSWORD}),
                await api.call("GET", ACTIVE),
            ]
            assert [answer.status for answer in answers] == [200, 200]


async def test_accounts_are_registered_so_often_from_one_address_in_an_hour(serve: Serve) -> None:
    async with open_api(await serve("limits.accounts_per_hour=2")) as api:
        accounts = [{"usertag": f"User{number}", "password": PASSWORD} for number in range(3)]
        answers = [await api.call("POST", "/auth/register", account) for account in accounts]
        assert [answer.status for answer in answers] == [201, 201, 429]
        assert 60 < int(answers[-1].headers["Retry-After"]) <= 1_800
        assert answers[-1].body["error"]["message"] == "more than 2 requests an hour"
        assert (await api.call("POST", "/auth/login", accounts[0])).status == 200


async def test_no_answer_tells_which_versions_run_here(server: Server, connect_raw: ConnectRaw) -> None:
    """Of a page, the API, the cached list, a file, what the parser refuses, and an upgrade."""
    requests = [
        *(
            f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
            for path in ("/", "/api/v1/rooms/active", "/api/v1/users/profile", "/metrics", "/nowhere", "/ws")
        ),
        b"GET / HTTP/3.0\r\n\r\n",
        b"nonsense\r\n\r\n",
        upgrade_request(),
    ]
    for request in requests:
        client = await connect_raw(server)
        client.write(request)
        headers = (await client.response()).headers
        assert headers.get("server", "rhythmd") == "rhythmd", request
        assert "aiohttp" not in str(headers).lower()
        assert "python" not in str(headers).lower()


# Proxies

NO_PROXY: Final = "server.trusted_proxies=[]"


async def test_forwarded_address_counts_only_from_a_trusted_proxy(serve: Serve) -> None:
    headers = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(3)]
    async with open_api(await serve("limits.requests_per_minute=1", ALONE, NO_PROXY)) as api:
        assert [(await api.call("GET", ACTIVE, headers=sent)).status for sent in headers] == [200, 429, 429]
    trusted = 'server.trusted_proxies=["127.0.0.0/8", "10.0.0.0/8"]'
    async with open_api(await serve("limits.requests_per_minute=1", ALONE, trusted)) as api:
        assert [(await api.call("GET", ACTIVE, headers=sent)).status for sent in headers] == [200] * 3
        forged = [{"X-Forwarded-For": f"1.1.1.{number}, 203.0.113.7, 10.1.1.1"} for number in range(2)]
        assert [(await api.call("GET", ACTIVE, headers=sent)).status for sent in forged] == [200, 429]


async def test_proxy_that_ends_tls_makes_cookies_secure(serve: Serve) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    async with open_api(await serve(NO_PROXY)) as api:
        answer = await api.call("POST", "/auth/guest", {"cookies": True}, headers=headers)
        assert "rhythm_access" in answer.cookies
        assert "Strict-Transport-Security" not in answer.headers
    async with open_api(await serve('server.trusted_proxies=["127.0.0.1/32"]')) as api:
        answer = await api.call("POST", "/auth/guest", {"cookies": True}, headers=headers)
        assert answer.cookies["__Host-rhythm_access"]["secure"]
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


# Origins


@pytest.fixture
async def friendly(serve: Serve) -> Server:
    return await serve(f'server.allowed_origins=["{FRIEND}"]', *UNLIMITED)


async def test_allowed_origin_may_read_and_ask(friendly: Server) -> None:
    async with open_api(friendly) as api:
        answer = await api.call("GET", ACTIVE, headers={"Origin": FRIEND})
        assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert answer.headers["Vary"] == "Origin"
        asked = {"Origin": FRIEND, "Access-Control-Request-Method": "PATCH"}
        preflight = await api.call("OPTIONS", "/users/profile", headers=asked)
        assert preflight.status == 204
        assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
        assert preflight.headers["Access-Control-Allow-Origin"] == FRIEND
        assert (await api.call("POST", "/auth/guest", {}, headers={"Origin": FRIEND})).status == 200


async def test_other_origins_may_not_and_never_all_of_them(friendly: Server) -> None:
    async with open_api(friendly) as api:
        for origin in ("https://evil.example", "null", f"{FRIEND}.evil.example", "*"):
            answer = await api.call("GET", ACTIVE, headers={"Origin": origin})
            assert "Access-Control-Allow-Origin" not in answer.headers
            asked = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
            preflight = await api.call("OPTIONS", "/users/profile", headers=asked)
            assert (preflight.status, preflight.code) == (403, "cross-site")
            assert (await api.call("POST", "/auth/guest", {}, headers={"Origin": origin})).status == 403


async def test_own_origin_may_ask(api: Api) -> None:
    assert (await api.call("POST", "/auth/guest", {}, headers={"Origin": api.url})).status == 200


# Headers


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/v1/rooms/active", "/api/v1/nowhere", "/health/live"])
async def test_every_answer_has_the_security_headers(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as answer:
        headers = answer.headers
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert re.fullmatch(r"[0-9a-f]{16}", headers["X-Request-Id"])


async def test_error_has_the_id_of_its_request(api: Api) -> None:
    first, second = await api.call("GET", "/nowhere"), await api.call("GET", "/nowhere")
    assert first.body["error"]["request_id"] == first.headers["X-Request-Id"]
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


async def test_log_lines_have_the_id_of_their_request(
    api: Api, monkeypatch: pytest.MonkeyPatch, errors_logged: ErrorLog, capsys: pytest.CaptureFixture[str]
) -> None:
    def info(_room: Room) -> object:
        raise RuntimeError("a mistake of ours")

    handlers = logging.getLogger().handlers[:]
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    setup_logging("INFO")
    logging.getLogger().addHandler(errors_logged)
    monkeypatch.setattr(Room, "info", info)
    answer = await api.call("GET", "/rooms/lobby")
    assert answer.status == 500
    assert f"[{answer.headers['X-Request-Id']}]: GET /api/v1/rooms/lobby failed" in capsys.readouterr().err
    errors_logged.records.clear()
    monkeypatch.setattr(logging.getLogger(), "handlers", handlers)


def test_message_of_the_log_cannot_be_forged(
    monkeypatch: pytest.MonkeyPatch, errors_logged: ErrorLog, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers = logging.getLogger().handlers[:]
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    setup_logging("INFO")
    logging.getLogger("rhythmd.rest").warning("GET %s failed", "/\x1b[2J\r\n2026-01-01 INFO all is well")
    monkeypatch.setattr(logging.getLogger(), "handlers", handlers)
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("GET /\\x1b[2J\\r")
    assert second == "    2026-01-01 INFO all is well failed"
    assert not errors_logged.records


# Reports


async def test_failure_is_posted_to_the_webhook(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, errors_logged: ErrorLog
) -> None:
    posted: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        posted.append(await request.read())
        return web.Response(status=204)

    def info(_room: Room) -> object:
        raise RuntimeError("a mistake of ours")

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    async with open_api(await serve(f"errors.webhook_url={url}")) as api:
        monkeypatch.setattr(Room, "info", info)
        answer = await api.call("GET", "/rooms/lobby")
        await until(lambda: posted, "the report is there")
    report = orjson.loads(posted[0])
    assert report["request_id"] == answer.headers["X-Request-Id"]
    assert "a mistake of ours" in report["error"]
    assert (report["method"], report["path"]) == ("GET", "/api/v1/rooms/lobby")
    errors_logged.records.clear()
    await runner.cleanup()


async def test_webhook_that_is_away_is_in_nobodys_way(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, errors_logged: ErrorLog
) -> None:
    def info(_room: Room) -> object:
        raise RuntimeError("a mistake of ours")

    server = await serve("errors.webhook_url=http://127.0.0.1:9/hook", "errors.webhook_queue=1")
    async with open_api(server) as api:
        monkeypatch.setattr(Room, "info", info)
        answers = await asyncio.gather(*(api.call("GET", "/rooms/lobby") for _ in range(20)))
        assert {answer.status for answer in answers} == {500}
    errors_logged.records.clear()


# Patience


async def test_head_that_never_ends_is_given_up(serve: Serve, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(await serve("limits.handshake_s=0.1"))
    client.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n")
    assert await within(client.rest()) == b""


async def test_body_that_never_ends_is_given_up(serve: Serve, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(await serve("limits.body_s=0.1"))
    client.write(
        b"POST /api/v1/auth/guest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    answer = await within(client.response())
    assert answer.status == 408
    assert orjson.loads(answer.body)["error"]["code"] == "too-slow"
