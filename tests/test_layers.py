"""The layers of the server: who may import whom."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parents[1]

# From the bottom to the top. A module imports from ranks below its own; modules of one package import each other.
RANKS: Final = (
    ("rhythm_protocol",),
    ("rhythmd.terminal",),
    ("rhythmd.options", "rhythmd.bounded", "rhythmd.locks"),
    ("rhythmd.addresses", "rhythmd.clock", "rhythmd.errors", "rhythmd.interpreter", "rhythmd.telemetry"),
    ("rhythmd.folders",),
    ("rhythmd.midi", "rhythmd.names"),
    ("rhythmd.config", "rhythmd.ports", "rhythmd.rows"),
    ("rhythmd.fairness",),
    ("rhythmd.auth", "rhythmd.workers", "rhythmd.sheets.formats"),
    ("rhythmd.hub.ports", "rhythmd.sheets", "rhythmd.avatars"),
    ("rhythmd.hub.sending",),
    ("rhythmd.hub.rooms",),
    ("rhythmd.hub.sessions",),
    ("rhythmd.hub.recording", "rhythmd.hub.keeping"),
    ("rhythmd.hub.handlers",),
    ("rhythmd.hub.router",),
    ("rhythmd.hub.hub",),
    ("rhythmd.net", "rhythmd.store", "rhythmd.cluster", "rhythmd.rest.serving"),
    ("rhythmd.rest.resources",),
    ("rhythmd.rest.table",),
    ("rhythmd.rest.app",),
    ("rhythmd.bridges", "rhythmd.readiness"),
    ("rhythmd.app", "rhythmd.client"),
    ("rhythmd.admin",),
    ("rhythmd.sheet_admin",),
    ("rhythmd.cli",),
    ("rhythmd.__main__",),
)
PACKAGES: Final = ("rhythmd", "rhythmd.hub", "rhythmd.rest")  # of several ranks; nothing is in them but what they hold
FRIENDS: Final = {("rhythmd.ports", "rhythmd.rows")}  # the ports speak of rows

# Libraries that only these may import.
LIBRARIES: Final = {
    "motor": ("rhythmd.store.mongo",),
    "pymongo": ("rhythmd.store.mongo",),
    "redis": ("rhythmd.cluster",),
    "PIL": ("rhythmd.avatars.picture",),
    "obstore": ("rhythmd.store.blobs.s3",),
    "aiohttp": ("rhythmd.rest", "rhythmd.auth.oauth"),
    "websockets": ("rhythmd.net", "rhythmd.client"),
}

WALLED: Final = ("rhythmd.hub", "rhythmd.rest", "rhythmd.midi", "rhythmd.sheets", "rhythmd.workers", "rhythmd.avatars")
ARROWS_BEFORE: Final = 137  # between modules of one folder without sub-packages
ARROWS_OF_SHEETS: Final = 11  # of `rooms/performance.py` and `handlers/sheets.py`, which the folder did not have
ARROWS_OF_PEOPLE: Final = 6  # of `rooms/sanctions.py` and `rooms/lingering.py`, which it did not have either
ARROWS_OF_NEWS: Final = 5  # of `rooms/news.py`, nor this one
ARROWS_OF_SHARES: Final = 4  # of `keeping/ledger.py`, to members of rooms whom it counts, and to who reserves a seat
ARROWS_OF_RELIEF: Final = 3  # of `handlers/relief.py`, nor that one
ARROWS_OF_GROUPS: Final = 2  # of `sending/groups.py`, which was a part of `fanout.py`
ARROWS_OF_MEMORY: Final = 4  # of `sessions/relief.py`, nor this one

# The way of a note, file by file, short enough to read.
STRAIGHT_LINE: Final = (
    "net/connection.py",
    "hub/router.py",
    "hub/handlers/midi.py",
    "hub/rooms/room.py",
    "hub/sending/fanout.py",
)
STRAIGHT_LINE_LIMIT: Final = 300


class Import(NamedTuple):
    """`module` imports `target`, a module or something in one."""

    module: str
    target: str


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources() -> dict[str, ast.Module]:
    """Every module of both packages, parsed."""
    roots = ((ROOT, "rhythmd"), (ROOT / "protocol", "rhythm_protocol"))
    return {
        module_name(path, root): ast.parse(path.read_text(encoding="utf-8"))
        for root, package in roots
        for path in sorted((root / package).rglob("*.py"))
    }


SOURCES: Final = sources()


def targets(node: ast.AST) -> Iterator[str]:
    """What one statement imports, by full name."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        assert node.module is not None
        for alias in node.names:
            full = f"{node.module}.{alias.name}"
            yield full if full in SOURCES else node.module


IMPORTS: Final = [
    Import(module, target) for module, tree in SOURCES.items() for node in ast.walk(tree) for target in targets(node)
]


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def unit_of(module: str) -> str | None:
    """The entry of `RANKS` that `module` belongs to; None for what is not ours, and for the empty root."""
    return next((unit for rank in RANKS for unit in rank if is_in(module, unit)), None)


def rank_of(unit: str) -> int:
    return next(number for number, rank in enumerate(RANKS) if unit in rank)


@pytest.mark.parametrize("module", [module for module in SOURCES if module not in PACKAGES])
def test_module_has_a_rank(module: str) -> None:
    assert unit_of(module) is not None


def test_imports_point_downward() -> None:
    wrong: list[Import] = []
    for found in IMPORTS:
        importer, imported = unit_of(found.module), unit_of(found.target)
        if importer is None or imported is None or importer == imported or (importer, imported) in FRIENDS:
            continue
        if rank_of(imported) >= rank_of(importer):
            wrong.append(found)
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_package_of_several_ranks_is_empty(package: str) -> None:
    assert all(isinstance(node, ast.Expr) for node in SOURCES[package].body)


def folders() -> list[str]:
    """The packages that have a rank, or are part of one."""
    return [module for module in SOURCES if (ROOT / module.replace(".", "/") / "__init__.py").exists()]


@pytest.mark.parametrize("folder", [folder for folder in folders() if folder.startswith(WALLED)])
def test_folder_says_what_belongs_there_and_what_does_not(folder: str) -> None:
    text = ast.get_docstring(SOURCES[folder]) or ""
    assert re.search(r"\b(not|nothing|nor)\b", text, re.IGNORECASE), text


def test_hub_has_fewer_arrows_than_before_it_had_walls() -> None:
    arrows = {
        (found.module, found.target)
        for found in IMPORTS
        if is_in(found.module, "rhythmd.hub") and is_in(found.target, "rhythmd.hub") and found.target in SOURCES
    }
    added = (
        ARROWS_OF_SHEETS
        + ARROWS_OF_PEOPLE
        + ARROWS_OF_NEWS
        + ARROWS_OF_RELIEF
        + ARROWS_OF_MEMORY
        + ARROWS_OF_SHARES
        + ARROWS_OF_GROUPS
    )
    assert len(arrows) < ARROWS_BEFORE + added


def test_what_serves_requests_knows_no_rooms() -> None:
    serving = [found for found in IMPORTS if is_in(found.module, "rhythmd.rest.serving")]
    assert [found for found in serving if is_in(found.target, "rhythmd.hub")] == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_library_is_imported_where_it_belongs(library: str) -> None:
    importers = {found.module for found in IMPORTS if is_in(found.target, library)}
    assert {module for module in importers if not any(is_in(module, home) for home in LIBRARIES[library])} == set()


def imported_modules(module: str) -> set[str]:
    return {found.target for found in IMPORTS if found.module == module and found.target in SOURCES}


def test_imports_make_no_cycle() -> None:
    finished: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in finished:
            for target in imported_modules(module):
                visit(target, (*path, module))
            finished.add(module)

    for module in SOURCES:
        visit(module, ())


def test_no_import_hides_from_the_interpreter() -> None:
    hiding = {
        module
        for module, tree in SOURCES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "TYPE_CHECKING")
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
        or (isinstance(node, ast.alias) and node.name == "TYPE_CHECKING")
    }
    assert hiding == set()


@pytest.mark.parametrize("name", STRAIGHT_LINE)
def test_file_on_the_straight_line_is_short(name: str) -> None:
    lines = (ROOT / "rhythmd" / name).read_text(encoding="utf-8").count("\n")
    assert lines < STRAIGHT_LINE_LIMIT
