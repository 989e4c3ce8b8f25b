"""Registering, logging in and out, sessions, passwords and tickets."""

from http.cookies import SimpleCookie
from typing import Any

import pytest

from rhythmd.app import Server
from tests.client import Connect
from tests.rest.api import PASSWORD, Api


def cookie_header(cookies: SimpleCookie) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in cookies.items())


async def test_register_logs_in(api: Api) -> None:
    body = {"usertag": "Clara", "password": PASSWORD, "email": "clara@example.org"}
    answer = await api.call("POST", "/auth/register", body)
    assert answer.status == 201
    user = answer.body["user"]
    assert (user["usertag"], user["email"], user["email_verified"], user["roles"]) == (
        "Clara", "clara@example.org", False, ["member"],
    )  # fmt: skip
    profile = await api.call("GET", "/users/profile", token=answer.body["access_token"])
    assert profile.body == user
    assert "password" not in str(profile.body).replace("has_password", "")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"usertag": "x"}, "usertag"),
        ({"usertag": "a b c"}, "usertag"),
        ({"password": "short"}, "password"),
        ({"password": "password123"}, "password"),
        ({"email": "nobody"}, "email"),
        ({"usertag": 5}, "usertag"),
        ({"roles": ["admin"]}, "roles"),
        ({"password": None}, "password"),
    ],
)
async def test_register_with_a_bad_field_names_it(api: Api, change: dict[str, Any], field: str) -> None:
    answer = await api.call("POST", "/auth/register", {"usertag": "Clara", "password": PASSWORD, **change})
    assert (answer.status, answer.code, answer.field) == (400, "invalid-field", field)


async def test_register_a_taken_usertag_in_any_case_is_refused(api: Api) -> None:
    await api.register("Clara")
    answer = await api.call("POST", "/auth/register", {"usertag": "CLARA", "password": PASSWORD})
    assert (answer.status, answer.code, answer.field) == (409, "taken", "usertag")


async def test_register_answers_alike_whether_an_address_is_known_or_not(api: Api) -> None:
    answers = []
    for usertag, email in (("Clara", "clara@example.org"), ("Robert", "CLARA@example.org"), ("Ada", "ada@example.org")):
        answer = await api.call("POST", "/auth/register", {"usertag": usertag, "password": PASSWORD, "email": email})
        user = answer.body["user"]
        assert (user["email"], user["email_verified"]) == (email, False)
        answers.append((answer.status, sorted(answer.body), sorted(user)))
    assert answers == [answers[0]] * 3
    assert answers[0][0] == 201


async def test_register_a_taken_usertag_is_refused_alike_whatever_the_address(api: Api) -> None:
    await api.call("POST", "/auth/register", {"usertag": "Clara", "password": PASSWORD, "email": "clara@example.org"})
    refusals = []
    for email in ("clara@example.org", "nobody@example.org"):
        body = {"usertag": "Clara", "password": PASSWORD, "email": email}
        answer = await api.call("POST", "/auth/register", body)
        refusals.append((answer.status, answer.code, answer.field, answer.body["error"]["message"]))
    assert refusals[0] == refusals[1]
    assert refusals[0][:3] == (409, "taken", "usertag")


async def test_login_by_an_address_that_is_not_verified_answers_as_a_wrong_password(api: Api) -> None:
    await api.call("POST", "/auth/register", {"usertag": "Clara", "password": PASSWORD, "email": "clara@example.org"})
    refusals = []
    for usertag, password in (
        ("clara@example.org", PASSWORD), ("nobody@example.org", PASSWORD), ("Clara", "wrong horse"),
    ):  # fmt: skip
        answer = await api.call("POST", "/auth/login", {"usertag": usertag, "password": password})
        refusals.append((answer.status, answer.code, answer.field, answer.body["error"]["message"]))
    assert refusals == [refusals[0]] * 3
    assert refusals[0][:2] == (401, "wrong-credentials")


@pytest.mark.parametrize("email", ["clara@example.org", "nobody@example.org"])
async def test_profile_takes_no_address_whether_it_is_known_or_not(api: Api, email: str) -> None:
    await api.call("POST", "/auth/register", {"usertag": "Clara", "password": PASSWORD, "email": "clara@example.org"})
    token = (await api.register("Robert")).access_token
    for field in ({"email": email}, {"email_verified": True}):
        answer = await api.call("PATCH", "/users/profile", field, token=token)
        assert (answer.status, answer.code, answer.field) == (400, "invalid-field", next(iter(field)))


async def test_login_wrong_password_and_unknown_user_answer_the_same(api: Api) -> None:
    await api.register("Clara")
    wrong = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": "wrong horse"})
    unknown = await api.call("POST", "/auth/login", {"usertag": "Nobody", "password": "wrong horse"})
    assert (wrong.status, wrong.code) == (unknown.status, unknown.code) == (401, "wrong-credentials")
    assert wrong.body["error"]["message"] == unknown.body["error"]["message"]


async def test_login_by_the_old_name_of_a_field_is_taken(api: Api) -> None:
    await api.register("Clara")
    answer = await api.call("POST", "/auth/login", {"user": "Clara", "password": PASSWORD})
    assert answer.status == 200
    both = await api.call("POST", "/auth/login", {"user": "Clara", "usertag": "Clara", "password": PASSWORD})
    assert (both.status, both.field) == (400, "user")
    neither = await api.call("POST", "/auth/login", {"password": PASSWORD})
    assert (neither.status, neither.field) == (400, "usertag")


async def test_login_after_many_failures_has_to_wait(api: Api) -> None:
    await api.register("Clara")
    for _ in range(6):
        answer = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": "wrong horse"})
    assert answer.status == 401
    answer = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": PASSWORD})
    assert (answer.status, answer.code) == (429, "locked-out")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_login_with_cookies_keeps_the_tokens_out_of_the_answer(api: Api) -> None:
    await api.register("Clara")
    answer = await api.call("POST", "/auth/login", {"usertag": "clara", "password": PASSWORD, "cookies": True})
    assert (answer.body["access_token"], answer.body["refresh_token"]) == (None, None)
    access, refresh = answer.cookies["rhythm_access"], answer.cookies["rhythm_refresh"]
    for cookie in (access, refresh):
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert not cookie["secure"]  # this is localhost
        assert int(cookie["max-age"]) > 0
    assert (access["path"], refresh["path"]) == ("/", "/api/v1/auth")
    profile = await api.call("GET", "/users/profile", headers={"Cookie": cookie_header(answer.cookies)})
    assert profile.body["usertag"] == "Clara"


async def test_cookies_for_another_host_are_secure_and_bound_to_it(api: Api) -> None:
    await api.register("Clara")
    body = {"usertag": "Clara", "password": PASSWORD, "cookies": True}
    answer = await api.call("POST", "/auth/login", body, headers={"Host": "piano.example"})
    assert answer.cookies["__Host-rhythm_access"]["secure"]
    assert answer.cookies["__Host-rhythm_refresh"]["secure"]


async def test_refresh_gives_new_tokens(api: Api) -> None:
    user = await api.register()
    answer = await api.call("POST", "/auth/refresh", {"refresh_token": user.refresh_token})
    assert answer.status == 200
    assert answer.body["refresh_token"] not in {None, user.refresh_token}
    assert answer.body["session"] == user.session


async def test_refresh_by_cookie_sets_cookies(api: Api) -> None:
    await api.register()
    login = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": PASSWORD, "cookies": True})
    headers = {"Cookie": cookie_header(login.cookies), "Sec-Fetch-Site": "same-origin"}
    answer = await api.call("POST", "/auth/refresh", {}, headers=headers)
    assert answer.status == 200
    assert answer.body["refresh_token"] is None
    assert answer.cookies["rhythm_refresh"].value != login.cookies["rhythm_refresh"].value


async def test_refresh_without_a_token_is_refused(api: Api) -> None:
    answer = await api.call("POST", "/auth/refresh", {})
    assert (answer.status, answer.code) == (401, "invalid-refresh-token")


async def test_logout_ends_the_session_and_takes_the_cookies_back(api: Api) -> None:
    user = await api.register()
    answer = await api.call("POST", "/auth/logout", token=user.access_token)
    assert answer.status == 204
    assert answer.cookies["rhythm_access"]["max-age"] == "0"
    profile = await api.call("GET", "/users/profile", token=user.access_token)
    assert (profile.status, profile.code) == (401, "invalid-token")
    assert (await api.call("POST", "/auth/refresh", {"refresh_token": user.refresh_token})).status == 401


async def test_logout_without_a_login_is_fine(api: Api) -> None:
    assert (await api.call("POST", "/auth/logout")).status == 204


async def test_guest_stays_the_same_guest_with_its_token(api: Api) -> None:
    first = await api.call("POST", "/auth/guest", {})
    again = await api.call("POST", "/auth/guest", {}, token=first.body["access_token"])
    other = await api.call("POST", "/auth/guest", {})
    assert first.body["id"] == again.body["id"] != other.body["id"]


async def test_guest_has_no_profile(api: Api) -> None:
    answer = await api.call("GET", "/users/profile", token=await api.guest())
    assert (answer.status, answer.code) == (403, "not-permitted")


async def test_sessions_are_listed_and_ended_one_by_one(api: Api) -> None:
    first = await api.register()
    second = await api.login()
    listed = (await api.call("GET", "/auth/sessions", token=second.access_token)).body["sessions"]
    assert [(session["id"], session["current"]) for session in listed] == [
        (second.session, True), (first.session, False),
    ]  # fmt: skip
    assert listed[0]["address"] == "127.0.0.1"
    gone = await api.call("DELETE", f"/auth/sessions/{first.session}", token=second.access_token)
    assert gone.status == 204
    assert (await api.call("GET", "/users/profile", token=first.access_token)).status == 401
    assert (await api.call("GET", "/users/profile", token=second.access_token)).status == 200


async def test_sessions_are_paged(api: Api) -> None:
    await api.register()
    user = await api.login()
    page = await api.call("GET", "/auth/sessions?limit=1", token=user.access_token)
    following = await api.call("GET", f"/auth/sessions?limit=1&cursor={page.body['next']}", token=user.access_token)
    assert len(page.body["sessions"]) == len(following.body["sessions"]) == 1
    assert page.body["sessions"] != following.body["sessions"]
    bad = await api.call("GET", "/auth/sessions?cursor=nonsense", token=user.access_token)
    assert (bad.status, bad.code, bad.field) == (400, "invalid-field", "cursor")


async def test_session_of_another_user_is_not_found(api: Api) -> None:
    clara, robert = await api.register("Clara"), await api.register("Robert")
    answer = await api.call("DELETE", f"/auth/sessions/{robert.session}", token=clara.access_token)
    assert (answer.status, answer.code) == (404, "not-found")


async def test_password_change_ends_the_other_sessions(api: Api) -> None:
    first = await api.register()
    second = await api.login()
    body = {"current": PASSWORD, "new_password": "battery staple"}
    assert (await api.call("POST", "/auth/password", body, token=second.access_token)).status == 204
    assert (await api.call("GET", "/users/profile", token=first.access_token)).status == 401
    assert (await api.call("GET", "/users/profile", token=second.access_token)).status == 200
    await api.login(password="battery staple")


async def test_password_change_with_a_wrong_password_is_refused(api: Api) -> None:
    user = await api.register()
    body = {"current": "wrong horse", "new_password": "battery staple"}
    answer = await api.call("POST", "/auth/password", body, token=user.access_token)
    assert (answer.status, answer.code) == (401, "wrong-credentials")


async def test_ticket_opens_a_socket_as_its_user(api: Api, patient: Server, connect: Connect) -> None:
    user = await api.register()
    answer = await api.call("POST", "/auth/ticket", token=user.access_token)
    assert answer.body["seconds"] == 30
    assert answer.body["url"] == f"/ws?ticket={answer.body['ticket']}"
    client = await connect(patient, path=f"/ws?ticket={answer.body['ticket']}")
    assert (client.welcome.user.id, client.welcome.user.guest) == (user.id, False)


async def test_without_a_login_what_needs_one_says_so(api: Api) -> None:
    for method, path in (("GET", "/users/profile"), ("POST", "/auth/ticket"), ("GET", "/audit")):
        answer = await api.call(method, path)
        assert (answer.status, answer.code) == (401, "login-required")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
