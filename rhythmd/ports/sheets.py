"""The library of sheet music: sheets, the files that they have, and who likes which."""

from collections.abc import Collection, Mapping
from typing import Protocol

from rhythmd.rows import Page, Sheet, SheetChanges, SheetFacets, SheetFile, SheetQuery

__all__ = ["SheetStore"]


class SheetStore(Protocol):
    """Sheets, their files and favourites.

    A file's row is there before a sheet's that has its hash, and stays as long: that is how no sheet lacks its file.
    """

    async def claim_file(self, hash_: str, now: int) -> SheetFile | None:
        """The file with this content, if it is there, as one that has been used now."""

    async def add_file(self, file: SheetFile) -> SheetFile:
        """Add a file; the one that is kept, which is another one if somebody added that content before."""

    async def remove_file(self, hash_: str, before: int) -> bool:
        """Remove a file that no sheet has, and that was last used before then; whether it was there."""

    async def files(self, limit: int, after: str = "") -> list[SheetFile]:
        """Files in the order of their hashes, those after that one."""

    async def files_of(self, hashes: Collection[str]) -> list[SheetFile]:
        """Those of these files that are there, in any order."""

    async def used_hashes(self, hashes: Collection[str]) -> set[str]:
        """Those of these that some sheet has."""

    async def creators(self, hashes: Collection[str]) -> dict[str, str]:
        """The users who made the first sheet of each of these, by hash; those that no sheet has are left out."""

    async def create(self, sheet: Sheet) -> Sheet:
        """The sheet with its number. Raises Conflict (`id`), or NotFound if there is no file with its hash."""

    async def get(self, sheet_id: str) -> Sheet | None: ...

    async def find(self, creator_id: str, hash_: str, file_name: str) -> Sheet | None:
        """One of this creator's sheets that have this content under this name."""

    async def update(
        self, sheet_id: str, changes: SheetChanges, having: str | None = None, as_of: int | None = None
    ) -> Sheet:
        """The sheet as it is after the change.

        Raises NotFound: there is no such sheet, it does not have the content whose hash is `having`, it was not
        `updated` last at `as_of`, or there is no file with its new hash.
        """

    async def delete(self, sheet_id: str) -> bool:
        """Remove the sheet and its favourites; whether there was one."""

    async def search(self, query: SheetQuery, limit: int, cursor: str | None = None) -> Page[Sheet]:
        """A page of what is found. Raises InvalidCursor, also for a cursor of another order."""

    async def facets(self, query: SheetQuery) -> SheetFacets: ...

    async def like(self, user_id: str, sheet_id: str, now: int, most: int) -> bool:
        """Make it a favourite; whether it was none. Raises NotFound, or TooMany if the user has `most` of them.

        Of several that are the last one at once, none may be kept, but never more than one.
        """

    async def unlike(self, user_id: str, sheet_id: str) -> bool:
        """Whether it was a favourite."""

    async def likes(self, sheet_ids: Collection[str]) -> dict[str, int]:
        """How many users have each of these sheets as a favourite; those that nobody has may be left out."""

    async def liked(self, user_id: str, sheet_ids: Collection[str]) -> set[str]:
        """Those of these sheets that are the user's favourites."""

    async def add_views(self, views: Mapping[str, int]) -> None:
        """Count so many more views of each sheet. Sheets that are gone are passed over."""

    async def spend_upload(self, user_id: str, day: int, most: int) -> bool:
        """Count an upload of a user on that day (a number of days); whether it is one of the first `most`."""

    async def return_upload(self, user_id: str, day: int) -> None:
        """Take one back that was counted."""

    async def sheets(self, limit: int, after: int = 0) -> list[Sheet]:
        """All sheets in the order of their numbers, those after that one."""

    async def misindexed(self, sheet_ids: Collection[str], *, mend: bool = False) -> set[str]:
        """Those of these sheets that are not found by what they say; with `mend` they are from now on."""

    async def strays(self, *, remove: bool = False) -> dict[str, int]:
        """How many favourites and other rows belong to no sheet, by kind; with `remove` they are gone. Slow."""
