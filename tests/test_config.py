"""The configuration: what is in the file, what overrides what, and what stops the start."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent
from typing import Final, Protocol

import msgspec
import pytest

from rhythmd.cli import main
from rhythmd.config import Config, load_config, socket_address
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


BAD_URLS: Final = {
    "mongo.url": ("http://x", "mongodb://", "mongodb://x:port", "mongodb+srv://a,b", "mongodb+srv://a:1", "127.0.0.1", "mongodb:///"),
    "redis.url": ("foo://x", "redis://", "redis://x/y", "redis://x:99999", "unix:", "127.0.0.1:6379"),
    "server.public_url": ("ftp://x", "piano.example", "https://", "https://x?a", "https://x#a", "https://u@x", "https://x:y"),
    "errors.webhook_url": ("ftp://x", "//x", "https://", "https://x:99999", "https://a b"),
    "blobs.s3_endpoint": ("nowhere", "s3://x", "http://", "http://x?a"),
    "auth.discord_url": ("discord.com", "ftp://discord.com", "https://"),
    "auth.github_url": ("github.com", "https://github.com?x"),
    "auth.github_api_url": ("https:///path",),
}  # fmt: skip
GOOD_URLS: Final = {
    "mongo.url": ("mongodb://u:p%40@a:27017,b:27018/x?replicaSet=r", "mongodb://[::1]:27017", "mongodb+srv://cluster.example/"),
    "redis.url": ("redis://:secret@x:6379/0", "rediss://x", "unix:///run/redis.sock", ""),
    "server.public_url": ("https://piano.example", "http://127.0.0.1:8080", ""),
    "errors.webhook_url": ("https://hooks.example/a?b=c", ""),
    "blobs.s3_endpoint": ("http://127.0.0.1:9000", ""),
}  # fmt: skip


@pytest.mark.parametrize(("key", "url"), [(key, url) for key, urls in BAD_URLS.items() for url in urls])
def test_url_that_can_be_none_is_refused(key: str, url: str) -> None:
    with pytest.raises(ConfigError, match=f"--set {key}: {key} = .*expected ") as caught:
        load_config(None, {}, [f"{key}={url}"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("key", "url"), [(key, url) for key, urls in GOOD_URLS.items() for url in urls])
def test_url_that_can_be_one_is_taken(key: str, url: str) -> None:
    section, _, name = key.partition(".")
    assert getattr(getattr(load_config(None, {}, [f"{key}={url}"]), section), name) == url


@pytest.mark.parametrize(
    "setting",
    [
        "mongo.url=http://u:hunter2@x",
        "redis.url=foo://:hunter2@x",
        "server.public_url=x://u:hunter2@h",
    ],
)
def test_secret_is_not_in_the_message(setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, {}, [setting])
    assert "hunter2" not in str(caught.value)


def test_text_of_digits_stays_as_it_was_written() -> None:
    for text in ("0123", "1_000", "1e5", "true", "2024-01-01", "0x10"):
        assert load_config(None, {"RHYTHMD_SERVER__DATA_DIR": text}).server.data_dir == text


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("0.0.0.0", ["0.0.0.0"]),
        ("::", ["::"]),
        ("fe80::1%eth0", ["fe80::1%eth0"]),
        ('["0.0.0.0", "::"]', ["0.0.0.0", "::"]),
        ("piano.example", ["piano.example"]),
    ],
)
def test_host_is_an_address_or_a_list(text: str, hosts: list[str]) -> None:
    assert load_config(None, {"RHYTHMD_SERVER__HOST": text}).server.hosts == hosts


@pytest.mark.parametrize(
    "text", ["", "[]", '["::", "::"]', "127.0.0.1:8080", "[::1]", "http://x", '["a b"]', "5", "[1]"]
)
def test_host_that_can_be_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.host"):
        load_config(None, {}, [f"server.host={text}"])


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ([], "ws://127.0.0.1:8080/ws"),
        (["server.host=0.0.0.0", "server.port=9000"], "ws://127.0.0.1:9000/ws"),
        (["server.host=::"], "ws://[::1]:8080/ws"),
        (['server.host=["::1", "127.0.0.1"]'], "ws://[::1]:8080/ws"),
        (["server.host=fe80::1%eth0"], "ws://[fe80::1%25eth0]:8080/ws"),
        (["server.host=192.0.2.1", "server.tls_cert=a", "server.tls_key=b"], "wss://192.0.2.1:8080/ws"),
        (["server.public_url=https://piano.example", "server.port=0"], "wss://piano.example/ws"),
    ],
)
def test_socket_address_follows_from_the_configuration(settings: list[str], url: str) -> None:
    assert socket_address(load_config(None, {}, settings).server) == url


def test_clients_go_where_the_configuration_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.toml").write_text("[server]\nport = 9\n")
    assert "cannot connect to ws://127.0.0.1:9/ws" in run("listen", "--room", "a")[1]
    monkeypatch.setenv("RHYTHMD_SERVER__HOST", "::1")
    assert "cannot connect to ws://[::1]:9/ws" in run("listen", "--room", "a")[1]
    monkeypatch.setenv("RHYTHMD_SERVER__PUBLIC_URL", "http://127.0.0.1:7")
    assert "cannot connect to ws://127.0.0.1:7/ws" in run("listen", "--room", "a")[1]
    assert "127.0.0.1:8" in run("listen", "--room", "a", "--set", "server.public_url=http://127.0.0.1:8")[1]
    assert "cannot connect to ws://127.0.0.1:6/ws" in run("listen", "--room", "a", "--url", "ws://127.0.0.1:6")[1]
    monkeypatch.delenv("RHYTHMD_SERVER__PUBLIC_URL")
    assert run("listen", "--room", "a", "--set", "server.port=0")[0] == 2


# All at once


def test_check_config_tells_all_that_is_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.toml").write_text(
        'lonely = 1\n[server]\nport = 70000\nprot = 7\ntls_cert = "no.pem"\ntls_key = "no.key"\n'
        "[sever]\nport = 7\n[limits]\nsilence_s = 20\n[rooms]\nlobby_players = 51\n"
    )
    monkeypatch.setenv("RHYTHMD_REDIS__URL", "foo://x")
    monkeypatch.setenv("RHYTHMD_LIMITS__PING_INTERVAL_S", "30")
    status, text = run("check-config", "--set", "nonsense", "--set", "mongo.url=http://x", "--set", "store.backend=no")
    assert status == 2
    assert [line.partition(" = ")[0].removeprefix("rhythmd: ") for line in text.splitlines()] == [
        "config.toml: lonely: a key outside a section; sections are " + ", ".join(Config.__struct_fields__),
        text.splitlines()[1].removeprefix("rhythmd: "),
        text.splitlines()[2].removeprefix("rhythmd: "),
        "--set nonsense: the form is section.key=value",
        "config.toml: server.port",
        "--set store.backend: store.backend",
        "config.toml, RHYTHMD_LIMITS__PING_INTERVAL_S: limits.silence_s must be more than limits.ping_interval_s",
        "config.toml: rooms.lobby_players must be at most rooms.max_players",
        "--set mongo.url: mongo.url",
        "RHYTHMD_REDIS__URL: redis.url",
        "config.toml: server.tls_cert: no.pem: No such file or directory",
        "config.toml: server.tls_key: no.key: No such file or directory",
    ]
    assert "config.toml: unknown key server.prot; allowed: host, port" in text
    assert "config.toml: unknown section 'sever'; allowed: server, limits" in text


def test_file_that_is_no_toml_does_not_hide_the_rest(run: Run) -> None:
    Path("config.toml").write_text("[server\n")
    status, text = run(
        "check-config", "--set", "server.port=x", "--set", "redis.url=foo://x", "--set", "limits.silence_s=1"
    )
    assert status == 2
    assert [line.split(": ")[1] for line in text.splitlines()] == [
        "config.toml",
        "--set server.port",
        "--set redis.url",
    ]


@pytest.mark.parametrize(
    ("settings", "missing", "extra"),
    [
        (["store.backend=mongo"], "motor", "mongo"),
        (["store.backend=mongo"], "pymongo", "mongo"),
        (["store.backend=mongo", "mongo.driver=pymongo"], "pymongo", "mongo"),
        (["blobs.backend=gridfs"], "motor", "mongo"),
        (["blobs.backend=s3", "blobs.s3_bucket=b"], "obstore", "s3"),
        (["redis.url=redis://127.0.0.1"], "redis", "redis"),
    ],
)
@pytest.mark.parametrize("command", [("serve",), ("check-config",), ("user", "list")])
def test_missing_package_is_named_with_its_extra(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: Sequence[str], settings: list[str], missing: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    status, text = run(*command, *(part for setting in settings for part in ("--set", setting)))
    assert status == 2
    assert f"needs the package {missing}: pip install 'rhythmd[{extra}]'" in text
    assert len(text.splitlines()) == 1
    assert not list(Path().iterdir())


def test_pymongo_needs_no_motor(tmp_path: Path) -> None:
    code = """
        import sys
        sys.modules["motor"] = None
        from rhythmd.app import open_store, open_blobs
        from rhythmd.config import load_config
        config = load_config(None, {}, ["store.backend=mongo", "blobs.backend=gridfs", "mongo.driver=pymongo"])
        open_store(config), open_blobs(config)
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)],
        cwd=tmp_path, env=server_environment(), capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("cert", "key", "told"),
    [
        ("cert", "other", "the key is not the certificate's"),
        ("cert", "locked", "the key has a passphrase"),
        ("text", "key", "PEM"),
        ("gone", "gone", "server.tls_cert: "),
        ("folder", "key", "server.tls_cert: "),
    ],
)
def test_certificate_that_cannot_be_used_is_told(run: Run, cert: str, key: str, told: str) -> None:
    new = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=piano.example"]
    for arguments in (
        ["req", *new, "-nodes", "-keyout", "other", "-out", "cert"],
        ["req", *new, "-nodes", "-keyout", "key", "-out", "cert"],
        ["ec", "-in", "key", "-aes256", "-passout", "pass:secret", "-out", "locked"],
    ):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=TIMEOUT_S)
    Path("text").write_text("no PEM")
    Path("folder").mkdir()
    settings = ["--set", f"server.tls_cert={cert}", "--set", f"server.tls_key={key}"]
    status, text = run("check-config", *settings)
    assert status == 2
    assert told in text


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
