"""The configuration: `config.toml`, over it `RHYTHMD_SECTION__KEY` variables, over them `--set section.key=value`.

The structs below are the only list of keys, defaults and bounds. `config.toml` repeats the defaults with a comment
each; a test holds the two equal.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, ValidationError, convert, field

from rhythmd.errors import ConfigError

__all__ = [
    "AuthConfig",
    "Config",
    "ErrorsConfig",
    "HubConfig",
    "LimitsConfig",
    "QuotaConfig",
    "RecordingConfig",
    "RoomsConfig",
    "ServerConfig",
    "load_config",
]

ENV_PREFIX = "RHYTHMD_"
# RFC 7518, 3.2: a key for HS256 is at least as long as the hash.
MIN_SECRET_LENGTH = 32

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """Base of all sections."""


class ServerConfig(Section, frozen=True):
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    data_dir: str = "data"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    stop_s: Annotated[float, Meta(gt=0, le=10)] = 8.0
    allowed_origins: list[str] = field(default_factory=list)
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/\s]+)?\Z")] = ""
    trusted_proxies: list[str] = field(default_factory=list)
    tls_cert: str = ""
    tls_key: str = ""


class LimitsConfig(Section, frozen=True):
    connections: Positive = 10_000
    connections_per_address: Positive = 50
    message_bytes: Annotated[int, Meta(ge=1024, le=16 * 1024 * 1024)] = 65_536
    handshake_s: Seconds = 10.0
    ping_interval_s: Seconds = 20.0
    silence_s: Seconds = 40.0
    write_buffer_bytes: Annotated[int, Meta(ge=16_384)] = 262_144
    music_buffer_bytes: Annotated[int, Meta(ge=1_024)] = 16_384
    messages_per_s: Seconds = 50.0
    messages_burst: Positive = 200
    requests_per_minute: Positive = 100
    auth_requests_per_minute: Positive = 10
    uploads_per_minute: Positive = 5
    rate_entries: Positive = 50_000
    body_bytes: Annotated[int, Meta(ge=1_024)] = 65_536
    body_s: Seconds = 10.0


class HubConfig(Section, frozen=True):
    flush_max_ms: Annotated[float, Meta(ge=0, le=50)] = 4.0
    yield_after: Positive = 128
    presence_limit: Positive = 100
    cursor_interval_ms: Annotated[float, Meta(ge=1, le=1000)] = 40.0
    slow_close_s: Seconds = 10.0
    resume_s: Annotated[float, Meta(ge=0)] = 30.0
    resume_messages: Positive = 500
    live_mb: Annotated[int, Meta(ge=0, le=65_536)] = 64


class RoomsConfig(Section, frozen=True):
    limit: Positive = 10_000
    max_players: Annotated[int, Meta(ge=1, le=65_000)] = 50
    lobby_players: Annotated[int, Meta(ge=1, le=65_000)] = 16
    chat_history: Annotated[int, Meta(ge=0, le=10_000)] = 100
    kept_per_account: Positive = 20


class QuotaConfig(Section, frozen=True):
    refill_s: Seconds = 2.0
    lobby_allowance: Positive = 200
    lobby_maximum: Positive = 600
    room_allowance: Positive = 400
    room_maximum: Positive = 1_200
    owner_allowance: Positive = 600
    owner_maximum: Positive = 1_800
    black_midi_allowance: Positive = 8_000
    black_midi_maximum: Positive = 24_000
    total_allowance: Positive = 40_000
    total_maximum: Positive = 120_000
    other_events: Positive = 4_000


class RecordingConfig(Section, frozen=True):
    max_minutes: Annotated[float, Meta(gt=0, le=1_440)] = 60.0
    max_bytes: Annotated[int, Meta(ge=1_024)] = 4_194_304
    replay_minutes: Annotated[float, Meta(gt=0, le=60)] = 5.0
    replay_bytes: Annotated[int, Meta(ge=1_024)] = 1_048_576
    memory_bytes: Annotated[int, Meta(ge=1_024)] = 67_108_864
    per_user: Positive = 20
    per_room: Positive = 50
    limit: Positive = 10_000
    keep_days: Annotated[int, Meta(ge=1, le=36_500)] = 30


class StoreConfig(Section, frozen=True):
    backend: Literal["sqlite", "mongo"] = "sqlite"
    timeout_s: Seconds = 5.0
    expire_every_s: Seconds = 60.0
    cache_entries: Positive = 10_000


class MongoConfig(Section, frozen=True):
    url: str = "mongodb://127.0.0.1:27017"
    database: Annotated[str, Meta(min_length=1, max_length=63)] = "rhythmd"
    driver: Literal["motor", "pymongo"] = "motor"
    find_s: Seconds = 2.0


class RedisConfig(Section, frozen=True):
    url: str = ""
    timeout_s: Seconds = 1.0


class AuthConfig(Section, frozen=True):
    algorithm: Literal["EdDSA", "HS256"] = "EdDSA"
    secret: str = ""
    previous_secret: str = ""
    issuer: Annotated[str, Meta(min_length=1)] = "rhythmd"
    audience: Annotated[str, Meta(min_length=1)] = "rhythmd"
    access_minutes: Annotated[int, Meta(ge=1, le=1_440)] = 15
    refresh_days: Annotated[int, Meta(ge=1, le=365)] = 30
    password_threads: Annotated[int, Meta(ge=1, le=64)] = 2
    password_queue: Annotated[int, Meta(ge=0)] = 32
    pair_failures: Positive = 5
    address_failures: Positive = 50
    account_failures: Positive = 20
    lock_first_s: Seconds = 1.0
    lock_max_s: Annotated[float, Meta(gt=0, le=3_600)] = 300.0
    account_lock_max_s: Annotated[float, Meta(gt=0, le=3_600)] = 60.0
    lock_entries: Positive = 20_000
    audit_days: Positive = 90
    audit_queue: Positive = 10_000
    oauth_timeout_s: Seconds = 10.0
    discord_client_id: str = ""
    discord_client_secret: str = ""
    discord_url: str = "https://discord.com"
    github_client_id: str = ""
    github_client_secret: str = ""
    github_url: str = "https://github.com"
    github_api_url: str = "https://api.github.com"


class ErrorsConfig(Section, frozen=True):
    webhook_url: Annotated[str, Meta(pattern=r"^(https?://\S+)?\Z")] = ""
    webhook_queue: Positive = 100


class Config(Section, frozen=True):
    """Every setting of the server."""

    server: ServerConfig = field(default_factory=ServerConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    hub: HubConfig = field(default_factory=HubConfig)
    rooms: RoomsConfig = field(default_factory=RoomsConfig)
    quota: QuotaConfig = field(default_factory=QuotaConfig)
    recording: RecordingConfig = field(default_factory=RecordingConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    mongo: MongoConfig = field(default_factory=MongoConfig)
    redis: RedisConfig = field(default_factory=RedisConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    errors: ErrorsConfig = field(default_factory=ErrorsConfig)


class _Layers:
    """Values by section and key, each with the source that set it last."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self.sources: dict[tuple[str, str], str] = {}

    def put(self, section: str, key: str, value: object, source: str) -> None:
        self.values.setdefault(section, {})[key] = value
        self.sources[section, key] = source


def _read_file(path: Path, layers: _Layers) -> None:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: {section}: a key outside a section; sections are {_names(Config)}")
        for key, value in table.items():
            layers.put(section, key, value, str(path))


def _scalar(text: str) -> object:
    """`text` as TOML would read it; what is no TOML value is the string itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _read_environment(environment: Mapping[str, str], layers: _Layers) -> None:
    for name, text in environment.items():
        section, separator, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
        if name.startswith(ENV_PREFIX) and separator:
            layers.put(section, key, _scalar(text), name)


def _read_settings(settings: Iterable[str], layers: _Layers) -> None:
    for setting in settings:
        path, separator, text = setting.partition("=")
        section, dot, key = path.strip().partition(".")
        if not (separator and dot and key):
            raise ConfigError(f"--set {setting}: the form is section.key=value")
        layers.put(section, key, _scalar(text.strip()), f"--set {path.strip()}")


def _names(struct: type[Struct]) -> str:
    return ", ".join(struct.__struct_fields__)


def _check_names(layers: _Layers) -> None:
    sections = Config.__struct_fields__
    for (section, key), source in layers.sources.items():
        if section not in sections:
            raise ConfigError(f"{source}: unknown section {section!r}; allowed: {', '.join(sections)}")
        struct = type(getattr(Config(), section))
        if key not in struct.__struct_fields__:
            raise ConfigError(f"{source}: unknown key {section}.{key}; allowed: {_names(struct)}")


def _convert(section: str, layers: _Layers) -> Any:
    struct = type(getattr(Config(), section))
    values = layers.values.get(section, {})
    for key, value in values.items():
        text = _string_wanted(struct, key, value)
        try:
            convert({key: text}, struct)
        except ValidationError as error:
            source = layers.sources[section, key]
            raise ConfigError(f"{source}: {section}.{key} = {value!r}: {_expected(struct, key, error)}") from error
        values[key] = text
    return convert(values, struct)


def _expected(struct: type[Struct], key: str, error: ValidationError) -> str:
    """What a key may be, from msgspec, which does not list the values of a choice."""
    choices = [choice for choice in get_args(struct.__annotations__[key]) if isinstance(choice, str)]
    if choices:
        return f"expected one of {', '.join(choices)}"
    return str(error).partition(" - at `")[0]


def _string_wanted(struct: type[Struct], key: str, value: object) -> object:
    """A value from the environment that looks like a number where a string is wanted is a string."""
    if struct.__annotations__.get(key) is str and isinstance(value, int | float):
        return str(value)
    return value


def load_config(path: Path | None, environment: Mapping[str, str] = os.environ, settings: Iterable[str] = ()) -> Config:
    """The checked configuration.

    Args:
        path: a TOML file; None for the defaults.
        environment: where `RHYTHMD_SECTION__KEY` variables are looked up; their values are written as in TOML.
        settings: `section.key=value`, strongest of all.

    Raises:
        ConfigError: a file cannot be read, a key is unknown or a value is not allowed; the text says which.
    """
    layers = _Layers()
    if path is not None:
        _read_file(path, layers)
    _read_environment(environment, layers)
    _read_settings(settings, layers)
    _check_names(layers)
    config = Config(**{section: _convert(section, layers) for section in Config.__struct_fields__})
    _check_relations(config)
    return config


def _check_relations(config: Config) -> None:
    if config.limits.silence_s <= config.limits.ping_interval_s:
        raise ConfigError("limits.silence_s must be more than limits.ping_interval_s")
    if config.rooms.lobby_players > config.rooms.max_players:
        raise ConfigError("rooms.lobby_players must be at most rooms.max_players")
    _check_auth(config.auth)
    _check_server(config)


def _check_auth(auth: AuthConfig) -> None:
    if auth.algorithm == "HS256" and len(auth.secret) < MIN_SECRET_LENGTH:
        raise ConfigError(f"auth.secret must have at least {MIN_SECRET_LENGTH} characters for HS256")
    if auth.previous_secret and len(auth.previous_secret) < MIN_SECRET_LENGTH:
        raise ConfigError(f"auth.previous_secret must have at least {MIN_SECRET_LENGTH} characters")
    for name in ("discord", "github"):
        if bool(getattr(auth, f"{name}_client_id")) != bool(getattr(auth, f"{name}_client_secret")):
            raise ConfigError(f"auth.{name}_client_id and auth.{name}_client_secret go together")


def _check_server(config: Config) -> None:
    server, auth = config.server, config.auth
    if bool(server.tls_cert) != bool(server.tls_key):
        raise ConfigError("server.tls_cert and server.tls_key go together")
    if (auth.discord_client_id or auth.github_client_id) and not server.public_url:
        raise ConfigError("server.public_url must be set for logins through other sites: they send the browser there")
    for text in server.trusted_proxies:
        try:
            ip_network(text, strict=False)
        except ValueError as error:
            raise ConfigError(f"server.trusted_proxies: {error}") from error
