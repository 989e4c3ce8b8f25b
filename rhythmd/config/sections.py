"""Every key of the configuration with its type, bounds and default.

These structs are the only list of them. `config.toml` repeats the defaults with a comment each, which says what a key
is for and in which unit; a test holds the two equal.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

__all__ = [
    "AuthConfig",
    "BlobsConfig",
    "Config",
    "ErrorsConfig",
    "HubConfig",
    "LimitsConfig",
    "MongoConfig",
    "QuotaConfig",
    "RecordingConfig",
    "RedisConfig",
    "RoomsConfig",
    "ServerConfig",
    "StoreConfig",
    "WorkersConfig",
]

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A section of the configuration. What each key means is said once, beside its default in `config.toml`."""


class ServerConfig(Section, frozen=True):
    host: str | list[str] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    data_dir: str = "data"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    stop_s: Annotated[float, Meta(gt=0, le=10)] = 8.0
    allowed_origins: list[str] = field(default_factory=list)
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/?#\s]+(/[\w.~/-]*)?)?\Z")] = ""
    trusted_proxies: list[str] = field(default_factory=lambda: ["127.0.0.0/8", "::1"])
    proxy_headers: Literal["auto", "x-forwarded", "forwarded"] = "auto"
    tls_cert: str = ""
    tls_key: str = ""

    @property
    def hosts(self) -> list[str]:
        """The addresses to listen on; the first one is what this machine's own clients use."""
        return [self.host] if isinstance(self.host, str) else self.host


class LimitsConfig(Section, frozen=True):
    connections: Positive = 10_000
    connections_per_address: Positive = 50
    http_connections: Positive = 1_000
    keep_alive_s: Seconds = 75.0
    unread_s: Seconds = 30.0
    message_bytes: Annotated[int, Meta(ge=1024, le=16 * 1024 * 1024)] = 65_536
    handshake_s: Seconds = 10.0
    ping_interval_s: Seconds = 20.0
    silence_s: Seconds = 40.0
    write_buffer_bytes: Annotated[int, Meta(ge=16_384)] = 262_144
    music_buffer_bytes: Annotated[int, Meta(ge=1_024)] = 16_384
    messages_per_s: Seconds = 50.0
    messages_burst: Positive = 300
    whispers_per_minute: Positive = 60
    control_bytes: Annotated[int, Meta(ge=1024, le=1024 * 1024)] = 8_192
    frames_per_s: Positive = 2_000
    bytes_per_s: Positive = 262_144
    input_burst_s: Annotated[float, Meta(ge=0.1, le=60)] = 4.0
    flood_s: Seconds = 10.0
    flood_closes: Positive = 5
    flood_memory_s: Seconds = 60.0
    client_share: Annotated[float, Meta(gt=0, le=100)] = 5.0
    network_share: Annotated[float, Meta(gt=0, le=100)] = 25.0
    guest_share: Annotated[float, Meta(gt=0, le=100)] = 75.0
    guest_network_share: Annotated[float, Meta(gt=0, le=100)] = 10.0
    account_network_share: Annotated[float, Meta(gt=0, le=100)] = 50.0
    network_prefix_v4: Annotated[int, Meta(ge=8, le=32)] = 32
    network_prefix_v6: Annotated[int, Meta(ge=32, le=128)] = 64
    requests_per_minute: Positive = 100
    auth_requests_per_minute: Positive = 10
    uploads_per_minute: Positive = 100
    accounts_per_hour: Positive = 100
    people_per_address: Positive = 10
    rate_entries: Positive = 50_000
    body_bytes: Annotated[int, Meta(ge=1_024)] = 65_536
    body_s: Seconds = 10.0
    upload_s: Seconds = 60.0
    memory_mb: Annotated[int, Meta(ge=1, le=1_048_576)] = 512
    performances: Annotated[int, Meta(ge=0)] = 50
    performance_events_per_s: Positive = 1_000


class HubConfig(Section, frozen=True):
    flush_max_ms: Annotated[float, Meta(ge=0, le=50)] = 4.0
    yield_after: Positive = 128
    presence_limit: Positive = 100
    cursor_interval_ms: Annotated[float, Meta(ge=1, le=1000)] = 40.0
    news_per_s: Annotated[int, Meta(ge=10, le=10_000)] = 100
    room_deliveries_per_s: Positive = 20_000
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
    linger_s: Annotated[float, Meta(ge=0, le=3_600)] = 30.0
    ban_network_minutes: Annotated[float, Meta(ge=0, le=525_600)] = 1_440.0
    ban_browser_days: Annotated[float, Meta(ge=0, le=400)] = 30.0


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


class SheetsConfig(Section, frozen=True):
    max_bytes: Annotated[int, Meta(ge=1_024, le=67_108_864)] = 5_000_000
    uploads_per_day: Positive = 100
    favorites: Positive = 10_000
    views_every_s: Seconds = 10.0


class StoreConfig(Section, frozen=True):
    backend: Literal["sqlite", "mongo"] = "sqlite"
    timeout_s: Seconds = 5.0
    expire_every_s: Seconds = 60.0
    cache_entries: Positive = 10_000


class BlobsConfig(Section, frozen=True):
    backend: Literal["directory", "gridfs", "s3"] = "directory"
    total_mb: Positive = 20_000
    reserve_mb: Annotated[int, Meta(ge=0)] = 512
    s3_bucket: str = ""
    s3_endpoint: Annotated[str, Meta(pattern=r"^(https?://\S+)?\Z")] = ""
    s3_region: Annotated[str, Meta(min_length=1)] = "us-east-1"
    s3_access_key: str = ""
    s3_secret_key: str = ""
    s3_timeout_s: Seconds = 10.0


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
    sessions_per_account: Annotated[int, Meta(ge=1, le=1_000)] = 100
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
    audit_per_day: Positive = 5_000
    oauth_timeout_s: Seconds = 10.0
    discord_client_id: str = ""
    discord_client_secret: str = ""
    discord_url: str = "https://discord.com"
    github_client_id: str = ""
    github_client_secret: str = ""
    github_url: str = "https://github.com"
    github_api_url: str = "https://api.github.com"


class WorkersConfig(Section, frozen=True):
    processes: Annotated[int, Meta(ge=1, le=64)] = 2
    queue: Annotated[int, Meta(ge=0)] = 256
    time_s: Annotated[float, Meta(ge=0.1, le=600)] = 10.0
    memory_mb: Annotated[int, Meta(ge=128, le=65_536)] = 768


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
    sheets: SheetsConfig = field(default_factory=SheetsConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    blobs: BlobsConfig = field(default_factory=BlobsConfig)
    mongo: MongoConfig = field(default_factory=MongoConfig)
    redis: RedisConfig = field(default_factory=RedisConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    workers: WorkersConfig = field(default_factory=WorkersConfig)
    errors: ErrorsConfig = field(default_factory=ErrorsConfig)
