"""The API's document: it says what is there, and all that is there is as it says."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from rhythm_protocol.errors import ErrorCode, Side
from rhythmd.app import Server
from rhythmd.rows import Role
from tests.deadline import within
from tests.rest.api import PASSWORD, UNLIMITED, Api, open_api
from tests.rest.conftest import Promote
from tests.server import Serve

CHECKS: Final = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance"
)
EXAMPLES: Final = "3"
RUN_S: Final = 120.0
# They end the session that the run is logged in with.
FAREWELLS: Final = ("/api/v1/auth/logout", "/api/v1/auth/sessions/{id}")


async def schemathesis(server: Server, folder: Path, *options: str) -> tuple[int, str]:
    """Exit status and output of a run over the whole document."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/api/v1/openapi.json", "--no-color",
        "--phases", "coverage,fuzzing", "--max-examples", EXAMPLES, "--checks", CHECKS, "--generation-deterministic",
        *options, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        cwd=folder,  # where it leaves its notes
    )  # fmt: skip
    output, _ = await within(process.communicate(), RUN_S)
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_every_answer_without_a_login_is_documented(patient: Server, tmp_path: Path) -> None:
    status, output = await schemathesis(patient, tmp_path)
    assert status == 0, output


async def test_every_answer_with_a_login_is_documented(
    patient: Server, api: Api, promote: Promote, tmp_path: Path
) -> None:
    admin = await api.register("Admin")
    await promote(admin, Role.ADMIN)
    excluded = [option for path in FAREWELLS for option in ("--exclude-path", path)]
    status, output = await schemathesis(
        patient, tmp_path, "-H", f"Authorization: Bearer {admin.access_token}", *excluded
    )
    assert status == 0, output
    assert (await api.call("GET", "/users/profile", token=admin.access_token)).status == 200


@pytest.fixture
async def document(api: Api) -> dict[str, Any]:
    answer = await api.call("GET", "/openapi.json")
    assert isinstance(answer.body, dict)
    return answer.body


async def test_document_has_every_route_with_the_shape_of_errors(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len(operations) > 25
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"], operation["operationId"]
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}


async def test_document_says_who_may(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert "security" not in paths["/api/v1/rooms/active"]["get"]
    assert paths["/api/v1/users/{usertag}"]["get"]["security"] == [
        {},
        {"bearer": []},
        {"cookie": []},
        {"local_cookie": []},
    ]
    assert paths["/api/v1/users/profile"]["get"]["security"] == [{"bearer": []}, {"cookie": []}, {"local_cookie": []}]


async def test_document_refers_only_to_what_it_has(document: dict[str, Any]) -> None:
    text = orjson.dumps(document).decode()
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"]


async def test_page_to_try_it_loads_only_what_is_here(api: Api) -> None:
    answer = await api.call("GET", "/docs")
    assert answer.status == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    for name in ("docs.js", "docs.css"):
        assert (await api.call("GET", f"/docs/{name}")).status == 200
    assert (await api.call("GET", "/docs/nothing.js")).status == 404


async def test_document_says_of_every_code_what_the_table_says(document: dict[str, Any]) -> None:
    # The answers to what the document does not have: other methods and versions, and the socket.
    named = {
        ErrorCode.METHOD_NOT_ALLOWED,
        ErrorCode.NOT_IMPLEMENTED,
        ErrorCode.HTTP_VERSION_NOT_SUPPORTED,
        ErrorCode.UPGRADE_REQUIRED,
    }
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    codes = explained(response["description"])
                    assert {code.status for code in codes} == {int(status)}, operation["operationId"]
                    named.update(codes)
    sent = [code for code in ErrorCode if Side.REST in code.side]
    assert named == set(sent)
    schema = document["components"]["schemas"]["ErrorCode"]
    assert schema["enum"] == sent
    assert explained(schema["description"]) == sent


def explained(text: str) -> list[ErrorCode]:
    """The codes in a list of codes and meanings, each of which must be its row's."""
    rows = {f"- `{code}`: {code.meaning}": code for code in ErrorCode}
    return [rows[line] for line in text.splitlines()]


async def test_document_is_as_strict_as_the_server(serve: Serve) -> None:
    """Each value that the document does not allow is refused, and one that it allows is taken."""
    server = await serve("rooms.max_players=20", *UNLIMITED)
    async with open_api(server) as api:
        schemas = (await api.call("GET", "/openapi.json")).body["components"]["schemas"]
        register = schemas["Register"]["properties"]
        assert re.fullmatch(register["usertag"]["pattern"], "Clara_1.-")
        for usertag in ("", "ab", "a" * 25, "Clara Wieck", "Clär"):
            answer = await api.call("POST", "/auth/register", {"usertag": usertag, "password": PASSWORD})
            assert answer.status == 400
            assert not re.fullmatch(register["usertag"]["pattern"], usertag)
        assert (register["password"]["minLength"], register["password"]["maxLength"]) == (8, 128)
        for password in ("", "a" * 7, "a" * 129):
            assert (await api.call("POST", "/auth/register", {"usertag": "Clara", "password": password})).status == 400
        token = (await api.register("Clara")).access_token
        settings = schemas["NewRoomSettings"]["properties"]
        assert schemas["CreateRoom"]["properties"]["settings"]["$ref"].endswith("/NewRoomSettings")
        for properties in (settings, schemas["RoomChange"]["properties"]):
            assert "lobby" not in properties["type"]["enum"]
            assert properties["max_players"]["maximum"] == 20
        assert "lobby" in schemas["RoomType"]["enum"], "in answers it is there"
        for name, value, status in (("type", "lobby", 400), ("max_players", 21, 400), ("max_players", 20, 201)):
            body = {"name": f"{name} {value}", "settings": {name: value}}
            assert (await api.call("POST", "/rooms/create", body, token=token)).status == status
        for query in ("type=null", "type=NULL", "type=", "size=null", "cursor=null"):
            assert (await api.call("GET", f"/rooms/active?{query}")).status == 400, query
        assert (await api.call("GET", "/rooms/active?text=null")).status == 200
        assert (await api.call("GET", "/recordings?cursor=nobody-gave-it", token=token)).status == 400


async def test_document_names_the_headers_of_answers(document: dict[str, Any]) -> None:
    responses = document["paths"]["/api/v1/users/profile"]["get"]["responses"]
    assert "WWW-Authenticate" in responses["401"]["headers"]
    assert "Retry-After" in responses["429"]["headers"]
    assert "ETag" in document["paths"]["/api/v1/rooms/active"]["get"]["responses"]["200"]["headers"]
    assert "Accept" in document["paths"]["/api/v1/auth/login"]["post"]["responses"]["415"]["headers"]
    for methods in document["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                assert "X-Request-Id" in response["headers"]
                assert all(link["$ref"].rpartition("/")[2] == name for name, link in response["headers"].items())
    assert document["servers"][0]["url"] == "/"


async def test_document_names_the_public_address(serve: Serve) -> None:
    async with open_api(await serve("server.public_url=https://example.com/piano/")) as api:
        assert (await api.call("GET", "/openapi.json")).body["servers"][0]["url"] == "https://example.com/piano"
