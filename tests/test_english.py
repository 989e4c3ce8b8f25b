"""Docstrings and pages in plain English: each begins with what the thing is, and each sentence has a subject."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
FOLDERS: Final = ("bench", "protocol", "rhythmd", "tests")
SECTIONS: Final = ("Args:", "Attributes:", "Raises:")
LONGEST: Final = 500  # lines of a file

# "Who is in a room leaves it" wants "a member"; "Who is it?" and "Whose" are right.
BARE_WHO: Final = re.compile(r"(?:^|(?<=[.:!?]\s)|(?<=\n\n))Who(?:ever)?\b[^.?!]*(?:[.?!]|$)")

MODULES: Final = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PAGES: Final = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("protocol/*.md"), *ROOT.glob("bench/**/*.md"))
)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def docstrings() -> Iterator[tuple[str, str, str]]:
    """The docstrings of all modules: file, name of the class or function, text."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = "" if isinstance(node, ast.Module) else node.name
                yield name_of(path), name, ast.get_docstring(node) or ""


DOCSTRINGS: Final = [*docstrings()]


def bare(text: str) -> list[str]:
    """The sentences of `text` whose subject is a "who" without anybody."""
    return [sentence for sentence in BARE_WHO.findall(text) if not sentence.endswith("?")]


def test_bare_who_is_found() -> None:
    text = "Who joins hears all. Who is it? That counts: who comes.\n\nWhoever leaves\nhears nothing. A user who goes."
    assert bare(text) == ["Who joins hears all.", "Whoever leaves\nhears nothing."]


def test_docstrings_say_first_what_a_thing_is() -> None:
    assert [(file, name) for file, name, text in DOCSTRINGS if text.startswith(SECTIONS)] == []


def test_sentences_of_docstrings_have_a_subject() -> None:
    assert [(file, name, bare(text)) for file, name, text in DOCSTRINGS if bare(text)] == []


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_sentences_of_a_page_have_a_subject(path: Path) -> None:
    assert bare(path.read_text(encoding="utf-8")) == []


def test_files_are_not_too_long() -> None:
    lengths = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}
