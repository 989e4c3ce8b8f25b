"""What the authentication services refuse, each with its code in the published table.

    AuthError
    +-- InvalidField          a value breaks a rule; `field` says which
    +-- Taken                 another account has that value; `field` says which
    +-- WrongCredentials      no such user, or not that password: never told apart
    +-- LockedOut             too many failures; `retry_after_s`
    +-- Banned                `until` and `reason`
    |   +-- BannedTrace       of another user, who was where this one is
    +-- Busy                  more work waits than may; try again later
    +-- InvalidToken          an access token that is not ours, or of a session that has ended
    |   +-- TokenExpired
    +-- InvalidRefreshToken   never given out, used before, expired or revoked
    +-- InvalidTicket         never given out, used before or expired
    +-- NotPermitted          the roles do not allow it
    +-- Unknown               there is no such user, session or identity
    +-- LastLogin             an account keeps one way to log in
    +-- OAuthError
        +-- UnknownProvider      not in the table, or not configured
        +-- InvalidState         not begun here, too long ago, used before, or begun in another browser
        +-- ConsentDenied        the user said no at the provider
        +-- CodeRefused          the provider does not accept the code
        +-- ProviderUnavailable  it is down, too slow, or refuses us for now
        +-- ProviderAnswer       it answered what its documents do not allow
        +-- LoginAndLink         an account with that e-mail address is here: log in to it, then link
        +-- IdentityTaken        it is linked to another account
        +-- AlreadyLinked        the account has an identity at that provider

What a store raises (`rhythmd.ports.StoreError`) passes through.
"""

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import RhythmdError

__all__ = [
    "AlreadyLinked",
    "AuthError",
    "Banned",
    "BannedTrace",
    "Busy",
    "CodeRefused",
    "ConsentDenied",
    "IdentityTaken",
    "InvalidField",
    "InvalidRefreshToken",
    "InvalidState",
    "InvalidTicket",
    "InvalidToken",
    "LastLogin",
    "LockedOut",
    "LoginAndLink",
    "NotPermitted",
    "OAuthError",
    "ProviderAnswer",
    "ProviderUnavailable",
    "Taken",
    "TokenExpired",
    "Unknown",
    "UnknownProvider",
    "WrongCredentials",
]


class AuthError(RhythmdError):
    """A request that is not granted. `code` is its row of the published table.

    Args:
        message: why, for people; it may be shown to them.
        field: the request's field that stands in the way, if one does.
    """

    code: ErrorCode

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidField(AuthError):
    code = ErrorCode.INVALID_FIELD


class Taken(AuthError):
    code = ErrorCode.TAKEN

    def __init__(self, field: str) -> None:
        super().__init__(f"this {field} is taken", field)


class WrongCredentials(AuthError):
    code = ErrorCode.WRONG_CREDENTIALS

    def __init__(self) -> None:
        super().__init__("the user or the password is wrong")


class LockedOut(AuthError):
    """Too many failed logins.

    Args:
        retry_after_s: seconds until another attempt is looked at.
    """

    code = ErrorCode.LOCKED_OUT

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("too many failed attempts, wait a moment")
        self.retry_after_s = retry_after_s


class Banned(AuthError):
    """The account is closed for a time, or for good.

    Args:
        until: Unix ms.
        reason: what the moderator wrote.
    """

    code = ErrorCode.USER_BANNED

    def __init__(self, until: int, reason: str, message: str = "") -> None:
        super().__init__(message or (f"this account is banned: {reason}" if reason else "this account is banned"))
        self.until = until
        self.reason = reason


class BannedTrace(Banned):
    """A guest or a new account comes from where a banned user was."""

    def __init__(self, until: int) -> None:
        message = "a user who is banned was where you are: log in, if you have had an account for longer"
        super().__init__(until, "", message)


class Busy(AuthError):
    code = ErrorCode.BUSY

    def __init__(self) -> None:
        super().__init__("the server is busy, try again in a moment")


class InvalidToken(AuthError):
    code = ErrorCode.INVALID_TOKEN

    def __init__(self, message: str = "the access token is not valid") -> None:
        super().__init__(message)


class TokenExpired(InvalidToken):
    code = ErrorCode.TOKEN_EXPIRED

    def __init__(self) -> None:
        super().__init__("the access token has expired")


class InvalidRefreshToken(AuthError):
    code = ErrorCode.INVALID_REFRESH_TOKEN

    def __init__(self) -> None:
        super().__init__("the refresh token is not valid, log in again")


class InvalidTicket(AuthError):
    code = ErrorCode.LOGIN_INVALID

    def __init__(self) -> None:
        super().__init__("the ticket is not valid, ask for another one")


class NotPermitted(AuthError):
    code = ErrorCode.NOT_PERMITTED


class Unknown(AuthError):
    code = ErrorCode.NOT_FOUND

    def __init__(self, what: str) -> None:
        super().__init__(f"there is no such {what}")


class LastLogin(AuthError):
    code = ErrorCode.LAST_LOGIN

    def __init__(self) -> None:
        super().__init__("this is the account's only way to log in: set a password first")


class OAuthError(AuthError):
    """Root of what goes wrong with a login through another site."""


class UnknownProvider(OAuthError):
    code = ErrorCode.UNKNOWN_PROVIDER

    def __init__(self) -> None:
        super().__init__("there is no login through this site")


class InvalidState(OAuthError):
    code = ErrorCode.INVALID_STATE

    def __init__(self) -> None:
        super().__init__("this login was not begun here, or too long ago: begin again")


class ConsentDenied(OAuthError):
    code = ErrorCode.CONSENT_DENIED

    def __init__(self) -> None:
        super().__init__("the login was declined there")


class CodeRefused(OAuthError):
    code = ErrorCode.CODE_REFUSED

    def __init__(self) -> None:
        super().__init__("the site does not confirm this login: begin again")


class ProviderUnavailable(OAuthError):
    code = ErrorCode.PROVIDER_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("the site cannot be reached now, try again later")


class ProviderAnswer(OAuthError):
    code = ErrorCode.PROVIDER_ANSWER

    def __init__(self) -> None:
        super().__init__("the site gave an answer that makes no sense")


class LoginAndLink(OAuthError):
    code = ErrorCode.LOGIN_AND_LINK

    def __init__(self) -> None:
        super().__init__("an account with this e-mail address exists: log in to it and link the other site there")


class IdentityTaken(OAuthError):
    code = ErrorCode.IDENTITY_TAKEN

    def __init__(self) -> None:
        super().__init__("this identity is linked to another account")


class AlreadyLinked(OAuthError):
    code = ErrorCode.ALREADY_LINKED

    def __init__(self) -> None:
        super().__init__("this account is linked to that site already: unlink it first")
