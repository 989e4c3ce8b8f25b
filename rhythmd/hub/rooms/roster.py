"""The members of a room."""

from typing import Final

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.hub.rooms.members import Member

__all__ = ["Roster"]

FIRST_SLOT: Final = 1  # 0 is the server's own
LAST_SLOT: Final = 0xFFFF


class Roster(dict[int, Member]):
    """Members by slot, the longest present first.

    Attributes:
        last_slot: that was given away.
    """

    def __init__(self) -> None:
        super().__init__()
        self.last_slot = FIRST_SLOT - 1

    def __setitem__(self, slot: int, member: Member) -> None:
        super().__setitem__(slot, member)
        self.last_slot = slot

    def of_user(self, user_id: str) -> Member | None:
        """The member who is this user, if one is."""
        return next((member for member in self.values() if member.profile.id == user_id), None)

    def find(self, reference: str) -> Member:
        """The member with this id or, if only one has it, this name in any case. Raises Refused."""
        member = self.of_user(reference)
        if member is not None:
            return member
        folded = reference.casefold()
        named = [member for member in self.values() if member.profile.name.casefold() == folded]
        if len(named) != 1:
            problem = "nobody here is" if not named else "several here are"
            raise Refused(ErrorCode.USER_NOT_FOUND, f"{problem} called {reference}", "user")
        return named[0]

    def free_slot(self) -> int:
        """The next number that nobody has. Not the lowest: a late note must not pass to a newcomer."""
        slot = self.last_slot
        while True:
            slot = slot + 1 if slot < LAST_SLOT else FIRST_SLOT
            if slot not in self:
                return slot
