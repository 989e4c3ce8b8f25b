"""The configurations in `docs/deploying.md`, taken out of the page itself."""

import re
import tomllib
from pathlib import Path
from typing import Final

__all__ = ["block", "blocks", "settings"]

PAGE: Final = Path(__file__).parents[2] / "docs" / "deploying.md"
FENCE: Final = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> dict[tuple[str, str], str]:
    """All of them, by their language and name."""
    found = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(found) == len({(language, name) for language, name, _ in found}), "two blocks have one name"
    return {(language, name): text for language, name, text in found}


def block(language: str, name: str, *changes: tuple[str, str]) -> str:
    """One of them, with what is changed for a test: each old text must be there."""
    text = blocks()[language, name]
    for old, new in changes:
        assert old in text, f"{language} {name} has no {old!r}"
        text = text.replace(old, new)
    return text


def settings(name: str, *changes: tuple[str, str]) -> list[str]:
    """A configuration of rhythmd, each key as `section.key=value`."""
    tables = tomllib.loads(block("toml", name, *changes))
    return [f"{section}.{key}={_toml(value)}" for section, table in tables.items() for key, value in table.items()]


def _toml(value: object) -> str:
    return str(value).replace("'", '"') if isinstance(value, list) else str(value)
