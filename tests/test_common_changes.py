"""ARCHITECTURE.md says what is so: each row of its table of common changes is followed once, its names exist."""

import re
from pathlib import Path

import pytest

from rhythmd.hub.sending import delivery
from rhythmd.hub.sending.delivery import TRANSITIONS, Event, State
from tests.changes import bench, hub, protocol, server, settings, sheets
from tests.changes.page import ROOT, TEXT, Change, changes, located
from tests.changes.tree import RECIPES, Tree

MODULES = (bench, hub, protocol, server, settings, sheets)  # they fill RECIPES
CHANGES = changes()


def name_of(change: Change) -> str:
    return change.name


def test_every_row_has_a_recipe_and_every_recipe_a_row() -> None:
    assert sorted(RECIPES) == sorted(change.name for change in CHANGES)


@pytest.mark.parametrize("change", CHANGES, ids=name_of)
def test_row_names_what_exists(change: Change) -> None:
    texts = [
        file.read_text(encoding="utf-8")
        for path in change.paths
        for file in ([ROOT / path] if (ROOT / path).is_file() else (ROOT / path).rglob("*.py"))
    ]
    missing = [name for name in change.names if not any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)]
    assert missing == []


@pytest.mark.parametrize("change", CHANGES, ids=name_of)
def test_following_the_row_makes_the_change(change: Change, tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    RECIPES[change.name](tree)
    assert {path for path in tree.edited if change.covers(path) is None} == set(), "files that the row does not name"
    assert change.paths - {change.covers(path) for path in tree.edited} == set(), "files that need no change"


def test_every_path_on_the_page_leads_somewhere() -> None:
    paths = set(re.findall(r"`([\w./-]+/|[\w./-]+/[\w.-]+\.(?:py|js|md|json)|\w+\.(?:py|toml))`", TEXT))
    assert len(paths) > 40
    assert {path for path in paths if located(path) is None} == set()


def test_page_is_short() -> None:
    assert TEXT.count("\n") < 250


# What a client's connection can be


def drawn() -> dict[tuple[State, Event], State]:
    """The transitions of the page's drawing."""
    found: dict[tuple[State, Event], State] = {}
    for before, event, after in re.findall(r"([A-Z_]+(?:, [A-Z_]+)*|any but AWAY) --([A-Z]+)--> ([A-Z_]+)", TEXT):
        names = [state.name for state in State if state is not State.AWAY] if "any" in before else before.split(", ")
        found |= {(State[name], Event[event]): State[after] for name in names}
    return found


def test_drawing_of_a_connection_is_the_table_of_transitions() -> None:
    assert drawn() == TRANSITIONS


def test_states_of_a_connection_get_what_their_module_says() -> None:
    pattern = r"^\| `([A-Z_]+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$"
    rows = re.findall(pattern, TEXT, re.MULTILINE)
    assert [name for name, _, _ in rows] == [state.name for state in State]
    described = re.findall(pattern, delivery.__doc__ or "", re.MULTILINE)
    assert rows == [row for row in described if row[0] not in ("from",)][: len(State)]
