"""Commands at a terminal: what ends them, and what others choose to be called."""

import contextlib
import errno
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from rhythmd.cli import main
from rhythmd.terminal import printable
from tests.conftest import ErrorLog
from tests.deadline import DEADLINE_S
from tests.server import server_environment

TIMEOUT_S: Final = 60
EVIL: Final = "Zoë\x1b[2J\x07\r\u202egnp\x9b31m"


def run(
    *arguments: str | bytes, given: str | None = None, environment: dict[str, str] | None = None, shell: str = ""
) -> subprocess.CompletedProcess[str]:
    """`rhythmd` with arguments, to its end; `shell` is what a shell does with its streams."""
    command: Sequence[str | bytes] = [sys.executable, "-m", "rhythmd", *arguments]
    if shell:
        command = ["bash", "-c", f'set -o pipefail; "$@" {shell}', "bash", *command]
    return subprocess.run(
        command, input=given, capture_output=True, encoding="utf-8", errors="backslashreplace", timeout=TIMEOUT_S,
        check=False, env=server_environment() | (environment or {}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database in which is Clara."""
    folder = tmp_path_factory.mktemp("data")
    made = run("user", "create", "Clara", "--data", str(folder), given="correct horse\n")
    assert made.returncode == 0, made.stderr
    return folder


class Terminal:
    """A process that has a terminal of its own, and what it writes there."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = [sys.executable, "-m", "rhythmd", *arguments]
        self.text = ""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execve(sys.executable, self._arguments, server_environment())

    def wait_for(self, text: str) -> None:
        while text not in self.text:
            part = self._read()
            assert part, f"no {text!r} in {self.text!r}"
            self.text += part

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def _read(self) -> str:
        try:
            return os.read(self._terminal, 4096).decode()
        except OSError:  # Linux says so when the last process has closed it
            return ""

    def ended(self) -> int:
        """The exit status. All that it wrote is in `text`."""
        deadline = time.monotonic() + DEADLINE_S
        while part := self._read():
            assert time.monotonic() < deadline, self.text
            self.text += part
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        os.close(self._terminal)


@contextlib.contextmanager
def at_terminal(*arguments: str) -> Iterator[Terminal]:
    terminal = Terminal(arguments)
    signal.alarm(TIMEOUT_S)
    try:
        yield terminal
    finally:
        signal.alarm(0)
        terminal.close()


# Prompts


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        (("user", "create", "Robert"), "Password:"),
        (("user", "delete", "Clara"), "again:"),
    ],
)
def test_interrupt_at_a_prompt_quits(data: Path, arguments: Sequence[str], prompt: str) -> None:
    with at_terminal(*arguments, "--data", str(data)) as terminal:
        terminal.wait_for(prompt)
        terminal.type("\x03")
        assert terminal.ended() == 130
    assert "Traceback" not in terminal.text
    assert run("user", "list", "--data", str(data)).stdout.count("\n") == 1


def test_interrupt_at_the_second_prompt_quits(data: Path) -> None:
    with at_terminal("user", "create", "Robert", "--data", str(data)) as terminal:
        terminal.wait_for("Password:")
        terminal.type("correct horse\n")
        terminal.wait_for("Again:")
        terminal.type("\x03")
        assert terminal.ended() == 130
    assert "Traceback" not in terminal.text


@pytest.mark.parametrize(
    ("arguments", "prompt", "told"),
    [
        (("user", "create", "Robert"), "Password:", "no password was given"),
        (("user", "delete", "Clara"), "again:", "nothing was deleted"),
    ],
)
def test_end_of_input_at_a_prompt_is_told(data: Path, arguments: Sequence[str], prompt: str, told: str) -> None:
    with at_terminal(*arguments, "--data", str(data)) as terminal:
        terminal.wait_for(prompt)
        terminal.type("\x04")
        assert terminal.ended() == 2
    assert told in terminal.text
    assert "Traceback" not in terminal.text


def test_no_input_at_all_is_told(data: Path) -> None:
    done = run("user", "create", "Robert", "--data", str(data), given="")
    assert (done.returncode, done.stderr) == (2, "rhythmd: no password was given\n")


def test_password_that_is_no_utf8_is_told(data: Path) -> None:
    shell = "< <(printf 'caf\\xe9 au lait\\n')"
    done = run("user", "create", "Robert", "--data", str(data), shell=shell)
    assert (done.returncode, done.stderr) == (2, "rhythmd: the password is not UTF-8\n")


# Streams


@pytest.mark.parametrize("command", [("user", "list"), ("user", "--help")])
def test_reader_that_has_gone_ends_a_command_quietly(data: Path, command: Sequence[str]) -> None:
    data_options = [] if "--help" in command else ["--data", str(data)]
    done = run(*command, *data_options, shell="| true")
    assert (done.returncode in (0, 141), done.stderr) == (True, "")


def test_output_that_cannot_be_written_is_told(data: Path) -> None:
    done = run("user", "list", "--data", str(data), shell="> /dev/full")
    assert (done.returncode, done.stderr) == (1, f"rhythmd: {os.strerror(28)}\n")


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_harm_the_database(data: Path, closed: str) -> None:
    assert run("user", "list", "--data", str(data), shell=closed).returncode == 0
    assert run("db", "check", "--data", str(data)).stdout == "nothing is wrong\n"


@pytest.mark.parametrize("columns", ["1", "wide"])
def test_any_width_of_a_terminal_will_do(columns: str) -> None:
    assert run("user", "create", "--help", environment={"COLUMNS": columns}).returncode == 0


# What others choose


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Clara", "Clara"),
        ("Zoë 🎹", "Zoë 🎹"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b31m", "\\x9b31m"),
        ("line\u2028end", "line\\u2028end"),
        ("\udcff", "\\udcff"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_titles_of_others_are_harmless_on_every_terminal(data: Path, tmp_path: Path, encoding: str) -> None:
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / f"{EVIL} 🎹.mid").write_bytes(b"\x00no music")
    (folder / b"caf\xe9.mid".decode(errors="surrogateescape")).write_bytes(b"\x00no music")
    environment = {"PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    done = run("sheets", "import", str(folder), "--as", "Clara", "--data", str(data), environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\x1b[2J\\x07\\r\\u202egnp\\x9b31m" in done.stdout
    assert not set("\x1b\x07\r\u202e\x9b") & set(done.stdout)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("listen", "--room", b"\xff"), "--room"),
        (("play", "x.mid", "--room", b"caf\xe9"), "--room"),
        (("listen", "--room", "a", "--name", b"\xff"), "--name"),
        (("listen", "--room", "a", "--password", b"\xff"), "--password"),
        (("listen", "--room", "a", "--url", b"ws://\xff"), "--url"),
        (("user", "create", b"\xff"), "usertag"),
        (("user", "ban", "Clara", "--reason", b"\xff"), "--reason"),
    ],
)
def test_argument_that_is_no_utf8_is_named(
    arguments: Sequence[str | bytes], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([os.fsdecode(argument) for argument in arguments])
    assert ended.value.code == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert f"argument {named}: " in told
    assert "is not UTF-8" in told


def test_setting_that_is_no_utf8_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", "--set", os.fsdecode(b"auth.issuer=\xff")]) == 2
    assert "auth.issuer = '\\udcff': expected UTF-8" in capsys.readouterr().err


# Choices


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("user", "create", "Clara", "--role", "boss"),
            "unknown 'boss'; choose from member, pro, editor, moderator, admin",
        ),
        (("user", "role", "Clara", "boss"), "unknown 'boss'; choose from member, pro, editor, moderator, admin"),
        (("user", "list", "--format", "xml"), "unknown 'xml'; choose from text, json"),
        (
            ("sheets", "import", ".", "--as", "x", "--privacy", "no"),
            "unknown 'no'; choose from public, unlisted, private",
        ),
        (("user", "ban", "Clara", "--seconds", "-1"), "must be a whole number above 0, is '-1'"),
        (("user", "mute", "Clara", "--seconds", "x"), "must be a whole number above 0, is 'x'"),
        (("listen", "--room", "a", "--seconds", "nan"), "must be a number above 0, is 'nan'"),
        *(
            (("play", "a.mid", "--room", "a", "--speed", given), f"must be a number from 0.01 to 100, is '{given}'")
            for given in ("fast", "0", "-1", "nan", "inf", "1e-300", "1e300")
        ),
        (("user",), "required: COMMAND"),
        (("user", "erase"), "create"),
    ],
)
def test_wrong_choice_is_named_with_the_right_ones(
    arguments: Sequence[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in " ".join(capsys.readouterr().err.split())


# Folders


@pytest.mark.parametrize(
    "command",
    [
        ("user", "list"),
        ("user", "show", "Clara"),
        ("user", "role", "Clara", "admin"),
        ("user", "ban", "Clara"),
        ("user", "mute", "Clara"),
        ("user", "delete", "Clara", "--yes"),
        ("db", "check"),
        ("keys", "rotate"),
        ("sheets", "check"),
        ("sheets", "export", "out"),
    ],
)
def test_mistyped_folder_is_named_and_not_made(
    tmp_path: Path, command: Sequence[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--data", str(tmp_path / "dta")]) == 2
    assert f"there is no folder {tmp_path / 'dta'}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_folder_without_a_database_is_named_and_stays_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "list", "--data", str(tmp_path)]) == 2
    assert f"there is no database in {tmp_path}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_new_folder_is_announced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new"
    assert main(["db", "migrate", "--data", str(folder)]) == 0
    assert capsys.readouterr().err == f"rhythmd: {folder} is a new folder for what is kept (server.data_dir)\n"
    assert main(["db", "migrate", "--data", str(folder)]) == 0
    assert capsys.readouterr().err == ""


def newer(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.commit()


def a_folder(database: Path) -> None:
    database.unlink()
    database.mkdir()


def torn(database: Path) -> None:
    database.write_bytes(b"no database" * 1_000)


def cut_off(database: Path) -> None:
    os.truncate(database, 8_192)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (newer, "the database has version 999, this program knows versions up to"),
        (a_folder, "SQLite: unable to open database file"),
        (torn, "SQLite: file is not a database"),
        (cut_off, "SQLite: database disk image is malformed"),
    ],
)
@pytest.mark.parametrize("command", [("user", "list"), ("user", "ban", "Clara"), ("db", "check"), ("sheets", "check")])
def test_database_that_is_of_no_use_is_told(
    tmp_path: Path,
    command: Sequence[str],
    harm: Callable[[Path], None],
    told: str,
    capsys: pytest.CaptureFixture[str],
    errors_logged: ErrorLog,
) -> None:
    assert main(["db", "migrate", "--data", str(tmp_path)]) == 0
    for beside in tmp_path.glob("rhythmd.sqlite3-*"):
        beside.unlink()
    harm(tmp_path / "rhythmd.sqlite3")
    assert main([*command, "--data", str(tmp_path)]) == 1
    assert told in capsys.readouterr().err
    errors_logged.records.clear()


@pytest.mark.parametrize("host", ["..", "a" * 64])
def test_host_that_is_no_name_is_told(tmp_path: Path, host: str) -> None:
    served = run("serve", "--host", host, "--port", "0", "--data", str(tmp_path))
    assert (served.returncode, "Traceback" in served.stderr) == (1, False)
    assert f"cannot listen on {host}, port 0: {host} is no name of a host" in served.stderr
    heard = run("listen", "--room", "a", "--url", f"ws://a{host}.b:1")
    assert (heard.returncode, heard.stderr) == (3, f"rhythmd: ws://a{host}.b:1/ws has no name of a host in it\n")


def test_file_that_cannot_be_read_is_named(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["sheets", "export", str(tmp_path / "file"), "--data", str(data)]) == 1
    assert capsys.readouterr().err == f"rhythmd: {tmp_path / 'file'}: {os.strerror(errno.EEXIST)}\n"
