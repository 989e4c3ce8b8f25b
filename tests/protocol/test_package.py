"""The package stays what it says: bytes in, values out, and its modules export all that is public in them."""

import ast
import importlib
from pathlib import Path

import pytest

import rhythm_protocol

ROOT = Path(rhythm_protocol.__file__).parent
MODULES = sorted(path.stem for path in ROOT.glob("*.py"))
ALLOWED = {"collections", "collections.abc", "enum", "itertools", "math", "msgspec", "re", "struct", "typing"}


def tree(module: str) -> ast.Module:
    return ast.parse((ROOT / f"{module}.py").read_text())


def imports(module: ast.Module) -> set[str]:
    """Every module that is imported, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return found


def targets(node: ast.stmt) -> list[ast.expr]:
    match node:
        case ast.Assign():
            return node.targets
        case ast.AnnAssign():
            return [node.target]
        case _:
            return []


def passed_on(module: ast.Module) -> set[str]:
    """What a module imports from its neighbours, and so may export in their stead."""
    return {
        alias.name
        for node in module.body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rhythm_protocol.")
        for alias in node.names
    }


def public_names(module: ast.Module) -> set[str]:
    """What a module defines at its top level, without a leading underscore."""
    defined = {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assigned = {t.id for node in module.body for t in targets(node) if isinstance(t, ast.Name)}
    return {name for name in defined | assigned if not name.startswith("_")}


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_no_io(module: str) -> None:
    foreign = {name for name in imports(tree(module)) if name.split(".")[0] != "rhythm_protocol"}
    assert foreign <= ALLOWED


@pytest.mark.parametrize("module", MODULES)
def test_module_calls_no_io(module: str) -> None:
    called = {n.func.id for n in ast.walk(tree(module)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert not called & {"__import__", "breakpoint", "eval", "exec", "input", "open", "print"}


@pytest.mark.parametrize("module", MODULES)
def test_all_lists_every_public_name(module: str) -> None:
    name = "rhythm_protocol" if module == "__init__" else f"rhythm_protocol.{module}"
    exported: list[str] = importlib.import_module(name).__all__
    assert public_names(tree(module)) <= set(exported) <= public_names(tree(module)) | passed_on(tree(module))
    assert len(exported) == len(set(exported))
