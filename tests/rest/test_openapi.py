"""The API's document: it says what is there, and all that is there is as it says."""

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from rhythm_protocol.errors import ErrorCode, Side
from rhythmd.app import Server
from rhythmd.rows import Role
from tests.deadline import within
from tests.rest.api import Api
from tests.rest.conftest import Promote

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
    assert paths["/api/v1/users/{usertag}"]["get"]["security"] == [{}, {"bearer": []}, {"cookie": []}]
    assert paths["/api/v1/users/profile"]["get"]["security"] == [{"bearer": []}, {"cookie": []}]


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
        ErrorCode.HTTP_VERSION,
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
