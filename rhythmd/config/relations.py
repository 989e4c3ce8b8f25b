"""Rules of the configuration beyond the bounds of each key: what must go together, and what addresses must be like."""

from collections.abc import Callable, Collection, Iterator
from typing import Final, NamedTuple

from rhythmd.addresses import parse_network
from rhythmd.config.sections import Config
from rhythmd.config.urls import bad_host, bad_mongo_url, bad_redis_url, bad_url

__all__ = ["broken_rules"]

# RFC 7518, 3.2: a key for HS256 is at least as long as the hash.
MIN_SECRET_LENGTH: Final = 32
PROVIDERS: Final = ("discord", "github")


class Rule(NamedTuple):
    """A rule about some keys. `broken` says what is wrong, or nothing."""

    keys: tuple[str, ...]
    broken: Callable[[Config], str | None]


def broken_rules(config: Config, doubtful: Collection[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The keys and the text of each rule that is broken; none that has a `doubtful` key (`section.key`)."""
    for rule in RULES:
        if not any(key in doubtful for key in rule.keys):
            text = rule.broken(config)
            if text is not None:
                yield rule.keys, text


def _get(config: Config, key: str) -> object:
    section, _, name = key.partition(".")
    return getattr(getattr(config, section), name)


def _together(first: str, second: str) -> Rule:
    """Two keys of which both or none must be set."""

    def broken(config: Config) -> str | None:
        return None if bool(_get(config, first)) == bool(_get(config, second)) else f"{first} and {second} go together"

    return Rule((first, second), broken)


def _address(key: str, problem: Callable[[str], str | None]) -> Rule:
    """A key whose value, if it has one, is an address."""

    def broken(config: Config) -> str | None:
        value = str(_get(config, key))
        wrong = problem(value) if value else None
        return f"{key} = {_without_user(value)!r}: {wrong}" if wrong else None

    return Rule((key,), broken)


def _without_user(url: str) -> str:
    """An address as it may be shown: not with a password."""
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}{slashes}…@{rest.rpartition('@')[2]}" if "@" in rest else url


def _silence(config: Config) -> str | None:
    if config.limits.silence_s > config.limits.ping_interval_s:
        return None
    return "limits.silence_s must be more than limits.ping_interval_s"


def _lobbies(config: Config) -> str | None:
    if config.rooms.lobby_players <= config.rooms.max_players:
        return None
    return "rooms.lobby_players must be at most rooms.max_players"


def _secret(config: Config) -> str | None:
    if config.auth.algorithm != "HS256" or len(config.auth.secret) >= MIN_SECRET_LENGTH:
        return None
    return f"auth.secret must have at least {MIN_SECRET_LENGTH} characters for HS256"


def _previous_secret(config: Config) -> str | None:
    if not config.auth.previous_secret or len(config.auth.previous_secret) >= MIN_SECRET_LENGTH:
        return None
    return f"auth.previous_secret must have at least {MIN_SECRET_LENGTH} characters"


def _bucket(config: Config) -> str | None:
    if config.blobs.backend != "s3" or config.blobs.s3_bucket:
        return None
    return 'blobs.s3_bucket must be set for blobs.backend = "s3"'


def _public_url(config: Config) -> str | None:
    if config.server.public_url or not any(getattr(config.auth, f"{name}_client_id") for name in PROVIDERS):
        return None
    return "server.public_url must be set for logins through other sites: they send the browser there"


def _hosts(config: Config) -> str | None:
    hosts = config.server.hosts
    problems = [text for host in hosts if (text := bad_host(host))]
    if len(set(hosts)) < len(hosts):
        problems.append("an address is there twice")
    if not hosts:
        problems.append("expected an address, or a list of some")
    return f"server.host: {'; '.join(problems)}" if problems else None


def _origins(config: Config) -> str | None:
    wrong = [origin for origin in config.server.allowed_origins if bad_url(origin, is_base=True)]
    if not wrong:
        return None
    return f"server.allowed_origins: expected origins such as https://piano.example, not {', '.join(map(repr, wrong))}"


def _proxies(config: Config) -> str | None:
    problems: list[str] = []
    for text in config.server.trusted_proxies:
        try:
            parse_network(text)
        except ValueError as error:
            problems.append(str(error))
    return f"server.trusted_proxies: {'; '.join(problems)}" if problems else None


def _base(url: str) -> str | None:
    return bad_url(url, is_base=True)


RULES: Final = (
    Rule(("limits.silence_s", "limits.ping_interval_s"), _silence),
    Rule(("rooms.lobby_players", "rooms.max_players"), _lobbies),
    Rule(("auth.algorithm", "auth.secret"), _secret),
    Rule(("auth.previous_secret",), _previous_secret),
    *(_together(f"auth.{name}_client_id", f"auth.{name}_client_secret") for name in PROVIDERS),
    Rule(("server.public_url", *(f"auth.{name}_client_id" for name in PROVIDERS)), _public_url),
    Rule(("blobs.backend", "blobs.s3_bucket"), _bucket),
    _together("blobs.s3_access_key", "blobs.s3_secret_key"),
    Rule(("server.host",), _hosts),
    Rule(("server.allowed_origins",), _origins),
    Rule(("server.trusted_proxies",), _proxies),
    _together("server.tls_cert", "server.tls_key"),
    _address("server.public_url", _base),
    _address("blobs.s3_endpoint", _base),
    _address("mongo.url", bad_mongo_url),
    _address("redis.url", bad_redis_url),
    _address("auth.discord_url", _base),
    _address("auth.github_url", _base),
    _address("auth.github_api_url", _base),
    _address("errors.webhook_url", bad_url),
)
