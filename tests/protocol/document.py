"""PROTOCOL.md in parts."""

import re
from pathlib import Path
from typing import Final

__all__ = ["TEXT", "section", "table"]

TEXT: Final = (Path(__file__).parents[2] / "protocol" / "PROTOCOL.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """What stands under a heading, up to the next one that is no lower."""
    level, rest = re.findall(rf"^(#+) {re.escape(title)}$(.*)", TEXT, re.MULTILINE | re.DOTALL)[0]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str, *columns: str) -> list[list[str]]:
    """The cells of the table in `text` with this head, row by row, without code quotes."""
    rows = [[cell.strip(" `") for cell in line.strip().strip("|").split("|")] for line in text.splitlines()]
    first = rows.index([*columns]) + 2
    last = next(at for at in range(first, len(rows) + 1) if at == len(rows) or len(rows[at]) != len(columns))
    return rows[first:last]
