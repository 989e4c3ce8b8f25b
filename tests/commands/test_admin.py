"""The operator's commands, on a SQLite file in a new folder."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from rhythmd.cli import main
from tests.client import Connect
from tests.rest.api import PASSWORD, open_api
from tests.server import Serve


@pytest.fixture(autouse=True)
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command finds a password in its pipe."""
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n" * 2))


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    return ["--data", str(tmp_path)]


def line(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The words of the last line that was printed."""
    return capsys.readouterr().out.strip().split("\n")[-1].split("\t")


def test_user_create_and_list(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "create", "Clara", "--email", "clara@example.org", "--role", "admin", *data]) == 0
    assert main(["user", "list", *data]) == 0
    usertag, _, roles, email = line(capsys)
    assert (usertag, roles, email) == ("Clara", "admin,member", "clara@example.org")


def test_user_create_twice_fails_the_second_time(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "create", "Clara", *data]) == 0
    assert main(["user", "create", "clara", *data]) == 1
    assert "taken" in capsys.readouterr().err


def test_user_role_sets_exactly_these(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["user", "create", "Clara", "--role", "admin", *data])
    assert main(["user", "role", "clara", "member", "moderator", *data]) == 0
    assert line(capsys)[2] == "member,moderator"


def test_user_ban_and_lift(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["user", "create", "Clara", *data])
    assert main(["user", "ban", "Clara", "--reason", "noise", *data]) == 0
    assert line(capsys)[-1] == "banned"
    assert main(["user", "ban", "Clara", "--lift", *data]) == 0
    assert line(capsys)[-1] != "banned"


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    """What was printed, as JSON."""
    return json.loads(capsys.readouterr().out)


def test_user_list_as_json(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "migrate", *data])
    capsys.readouterr()
    assert main(["user", "list", "--format", "json", *data]) == 0
    assert printed(capsys) == []
    for usertag in ("Clara", "Robert"):
        main(["user", "create", usertag, "--email", f"{usertag}@example.org", *data])
    main(["user", "ban", "Robert", "--seconds", "60", "--reason", "noise", *data])
    capsys.readouterr()
    assert main(["user", "list", "--format", "json", *data]) == 0
    robert, clara = printed(capsys)
    assert (clara["usertag"], clara["email"], clara["roles"]) == ("Clara", "Clara@example.org", ["member"])
    assert (clara["banned_until"], clara["has_password"]) == (None, True)
    assert (robert["usertag"], robert["ban_reason"]) == ("Robert", "noise")
    assert robert["banned_until"] > robert["created"]


def test_user_show(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["user", "create", "Clara", *data])
    main(["user", "mute", "Clara", *data])
    capsys.readouterr()
    assert main(["user", "show", "clara", *data]) == 0
    shown = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    values = {key.strip(): value.strip() for key, value in shown.items()}
    assert (values["usertag"], values["roles"], values["logs in with"]) == ("Clara", "member", "password")
    assert (values["banned"], values["muted"]) == ("no", "for good")
    assert main(["user", "show", "clara", "--format", "json", *data]) == 0
    assert printed(capsys)["usertag"] == "Clara"
    assert main(["user", "show", "nobody", *data]) == 1


def test_user_mute_and_lift(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["user", "create", "Clara", *data])
    assert main(["user", "mute", "Clara", "--seconds", "60", *data]) == 0
    assert line(capsys)[-1] == "muted"
    assert main(["user", "mute", "Clara", "--lift", *data]) == 0
    assert line(capsys)[-1] != "muted"


async def test_user_password_counts_at_once(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    """Beside a running server: the old password and the logins with it are over, their sockets, too."""
    server = await serve()
    data = ["--data", str(tmp_path / "data")]
    async with open_api(server) as api:
        clara = await api.register("Clara")
        client = await connect(server, headers={"Authorization": f"Bearer {clara.access_token}"})
        monkeypatch.setattr("sys.stdin", io.StringIO("another horse\n"))
        assert await asyncio.to_thread(main, ["user", "password", "Clara", *data]) == 0
        await client.closed()
        old = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": PASSWORD})
        new = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": "another horse"})
    assert (old.status, new.status) == (401, 200)


def test_user_password_that_is_too_short_changes_nothing(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["user", "create", "Clara", *data])
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["user", "password", "Clara", *data]) == 1
    assert "8 to 128 characters" in capsys.readouterr().err


async def test_user_delete_ends_the_account_and_its_logins(serve: Serve, tmp_path: Path, connect: Connect) -> None:
    server = await serve()
    data = ["--data", str(tmp_path / "data")]
    async with open_api(server) as api:
        clara = await api.register("Clara")
        client = await connect(server, headers={"Authorization": f"Bearer {clara.access_token}"})
        assert await asyncio.to_thread(main, ["user", "delete", "Clara", *data]) == 0
        await client.closed()
        refused = await api.call("GET", "/auth/sessions", token=clara.access_token)
        unknown = await api.call("POST", "/auth/login", {"usertag": "Clara", "password": PASSWORD})
        again = await api.call("POST", "/auth/register", {"usertag": "Clara", "password": PASSWORD})
    assert (refused.status, unknown.status, again.status) == (401, 401, 201)


def test_user_delete_of_nobody_fails(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "migrate", *data])
    assert main(["user", "delete", "nobody", *data]) == 1
    assert "no such user" in capsys.readouterr().err


def test_user_role_of_nobody_fails(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "migrate", *data])
    assert main(["user", "role", "nobody", "admin", *data]) == 1
    assert "no such user" in capsys.readouterr().err


def test_keys_rotate_makes_another_key(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "rotate", *data]) == 0
    first = line(capsys)
    assert main(["keys", "rotate", *data]) == 0
    assert line(capsys) != first


def test_keys_rotate_with_a_shared_secret_says_what_to_do(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    secret = ["--set", "auth.algorithm=HS256", "--set", f"auth.secret={'s' * 32}"]
    assert main(["keys", "rotate", *secret, *data]) == 2
    assert "auth.previous_secret" in capsys.readouterr().err


def test_db_migrate_and_check(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "migrate", *data]) == 0
    assert main(["db", "check", *data]) == 0
    assert line(capsys) == ["nothing is wrong"]
    assert main(["db", "check", "--format", "json", *data]) == 0
    assert printed(capsys) == []
