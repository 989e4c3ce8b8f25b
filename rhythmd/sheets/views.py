"""How often sheets are looked at: counted in memory, written together."""

from collections import Counter
from typing import Final

from rhythmd.bounded import BoundedDict
from rhythmd.ports import SheetStore

__all__ = ["ViewCounter"]

AGAIN_MS: Final = 3_600_000
VIEWERS: Final = 20_000


class ViewCounter:
    """Counts each viewer of a sheet once an hour. A process that is killed loses what it has not written yet.

    Args:
        sheets: where the counts end.
    """

    def __init__(self, sheets: SheetStore) -> None:
        self._sheets = sheets
        self._seen: BoundedDict[tuple[str, str], int] = BoundedDict(VIEWERS)
        self._views: Counter[str] = Counter()
        self._writing: Counter[str] = Counter()

    def count(self, viewer: str, sheet_id: str, now: int) -> None:
        """Count a view, if this viewer has not looked at the sheet within the hour.

        Args:
            viewer: an account's id, or the network of others.
            sheet_id: of a sheet that is there.
            now: Unix ms.
        """
        last = self._seen.get((viewer, sheet_id))
        if last is None or last + AGAIN_MS <= now:
            self._seen[viewer, sheet_id] = now
            self._views[sheet_id] += 1

    def waiting(self, sheet_id: str) -> int:
        """Views of a sheet that are not written yet."""
        return self._views[sheet_id] + self._writing[sheet_id]

    async def flush(self) -> None:
        """Write what was counted. Raises StoreUnavailable; then it is written later, and may be counted twice."""
        if not self._views or self._writing:
            return
        views = self._writing = self._views
        self._views = Counter()
        try:
            await self._sheets.add_views(views)
        except BaseException:
            self._views.update(views)
            raise
        finally:
            self._writing = Counter()
