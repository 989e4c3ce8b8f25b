"""The configuration: what is in the file, what overrides what, and what stops the start."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec
import pytest

from rhythmd.cli import main
from rhythmd.config import Config, load_config
from rhythmd.errors import ConfigError
from tests.server import server_environment

FILE: Final = Path(__file__).parents[1] / "config.toml"
COMMANDS: Final = ("serve", "check-config")
TIMEOUT_S: Final = 60


class Run(Protocol):
    """The fixture `run`."""

    def __call__(self, *arguments: str) -> tuple[int, str]: ...


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the program in an empty folder: its exit status and what it wrote to standard error."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("RHYTHMD_"):
            monkeypatch.delenv(name)

    def run_main(*arguments: str) -> tuple[int, str]:
        return main(arguments), capsys.readouterr().err

    return run_main


# config.toml


def test_file_holds_every_key_with_its_default() -> None:
    assert tomllib.loads(FILE.read_text()) == msgspec.to_builtins(Config())


def test_file_loads_as_the_defaults() -> None:
    assert load_config(FILE, {}) == Config()


def sections_with_comments() -> dict[str, list[tuple[str, bool]]]:
    """By section: every key with whether it has a comment, or the key above it speaks for a group."""
    sections: dict[str, list[tuple[str, bool]]] = {}
    for line in FILE.read_text().splitlines():
        if line.startswith("["):
            keys = sections.setdefault(line.strip("[]"), [])
        elif "=" in line and not line.startswith("#"):
            keys.append((line.partition("=")[0].strip(), "# " in line))
    return sections


def test_file_has_a_comment_on_each_key() -> None:
    bare = [
        f"{section}.{key}"
        for section, keys in sections_with_comments().items()
        for (key, commented), (above, _) in zip(keys, [("", True), *keys], strict=False)
        if not commented and not (key.endswith("_maximum") and above == key.replace("_maximum", "_allowance"))
    ]
    assert bare == []


# What overrides what


def test_environment_overrides_the_file_and_settings_override_both(tmp_path: Path) -> None:
    path = tmp_path / "given.toml"
    path.write_text('[server]\nhost = "::1"\nport = 1001\nlog_level = "ERROR"\n')
    environment = {"RHYTHMD_SERVER__PORT": "1002", "RHYTHMD_SERVER__LOG_LEVEL": "DEBUG", "OTHER__PORT": "1"}
    server = load_config(path, environment, ["server.log_level=WARNING"]).server
    assert (server.host, server.port, server.log_level) == ("::1", 1002, "WARNING")


def test_last_of_equal_settings_counts() -> None:
    assert load_config(None, {}, ["server.port=1", "server.port = 2"]).server.port == 2


def test_values_are_written_as_in_toml_or_bare() -> None:
    config = load_config(None, {}, ['server.host="0.0.0.0"', "server.data_dir=/var/lib/x", "limits.handshake_s=3"])
    assert (config.server.host, config.server.data_dir, config.limits.handshake_s) == ("0.0.0.0", "/var/lib/x", 3.0)


def test_number_where_text_is_wanted_is_text() -> None:
    assert load_config(None, {"RHYTHMD_SERVER__DATA_DIR": "2024"}).server.data_dir == "2024"


def test_port_is_taken_from_the_strongest_source(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source names a port that cannot be had; the one that is complained of is the one that counted."""
    Path("config.toml").write_text("[server]\nport = -1\n")
    assert run("serve")[1].startswith("rhythmd: config.toml: server.port = -1: ")
    monkeypatch.setenv("RHYTHMD_SERVER__PORT", "-2")
    assert run("serve")[1].startswith("rhythmd: RHYTHMD_SERVER__PORT: server.port = -2: ")
    assert run("serve", "--set", "server.port=-3")[1].startswith("rhythmd: --set server.port: server.port = -3: ")
    assert "server.port = -4: " in run("serve", "--port", "-4", "--set", "server.port=-3")[1]


# What stops the start


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("server.port=65536", ["server.port", "65536", "<= 65535"]),
        ("server.port=http", ["server.port", "'http'", "int"]),
        ("server.log_level=LOUD", ["server.log_level", "'LOUD'", "DEBUG, INFO, WARNING, ERROR"]),
        ("server.stop_s=10.5", ["server.stop_s", "10.5", "<= 10"]),
        ("limits.handshake_s=0", ["limits.handshake_s", "> 0"]),
        ("limits.connections=true", ["limits.connections", "True", "int"]),
        ("limits.connections=1.5", ["limits.connections", "1.5", "int"]),
        ("limits.none=1", ["limits.none", "connections_per_address"]),
        ("nowhere.port=1", ["nowhere", "server, limits"]),
        ("limits.silence_s=20", ["limits.silence_s", "limits.ping_interval_s"]),
        ("blobs.backend=ftp", ["blobs.backend", "directory, gridfs, s3"]),
        ("blobs.backend=s3", ["blobs.s3_bucket"]),
        ("blobs.s3_access_key=k", ["blobs.s3_access_key", "blobs.s3_secret_key"]),
        ("blobs.s3_endpoint=nowhere", ["blobs.s3_endpoint", "http"]),
        ("rooms.lobby_players=51", ["rooms.lobby_players", "rooms.max_players"]),
        ("server.port", ["--set server.port", "section.key=value"]),
        ("port=1", ["--set port=1", "section.key=value"]),
    ],
)
def test_wrong_setting_is_named_with_what_is_allowed(setting: str, parts: Sequence[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, {}, [setting])
    assert all(part in str(caught.value) for part in parts), caught.value


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("[server]\nport = 70000\n", ["server.port = 70000", "<= 65535"]),
        ("[server]\nprot = 7\n", ["unknown key server.prot", "host, port"]),
        ("[sever]\nport = 7\n", ["unknown section 'sever'", "server, limits"]),
        ("port = 7\n", ["port", "outside a section"]),
        ("[server\n", ["not TOML"]),
        ('[server]\nhost = "a"\nhost = "b"\n', ["not TOML"]),
    ],
)
def test_wrong_file_is_named_with_what_is_allowed(tmp_path: Path, content: str, parts: Sequence[str]) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert all(part in str(caught.value) for part in (str(path), *parts)), caught.value


def test_file_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'[server]\nhost = "\xe9"\n')
    with pytest.raises(ConfigError, match=r"latin\.toml: not TOML"):
        load_config(path, {})


def test_wrong_variable_is_named() -> None:
    with pytest.raises(ConfigError, match=r"RHYTHMD_LIMITS__NONE: unknown key limits\.none; allowed: connections"):
        load_config(None, {"RHYTHMD_LIMITS__NONE": "1"})


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[server]\nport = 70000\n", "server.port = 70000: "),
        ("[server]\nprot = 7\n", "unknown key server.prot"),
        ("[sever]\nport = 7\n", "unknown section 'sever'"),
        ("[server\n", "not TOML"),
    ],
)
def test_command_with_wrong_file_returns_2(run: Run, command: str, content: str, problem: str) -> None:
    Path("config.toml").write_text(content)
    status, text = run(command)
    assert status == 2
    assert text.startswith(f"rhythmd: config.toml: {problem}")


@pytest.mark.parametrize("command", COMMANDS)
def test_command_with_wrong_setting_returns_2(run: Run, command: str) -> None:
    status, text = run(command, "--set", "server.log_level=LOUD")
    assert status == 2
    assert text == (
        "rhythmd: --set server.log_level: server.log_level = 'LOUD': expected one of DEBUG, INFO, WARNING, ERROR\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_command_with_missing_file_returns_2(run: Run, command: str) -> None:
    assert run(command, "--config", "none.toml") == (2, f"rhythmd: none.toml: cannot be read: {os.strerror(2)}\n")


def test_check_config_of_the_file_in_the_repository_is_satisfied(run: Run) -> None:
    assert run("check-config", "--config", str(FILE)) == (0, "")


def test_process_with_wrong_configuration_exits_with_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rhythmd", "serve", "--set", "server.port=x"],
        cwd=tmp_path, env=server_environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rhythmd: --set server.port: server.port = 'x': ")
