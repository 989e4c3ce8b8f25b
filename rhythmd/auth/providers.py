"""The sites that users may log in through, as a table.

Another one is a function that reads its answers, a row in `providers`, and its keys in the `auth` section of the
configuration.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from rhythmd.config import AuthConfig

__all__ = ["ExternalProfile", "Provider", "providers"]


class ExternalProfile(Struct, frozen=True):
    """An account at a provider. `subject` never changes there; `email` only if it is verified there."""

    subject: str
    name: str
    email: str | None


class Provider(Struct, frozen=True, kw_only=True):
    """A site whose accounts may log in here: its URLs, and how its answers are read.

    Args:
        name: in our URLs and rows.
        title: for people.
        client_id: ours there.
        client_secret: ours there.
        authorize_url: where the browser is sent.
        token_url: where a code becomes a token (RFC 6749, 4.1.3).
        profile_urls: what is asked with that token.
        scopes: the rights asked for.
        read: makes an ExternalProfile of the answers' JSON texts, in the order of `profile_urls`; may raise
            msgspec.DecodeError or LookupError.
    """

    name: str
    title: str
    client_id: str
    client_secret: str
    authorize_url: str
    token_url: str
    profile_urls: tuple[str, ...]
    scopes: tuple[str, ...]
    read: Callable[[Sequence[bytes]], ExternalProfile]


class _DiscordUser(Struct):
    """https://discord.com/developers/docs/resources/user#user-object"""

    id: str
    username: str
    email: str | None = None
    verified: bool = False


def _read_discord(answers: Sequence[bytes]) -> ExternalProfile:
    user = msgspec.json.decode(answers[0], type=_DiscordUser)
    return ExternalProfile(user.id, user.username, user.email if user.verified else None)


class _GitHubUser(Struct):
    """https://docs.github.com/rest/users/users#get-the-authenticated-user"""

    id: int
    login: str


class _GitHubEmail(Struct):
    """https://docs.github.com/rest/users/emails#list-email-addresses-for-the-authenticated-user"""

    email: str
    primary: bool
    verified: bool


def _read_github(answers: Sequence[bytes]) -> ExternalProfile:
    user = msgspec.json.decode(answers[0], type=_GitHubUser)
    emails = msgspec.json.decode(answers[1], type=list[_GitHubEmail])
    verified = (email.email for email in emails if email.primary and email.verified)
    return ExternalProfile(str(user.id), user.login, next(verified, None))


def providers(config: AuthConfig) -> dict[str, Provider]:
    """The providers by name that have a client id in the configuration."""
    table: Final = (
        Provider(
            name="discord",
            title="Discord",
            client_id=config.discord_client_id,
            client_secret=config.discord_client_secret,
            authorize_url=f"{config.discord_url}/oauth2/authorize",
            token_url=f"{config.discord_url}/api/oauth2/token",
            profile_urls=(f"{config.discord_url}/api/users/@me",),
            scopes=("identify", "email"),
            read=_read_discord,
        ),
        Provider(
            name="github",
            title="GitHub",
            client_id=config.github_client_id,
            client_secret=config.github_client_secret,
            authorize_url=f"{config.github_url}/login/oauth/authorize",
            token_url=f"{config.github_url}/login/oauth/access_token",
            profile_urls=(f"{config.github_api_url}/user", f"{config.github_api_url}/user/emails"),
            scopes=("read:user", "user:email"),
            read=_read_github,
        ),
    )
    return {provider.name: provider for provider in table if provider.client_id}
