"""What somebody may do with a sheet, and which sheets a search shows them."""

from typing import Protocol

from rhythmd.auth import ranks
from rhythmd.rows import Approval, Role, Sheet, SheetPrivacy, SheetScope

__all__ = ["Reader", "is_editor", "is_moderator", "may_approve", "may_change", "may_delete", "may_read", "scope_of"]


class Reader(Protocol):
    """A user, as far as sheets are concerned."""

    @property
    def user_id(self) -> str: ...

    @property
    def roles(self) -> frozenset[str]: ...


def is_editor(who: Reader | None) -> bool:
    return who is not None and (Role.EDITOR in who.roles or ranks.is_moderator(who.roles))


def is_moderator(who: Reader | None) -> bool:
    return who is not None and ranks.is_moderator(who.roles)


def _is_creator(sheet: Sheet, who: Reader | None) -> bool:
    return who is not None and who.user_id == sheet.creator_id


def may_read(sheet: Sheet, who: Reader | None) -> bool:
    """One's own; others' that are not private. A moderator may read all.

    What was rejected only an editor may read, also when its creator has changed it since: until it is approved.
    """
    if _is_creator(sheet, who) or is_moderator(who):
        return True
    if sheet.privacy is SheetPrivacy.PRIVATE:
        return False
    return is_editor(who) or not (sheet.approval is Approval.REJECTED or sheet.rejection)


def may_change(sheet: Sheet, who: Reader) -> bool:
    return _is_creator(sheet, who)


def may_delete(sheet: Sheet, who: Reader) -> bool:
    return _is_creator(sheet, who) or is_moderator(who)


def may_approve(sheet: Sheet, who: Reader) -> bool:
    return is_editor(who) and may_read(sheet, who)


def scope_of(who: Reader | None, creator: str | None, approval: Approval | None, *, favorite: bool) -> SheetScope:
    """Which sheets a search looks at: the listed ones, unless it asks for favourites, one's own, or unapproved ones.

    Of the unapproved ones an editor gets all that are public, and everybody else their own.
    """
    if favorite:
        return SheetScope.READABLE
    if who is not None and creator == who.user_id:
        return SheetScope.OWN
    if approval in {None, Approval.APPROVED}:
        return SheetScope.LISTED
    return SheetScope.PUBLIC if is_editor(who) else SheetScope.OWN
