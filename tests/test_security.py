"""SECURITY.md names every limit, and no other."""

import re
from pathlib import Path
from typing import Final

import pytest
from msgspec import structs

from rhythmd.config import Config

PAGE: Final = (Path(__file__).parents[1] / "SECURITY.md").read_text(encoding="utf-8")
KEYS: Final = frozenset(
    f"{section}.{key}"
    for section in Config.__struct_fields__
    for key in structs.asdict(getattr(Config(), section))
)  # fmt: skip
WHOLE: Final = ("limits", "quota", "rooms", "recording", "sheets", "workers")
"""Sections of which every key is a limit."""


def named() -> list[str]:
    """What the table of limits has in its first column."""
    _, _, table = PAGE.partition("## Limits, and what each guards")
    rows = re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_table_names_only_limits_that_exist_and_each_once() -> None:
    assert named()
    assert [name for name in named() if name not in KEYS] == []
    assert sorted(named()) == sorted(set(named()))


@pytest.mark.parametrize("section", WHOLE)
def test_table_names_every_limit_of_a_section(section: str) -> None:
    assert [key for key in sorted(KEYS) if key.startswith(f"{section}.") and key not in named()] == []


def test_page_names_only_keys_that_exist() -> None:
    sections = "|".join(Config.__struct_fields__)
    assert [key for key in re.findall(rf"`((?:{sections})\.\w+)`", PAGE) if key not in KEYS] == []
