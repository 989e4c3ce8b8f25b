"""Whole numbers as clients write them that have one kind of number."""

from tests.rest.api import Api, User


async def test_float_that_is_whole_is_the_integer(api: Api, clara: User) -> None:
    token = clara.access_token
    settings = {"max_players": 2.0, "playout_ms": 5e1}
    made = await api.call("POST", "/rooms/create", {"name": "Salon", "settings": settings}, token=token)
    assert made.status == 201, made.body
    assert made.body["settings"]["max_players"] == 2
    for value in (2.5, 1e300, True, "2"):
        answer = await api.call("PATCH", f"/rooms/{made.body['id']}", {"max_players": value}, token=token)
        assert (answer.code, answer.field) == ("invalid-field", "max_players")
    page = await api.call("GET", "/rooms/active?size=2.0&page=0.0&text=1.0")
    assert (page.status, page.body["size"]) == (200, 2)
    for wrong in ("2.5", "nan", "inf", "1e300", "x"):
        assert (await api.call("GET", f"/rooms/active?size={wrong}")).field == "size"


async def test_number_beside_what_is_nested_deep_is_refused(api: Api, clara: User) -> None:
    body = b'{"name": "Salon", "settings": {"max_players": 2.5}, "x": ' + b"[" * 990 + b"]" * 990 + b"}"
    headers = {"Content-Type": "application/json"}
    answer = await api.call("POST", "/rooms/create", headers=headers, data=body, token=clara.access_token)
    assert answer.status == 400
