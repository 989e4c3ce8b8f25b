"""ARCHITECTURE.md in parts: the table of common changes, and the files and names that it speaks of."""

import re
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["ROOT", "TEXT", "Change", "changes", "located"]

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
HEADING: Final = "## Where to make common changes"
HOMES: Final = ("", "rhythmd", "protocol")
"""What a path on the page may begin in."""


def located(name: str) -> str | None:
    """The path from the root of what the page calls `name`; None if it is no path to anything there."""
    if "/" not in name and Path(name).suffix not in (".py", ".md", ".toml"):
        return None
    return next((str(Path(home, name)) for home in HOMES if (ROOT / home / name).exists()), None)


class Change(NamedTuple):
    """A row of the table.

    Args:
        name: the change.
        touches: where it is made, as the page says it.
    """

    name: str
    touches: str

    @property
    def quoted(self) -> list[str]:
        return re.findall(r"`([^`]+)`", self.touches)

    @property
    def paths(self) -> set[str]:
        """The files and folders that the row names."""
        return {path for path in map(located, self.quoted) if path is not None}

    @property
    def names(self) -> set[str]:
        """The names that the row says are in these files."""
        return {quoted.split(".")[-1] for quoted in self.quoted if located(quoted) is None}

    def covers(self, path: str) -> str | None:
        """The file of the row that `path` is, or the folder that it is in."""
        named = {named for named in self.paths if path == named or path.startswith(f"{named}/")}
        return max(named, key=len, default=None)


def changes() -> list[Change]:
    """The rows of the table."""
    table = TEXT.partition(HEADING)[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE)
    return [Change(*row) for row in rows if row[0] != "change"]
