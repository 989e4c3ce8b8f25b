"""Guessing the passwords of rooms, slowed down as guessing those of accounts is."""

from math import ceil

from rhythm_protocol.errors import ErrorCode
from rhythmd.addresses import is_loopback
from rhythmd.auth.errors import LockedOut
from rhythmd.auth.lockout import Attempt, Lockout, LockoutPolicy
from rhythmd.auth.values import Clock
from rhythmd.config import AuthConfig
from rhythmd.errors import Refused

__all__ = ["RoomGuesses"]


class RoomGuesses:
    """Counts wrong passwords by room and network, and by network alone.

    A room itself is never locked: whoever knows its password comes in, however many guess it elsewhere.

    Args:
        config: has the limits of logins, which hold here, too.
        clock: ms, never backwards.
    """

    def __init__(self, config: AuthConfig, clock: Clock) -> None:
        pair = LockoutPolicy(config.pair_failures, config.lock_first_s, config.lock_max_s)
        address = LockoutPolicy(config.address_failures, config.lock_first_s, config.lock_max_s)
        self._lockout = Lockout(pair, address, address, config.lock_entries, clock)

    def begin(self, room_id: str, address: str, password: str | None) -> Attempt | None:
        """Count an attempt; None if it is no guess, or from loopback, which a whole machine shares.

        Raises Refused: `locked-out`.
        """
        if password is None or is_loopback(address):
            return None
        try:
            return self._lockout.begin(room_id, address, trusted=True)
        except LockedOut as error:
            text = f"too many wrong passwords, wait {ceil(error.retry_after_s)} s"
            raise Refused(ErrorCode.LOCKED_OUT, text, "password") from None
