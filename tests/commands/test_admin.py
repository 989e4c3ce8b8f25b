"""The operator's commands, on a SQLite file in a new folder."""

import io
from pathlib import Path

import pytest

from rhythmd.cli import main


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
