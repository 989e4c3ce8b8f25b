"""What an attacker would try: another site's page in a second tab, and requests that no browser makes."""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import jwt
import orjson
import pytest
from aiohttp.test_utils import make_mocked_request
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rhythmd.app import Server
from rhythmd.auth.service import load_keys
from rhythmd.rest.serving.cookies import CookieScope, access_token
from tests.client import Connect
from tests.raw import ConnectRaw, upgrade_request
from tests.rest.api import PASSWORD, Api, User
from tests.server import make_config

EVIL: Final = "https://evil.example"


# Another site's page


async def cookies(api: Api) -> str:
    """What a browser with a login sends along."""
    await api.register("Clara")
    answer = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": PASSWORD, "cookies": True})
    return "; ".join(f"{name}={morsel.value}" for name, morsel in answer.cookies.items())


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {},  # says nothing of itself: no browser of today
    ],
)
async def test_cross_site_form_post_is_refused(api: Api, headers: dict[str, str]) -> None:
    cookie = await cookies(api)
    sent = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", **headers}
    answer = await api.call("POST", "/auth/logout", headers=sent, data=b"a=b")
    assert (answer.status, answer.code) == (403, "cross-site")
    answer = await api.call("PATCH", "/users/profile", {"bio": "taken over"}, headers={"Cookie": cookie, **headers})
    assert (answer.status, answer.code) == (403, "cross-site")
    assert (await api.call("GET", "/users/profile", headers={"Cookie": cookie})).body["profile"]["bio"] == ""


async def test_form_post_of_our_own_page_is_no_json(api: Api) -> None:
    headers = {"Cookie": await cookies(api), "Origin": api.url, "Content-Type": "text/plain"}
    answer = await api.call("PATCH", "/users/profile", headers=headers, data=b'{"bio": "x"}')
    assert (answer.status, answer.code) == (415, "unsupported-media-type")


async def test_login_from_another_site_is_refused(api: Api) -> None:
    await api.register("Mallory")
    body = {"usertag": "Mallory", "password": PASSWORD, "cookies": True}
    answer = await api.call("POST", "/auth/login", body, headers={"Origin": EVIL})
    assert (answer.status, answer.code) == (403, "cross-site")
    assert not answer.cookies


async def test_answers_are_not_readable_by_other_sites(api: Api) -> None:
    answer = await api.call("GET", "/users/profile", headers={"Cookie": await cookies(api), "Origin": EVIL})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", ["http://[", "http://]/", "//", "", "http://[::1", "\xff"])
async def test_origin_that_is_no_url_is_refused(api: Api, origin: str) -> None:
    answer = await api.call("POST", "/auth/guest", {}, headers={"Origin": origin})
    assert (answer.status, answer.code) == (403, "cross-site")


async def test_socket_with_a_foreign_origin_is_refused(patient: Server, connect_raw: ConnectRaw) -> None:
    client = await connect_raw(patient)
    client.write(upgrade_request("/ws", {"Origin": EVIL}))
    assert (await client.response()).status == 403


# Bodies and paths


@pytest.mark.parametrize("field", ["usertag", "password"])
@pytest.mark.parametrize("value", [{"$ne": None}, {"$gt": ""}, ["a"], 1, True, None])
async def test_operators_in_a_login_are_no_text(api: Api, field: str, value: object) -> None:
    await api.register("Clara")
    answer = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": PASSWORD, field: value})
    assert (answer.status, answer.code, answer.field) == (400, "invalid-field", field)


@pytest.mark.parametrize("text", [".*", "^C", "Clar.", "%25", "C%", "$where", "' OR '1'='1", "..%2f..", "%00"])
async def test_regular_expression_in_a_usertag_finds_nobody(api: Api, text: str) -> None:
    await api.register("Clara")
    answer = await api.call("GET", f"/users/{text}")
    assert (answer.status, answer.code) == (404, "not-found")
    answer = await api.call("POST", "/auth/login", {"usertag": text, "password": PASSWORD})
    assert (answer.status, answer.code) == (401, "wrong-credentials")


# Tokens


def claims(user_id: str, session: str, **changes: object) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": "rhythmd", "aud": "rhythmd", "sub": user_id, "sid": session, "jti": "x", "iat": now, "exp": now + 60,
        "roles": ["admin"], **changes,
    }  # fmt: skip


async def refused_token(api: Api, token: str) -> str:
    answer = await api.call("GET", "/users/profile", token=token)
    assert answer.status == 401
    return answer.code


async def test_token_with_alg_none_is_refused(api: Api) -> None:
    user = await api.register()
    kid = jwt.get_unverified_header(user.access_token)["kid"]
    for token in (
        jwt.encode(claims(user.id, user.session), "", algorithm="none", headers={"kid": kid}),
        user.access_token.rpartition(".")[0] + ".",
    ):
        assert await refused_token(api, token) == "invalid-token"


async def test_token_with_another_key_is_refused(api: Api) -> None:
    user = await api.register()
    kid = jwt.get_unverified_header(user.access_token)["kid"]
    for key, algorithm in ((Ed25519PrivateKey.generate(), "EdDSA"), ("s" * 32, "HS256")):
        token = jwt.encode(claims(user.id, user.session), key, algorithm=algorithm, headers={"kid": kid})
        assert await refused_token(api, token) == "invalid-token"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": 1_000, "iat": 900}, "token-expired"),
        ({"aud": "another"}, "invalid-token"),
        ({"iss": "another"}, "invalid-token"),
        ({"iat": 9_999_999_999, "exp": 9_999_999_999}, "invalid-token"),
    ],
)
async def test_token_of_our_key_but_not_for_this_is_refused(
    api: Api, tmp_path: Path, changes: dict[str, object], code: str
) -> None:
    user = await api.register()
    key = (await asyncio.to_thread(load_keys, make_config(tmp_path).auth, tmp_path / "data")).current
    headers = {"kid": key.kid}
    good = jwt.encode(claims(user.id, user.session), key.key, algorithm="EdDSA", headers=headers)
    assert (await api.call("GET", "/users/profile", token=good)).status == 200
    assert (await api.call("GET", "/audit", token=good)).code == "not-permitted"  # roles are the account's
    bad = jwt.encode(claims(user.id, user.session, **changes), key.key, algorithm="EdDSA", headers=headers)
    assert await refused_token(api, bad) == code


async def test_refresh_token_replayed_ends_the_session(api: Api) -> None:
    user = await api.register()
    stolen = {"refresh_token": user.refresh_token}
    fresh = (await api.call("POST", "/auth/refresh", stolen)).body
    answer = await api.call("POST", "/auth/refresh", stolen)
    assert (answer.status, answer.code) == (401, "invalid-refresh-token")
    for token in (fresh["access_token"], user.access_token):
        assert await refused_token(api, token) == "invalid-token"
    assert (await api.call("POST", "/auth/refresh", {"refresh_token": fresh["refresh_token"]})).status == 401


async def test_ticket_stolen_and_used_twice_opens_one_socket(
    api: Api, patient: Server, connect_raw: ConnectRaw
) -> None:
    user = await api.register()
    ticket = (await api.call("POST", "/auth/ticket", token=user.access_token)).body["ticket"]
    statuses = []
    for _ in range(2):
        client = await connect_raw(patient)
        client.write(upgrade_request(f"/ws?ticket={ticket}"))
        statuses.append((await client.response()).status)
    assert statuses == [101, 401]


# What no client sends


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{", "bad-request"),
        (b"", "bad-request"),
        (b"\xff", "bad-request"),
        (b'{"user": "\xed\xa0\x80", "password": "x"}', "bad-request"),
        (b"[]", "invalid-field"),
        (b"null", "invalid-field"),
        (b"[" * 5_000, "bad-request"),
        (b"{}", "invalid-field"),
    ],
)
async def test_body_that_is_no_login_is_refused(api: Api, data: bytes, code: str) -> None:
    answer = await api.call("POST", "/auth/login", data=data, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (400, code)


async def test_body_that_is_too_large_is_refused(api: Api) -> None:
    data = orjson.dumps({"usertag": "x" * 70_000, "password": "x"})
    answer = await api.call("POST", "/auth/login", data=data, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (413, "too-large")


@pytest.mark.parametrize("kind", ["", "__Secure-"])
async def test_login_that_a_neighbouring_host_may_have_planted_counts_for_nothing(
    api: Api, clara: User, patient: Server, connect: Connect, kind: str
) -> None:
    """Such a host can set cookies for ours, but none with `__Host-`. Sockets and REST read the same ones."""
    for headers in ({"X-Forwarded-Proto": "https"}, {"X-Forwarded-Host": "piano.example"}):
        planted = {**headers, "Cookie": f"{kind}rhythm_access={clara.access_token}"}
        assert (await api.call("GET", "/users/profile", headers=planted)).status == 401
        client = await connect(patient, headers=planted)
        assert (client.welcome.user.guest, client.welcome.login_error) == (True, None)
        both = {**headers, "Cookie": f"{planted['Cookie']}; __Host-rhythm_access=nonsense"}
        assert (await connect(patient, headers=both)).welcome.login_error == "login-invalid"
        refresh = {**headers, "Cookie": f"{kind}rhythm_refresh={clara.refresh_token}", "Sec-Fetch-Site": "same-origin"}
        answer = await api.call("POST", "/auth/refresh", {}, headers=refresh)
        assert (answer.status, answer.code) == (401, "invalid-refresh-token")
        ours = {**headers, "Cookie": f"__Host-rhythm_access={clara.access_token}"}
        assert (await api.call("GET", "/users/profile", headers=ours)).status == 200
        assert not (await connect(patient, headers=ours)).welcome.user.guest


async def test_every_cookie_is_of_our_host_alone_and_no_scripts(api: Api) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    made = await api.call(
        "POST", "/auth/register", {"usertag": "Clara", "password": PASSWORD, "cookies": True}, headers=headers
    )
    set_ = made.headers.getall("Set-Cookie")
    assert sorted(line.partition("=")[0] for line in set_) == [
        "__Host-rhythm_access", "__Host-rhythm_browser", "__Host-rhythm_refresh",
    ]  # fmt: skip
    for line in set_:
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert {"httponly", "secure", "path=/", "samesite=lax"} <= attributes, line
        assert not any(attribute.startswith("domain") for attribute in attributes)


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}])
async def test_host_that_a_request_names_is_in_no_answer(
    api: Api, clara: User, connect_raw: ConnectRaw, headers: dict[str, str]
) -> None:
    ticket = await api.call("POST", "/auth/ticket", token=clara.access_token, headers=headers)
    made = await api.call("POST", "/rooms/create", {"name": "Salon"}, token=clara.access_token, headers=headers)
    seat = await api.call("POST", f"/rooms/{made.body['id']}/join", {}, token=clara.access_token, headers=headers)
    other = await api.call("GET", "/nowhere", headers=headers)
    for answer in (ticket, made, seat, other):
        assert "evil.example" not in f"{answer.body}{answer.headers}"
    for answer in (ticket, seat):
        assert answer.body["url"] == f"/ws?ticket={answer.body['ticket']}"


# Cookies


@pytest.mark.parametrize(
    ("cookie", "token"),
    [
        ("rhythm_access=a", "a"),
        ('b=1;\trhythm_access="a" ; c', "a"),
        ("rhythm_access=a; rhythm_access=b", "a"),  # the nearest path's comes first (RFC 6265, 5.4)
        ("rhythm_access=", None),
        ("xrhythm_access=a", None),
        ("x rhythm_access=a", None),
        ("x=rhythm_access=a", None),
        ('x="; rhythm_access=a"', "a"),  # a quoted value has no semicolon (RFC 6265, 4.1.1)
        ("__Host-rhythm_access=a", None),
        ("rhythm_access_=a; rhythm_refresh=b", None),
        ("; ".join(f"c{number}=v" for number in range(500)) + "; rhythm_access=a", "a"),
    ],
)
def test_cookies_of_ours_are_found_among_others(cookie: str, token: str | None) -> None:
    request = make_mocked_request("GET", "/", headers={"Cookie": cookie})
    assert access_token(request, CookieScope(secure=False, prefix="")) == token


def test_cookie_for_tls_is_told_from_the_one_that_neighbours_can_set() -> None:
    request = make_mocked_request("GET", "/", headers={"Cookie": "rhythm_access=a; __Host-rhythm_access=b"})
    assert access_token(request, CookieScope(secure=True, prefix="")) == "b"
    assert access_token(request, CookieScope(secure=True, prefix="/piano")) is None
