"""Rules between keys of the configuration, beyond the bounds of each."""

from typing import Final

from rhythmd.addresses import parse_network
from rhythmd.config.sections import AuthConfig, BlobsConfig, Config
from rhythmd.errors import ConfigError

__all__ = ["check_relations"]

# RFC 7518, 3.2: a key for HS256 is at least as long as the hash.
MIN_SECRET_LENGTH: Final = 32


def check_relations(config: Config) -> None:
    """Raises ConfigError, which names the keys that do not go together."""
    if config.limits.silence_s <= config.limits.ping_interval_s:
        raise ConfigError("limits.silence_s must be more than limits.ping_interval_s")
    if config.rooms.lobby_players > config.rooms.max_players:
        raise ConfigError("rooms.lobby_players must be at most rooms.max_players")
    _check_auth(config.auth)
    _check_blobs(config.blobs)
    _check_server(config)


def _check_auth(auth: AuthConfig) -> None:
    if auth.algorithm == "HS256" and len(auth.secret) < MIN_SECRET_LENGTH:
        raise ConfigError(f"auth.secret must have at least {MIN_SECRET_LENGTH} characters for HS256")
    if auth.previous_secret and len(auth.previous_secret) < MIN_SECRET_LENGTH:
        raise ConfigError(f"auth.previous_secret must have at least {MIN_SECRET_LENGTH} characters")
    for name in ("discord", "github"):
        if bool(getattr(auth, f"{name}_client_id")) != bool(getattr(auth, f"{name}_client_secret")):
            raise ConfigError(f"auth.{name}_client_id and auth.{name}_client_secret go together")


def _check_blobs(blobs: BlobsConfig) -> None:
    if blobs.backend == "s3" and not blobs.s3_bucket:
        raise ConfigError('blobs.s3_bucket must be set for blobs.backend = "s3"')
    if bool(blobs.s3_access_key) != bool(blobs.s3_secret_key):
        raise ConfigError("blobs.s3_access_key and blobs.s3_secret_key go together")


def _check_server(config: Config) -> None:
    server, auth = config.server, config.auth
    if bool(server.tls_cert) != bool(server.tls_key):
        raise ConfigError("server.tls_cert and server.tls_key go together")
    if (auth.discord_client_id or auth.github_client_id) and not server.public_url:
        raise ConfigError("server.public_url must be set for logins through other sites: they send the browser there")
    for text in server.trusted_proxies:
        try:
            parse_network(text)
        except ValueError as error:
            raise ConfigError(f"server.trusted_proxies: {error}") from error
