"""A copy of the sources to make a change in, and to look whether it works."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Final

from tests.changes.page import ROOT

__all__ = ["RECIPES", "Recipe", "Tree", "recipe"]

PARTS: Final = ("rhythmd", "protocol", "tests", "bench")
FILES: Final = ("config.toml", "ARCHITECTURE.md", "README.md")
TIMEOUT_S: Final = 60


class Tree:
    """A copy of the sources.

    Attributes:
        edited: the paths of what was changed or added, from the root.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sources"
        self._data = folder
        self.edited: set[str] = set()
        for part in PARTS:
            shutil.copytree(ROOT / part, self._folder / part, ignore=shutil.ignore_patterns("results", "__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, self._folder / name)

    def read(self, path: str) -> str:
        return (self._folder / path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        """Give a file, new or not, this content."""
        self.edited.add(path)
        (self._folder / path).write_text(text, encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        """Put `new` in the place of the first `old`, which must be there."""
        before = self.read(path)
        assert old in before, f"{path} has no {old!r}"
        self.write(path, before.replace(old, new, 1))

    def before(self, path: str, mark: str, text: str) -> None:
        """Insert `text` before the first `mark`."""
        self.replace(path, mark, text + mark)

    def after(self, path: str, mark: str, text: str) -> None:
        """Insert `text` behind the first `mark`."""
        self.replace(path, mark, mark + text)

    def append(self, path: str, text: str) -> None:
        """Add `text` to the end."""
        self.write(path, self.read(path) + text)

    def check(self, *codes: str) -> None:
        """Run `codes`, one after the other, in a process of its own that sees only this tree."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("RHYTHMD_", "PYTEST"))}
        environment["PYTHONPATH"] = os.pathsep.join((str(self._folder), str(self._folder / "protocol")))
        environment["DATA"] = str(self._data)
        done = subprocess.run(
            [sys.executable, "-c", "\n".join(map(dedent, codes))], cwd=self._folder, env=environment,
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


Recipe = Callable[[Tree], None]
"""Makes one of the changes, and looks whether it works."""

RECIPES: Final[dict[str, Recipe]] = {}
"""By the name of the change."""


def recipe(name: str) -> Callable[[Recipe], Recipe]:
    """Make a function the recipe of the change with this name."""

    def add(function: Recipe) -> Recipe:
        assert name not in RECIPES, name
        RECIPES[name] = function
        return function

    return add
