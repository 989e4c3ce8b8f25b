"""The one rule of who has power over whom, in rooms and of accounts, over sockets and over REST."""

from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Final

from rhythmd.rows import Role

__all__ = ["Act", "Rank", "is_moderator", "may", "rank_of"]


class Rank(IntEnum):
    """How much somebody may decide. An owner is one in their own room only; the operator is at the command line."""

    PLAYER = 0
    OWNER = 1
    MODERATOR = 2
    ADMIN = 3
    OPERATOR = 4


class Act(StrEnum):
    """What a rank is needed for, and what it is compared with.

    - SANCTION: kick, mute or ban somebody, take their avatar down, change their roles. They are below.
    - LIFT: end what somebody has imposed, or give it another end. They are not above.
    - ENTER: come into a room without its password, to do one's work there. Nobody is asked; there is an audit entry.
    """

    SANCTION = "sanction"
    LIFT = "lift"
    ENTER = "enter"


RANKS: Final[dict[str, Rank]] = {Role.MODERATOR: Rank.MODERATOR, Role.ADMIN: Rank.ADMIN}


def rank_of(roles: Iterable[str], *, owns: bool = False) -> Rank:
    """The rank of a user with these roles; `owns` says that it is about a room of theirs."""
    least = Rank.OWNER if owns else Rank.PLAYER
    return max((RANKS[role] for role in roles if role in RANKS), default=least)


def is_moderator(roles: Iterable[str]) -> bool:
    """Whether these roles let one work as a moderator, which admins may, too."""
    return rank_of(roles) >= Rank.MODERATOR


def may(judge: Rank, act: Act, other: Rank = Rank.PLAYER) -> bool:
    """Whether one of rank `judge` may do this to one, or to the work of one, of rank `other`."""
    if act is Act.ENTER:
        return judge >= Rank.MODERATOR
    return judge >= Rank.OWNER and (judge > other or (act is Act.LIFT and judge == other))
