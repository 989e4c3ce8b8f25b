"""Every way the server closes a socket: a code, its name, and whether to come back.

Codes under 4000 are those of RFC 6455 (7.4.1) and the IANA registry; from 4000 on they are this protocol's.
"""

from typing import Final, NamedTuple

__all__ = [
    "ABNORMAL",
    "CLOSE_RULES",
    "FLOODING",
    "GOING_AWAY",
    "INTERNAL_ERROR",
    "INVALID_DATA",
    "LOGIN_EXPIRED",
    "LOGIN_REVOKED",
    "MESSAGE_TOO_BIG",
    "NORMAL",
    "PROTOCOL_ERROR",
    "RESTARTING",
    "SILENT",
    "SLOW",
    "TAKEN_OVER",
    "TRY_AGAIN_LATER",
    "UNSUPPORTED_DATA",
    "USER_BANNED",
    "Close",
    "close_rule",
    "left_with",
]


class Close(NamedTuple):
    """One row of the table.

    `reconnect_after` is a pair of seconds: a client waits a random time between the two before its first
    try, and doubles both with each further try, up to a minute. None means that a client does not come back by itself.
    """

    code: int
    name: str
    reconnect_after: tuple[float, float] | None

    @property
    def reconnect(self) -> bool:
        return self.reconnect_after is not None


NORMAL: Final = Close(1000, "normal", None)
GOING_AWAY: Final = Close(1001, "going-away", (0.5, 2.0))
PROTOCOL_ERROR: Final = Close(1002, "protocol-error", None)
UNSUPPORTED_DATA: Final = Close(1003, "unsupported-data", None)
ABNORMAL: Final = Close(1006, "abnormal", (0.5, 2.0))
INVALID_DATA: Final = Close(1007, "invalid-data", None)
MESSAGE_TOO_BIG: Final = Close(1009, "message-too-big", None)
INTERNAL_ERROR: Final = Close(1011, "internal-error", (2.0, 10.0))
RESTARTING: Final = Close(1012, "restarting", (1.0, 10.0))
TRY_AGAIN_LATER: Final = Close(1013, "try-again-later", (5.0, 30.0))
SILENT: Final = Close(4000, "silent", (0.5, 2.0))
SLOW: Final = Close(4001, "slow", (1.0, 5.0))
FLOODING: Final = Close(4002, "flooding", (10.0, 30.0))
LOGIN_EXPIRED: Final = Close(4003, "login-expired", None)
LOGIN_REVOKED: Final = Close(4004, "login-revoked", None)
USER_BANNED: Final = Close(4005, "user-banned", None)
TAKEN_OVER: Final = Close(4006, "taken-over", None)

CLOSE_RULES: Final[dict[int, Close]] = {
    rule.code: rule
    for rule in (
        NORMAL,
        GOING_AWAY,
        PROTOCOL_ERROR,
        UNSUPPORTED_DATA,
        ABNORMAL,
        INVALID_DATA,
        MESSAGE_TOO_BIG,
        INTERNAL_ERROR,
        RESTARTING,
        TRY_AGAIN_LATER,
        SILENT,
        SLOW,
        FLOODING,
        LOGIN_EXPIRED,
        LOGIN_REVOKED,
        USER_BANNED,
        TAKEN_OVER,
    )
}


def close_rule(code: int) -> Close:
    """The row for `code`; an unknown code counts as a lost connection (1006)."""
    return CLOSE_RULES.get(code, ABNORMAL)


def left_with(code: int) -> Close:
    """How a client left that closed by itself: its page is gone and may be loaded again, or it said goodbye."""
    return GOING_AWAY if code == GOING_AWAY.code else NORMAL
