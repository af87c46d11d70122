"""docs/faults.md is true: each row is there once, and each test that it names is a test that runs.

The check is fed bad tables first, to show that it can fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"

COUNTS = {"G": 6, "P": 7, "K": 8, "T": 6, "M": 4, "E": 3, "R": 6, "S": 5, "L": 3, "D": 4, "C": 2, "Q": 3}
ROWS = [
    f"{kind}{number + 1}" for kind, count in {**COUNTS, "N": 2, "H": 3}.items() for number in range(count)
]
LATER = {"G6", *(f"K{number}" for number in range(1, 9)), "M1", "R1", "R6", "N2", "H1", "H2", "H3", "T6"}
"""Rows that may say that they, or a part of them, belong to a later version."""

CELL = r"\|\s*(.*?)\s*"
LINE = re.compile(rf"^{CELL}{CELL}{CELL}{CELL}\|$")
ROW = re.compile(r"[A-Z][0-9]+")
TEST = re.compile(r"`(tests/[^`]+)`")


# --- what tests there are ------------------------------------------------------------------------


@cache
def collected(path: Path) -> frozenset[str]:
    """What pytest would collect from a file: ``test_x``, ``TestY::test_x``, inherited ones too."""
    if not (path.is_file() and path.name.startswith("test_")):
        return frozenset()
    module = ast.parse(path.read_text(encoding="utf-8"))
    names = set(functions(module))
    for kind in classes(module):
        if kind.name.startswith("Test"):
            names |= {f"{kind.name}::{name}" for name in methods(kind, module)}
    return frozenset(names)


def functions(body: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in body.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def classes(module: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in module.body if isinstance(node, ast.ClassDef))


def methods(kind: ast.ClassDef, module: ast.Module) -> Iterator[str]:
    """A class's own tests and those of its bases, which may be imported."""
    yield from functions(kind)
    for base in kind.bases:
        if isinstance(base, ast.Name):
            for found, home in defined(base.id, module):
                yield from methods(found, home)


def defined(name: str, module: ast.Module) -> Iterator[tuple[ast.ClassDef, ast.Module]]:
    """The class of that name, here or in the module of ours that it is imported from."""
    for kind in classes(module):
        if kind.name == name:
            yield kind, module
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and any(each.name == name for each in node.names):
            path = ROOT / Path(*str(node.module).split(".")).with_suffix(".py")
            if path.is_file():
                yield from defined(name, ast.parse(path.read_text(encoding="utf-8")))


def lives(test: str) -> bool:
    """Does the test exist? One case of a parametrised test, ``test_x[case]``, counts as the test."""
    path, _, name = test.partition("::")
    return name.partition("[")[0] in collected(ROOT / path)


# --- what the page says --------------------------------------------------------------------------


def rows_of(text: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """(row, fault, what is done, tests) of each line of a table that begins with a row's name."""
    for line in text.splitlines():
        found = LINE.match(line)
        if found and ROW.fullmatch(found[1]):
            yield found[1], found[2], found[3], TEST.findall(found[4])


def wrongs(text: str) -> list[str]:
    """Everything that is not true of a page."""
    rows = list(rows_of(text))
    names = [name for name, *_ in rows]
    said = [f"{name} stands {names.count(name)} times" for name in ROWS if names.count(name) != 1]
    said += [f"{name} is no row" for name in names if name not in ROWS]
    for name, fault, done, tests in rows:
        if not (fault and done):
            said.append(f"{name} says too little")
        if "later" in done.lower() and name not in LATER and not tests:
            said.append(f"{name} is ours, not a later version's")
        if not tests and not (name in LATER and done.startswith("later: ")):
            said.append(f"{name} is shown by no test")
        said += [f"{name} names {test}, which is not there" for test in tests if not lives(test)]
    return said


def test_the_page_is_true():
    assert wrongs(PAGE.read_text(encoding="utf-8")) == []


def test_every_test_named_after_a_row_is_about_a_row_that_there_is():
    """`test_g1_...` belongs to G1: no test is named for a row that the page does not have."""
    known = {name.lower() for name in ROWS}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for test in collected(path):
            row = re.match(r"test_([gpktmersldcqnh][0-9]{1,2})_", test.rpartition("::")[2])
            assert row is None or row[1] in known, f"{path.name}: {test}"


# --- the check can fail --------------------------------------------------------------------------

LIVING = "tests/unit/test_faults_table.py::test_the_page_is_true"


def page(changes: Mapping[str, str | None]) -> str:
    """A page without fault, but for these rows (``None``: left out)."""
    good = {name: f"| {name} | it breaks | it is mended | `{LIVING}` |" for name in ROWS}
    good["K1"] = "| K1 | it breaks | later: Kubernetes | - |"
    lines = {**good, **changes}
    head = "# Faults\n\n| row | fault | what | shown by |\n| --- | --- | --- | --- |\n"
    return head + "\n".join(line for line in lines.values() if line is not None) + "\n"


def test_a_good_page_has_nothing_wrong():
    assert wrongs(page({})) == []
    assert (
        wrongs(page({"H1": f"| H1 | x | a part is done. Later: more | `{LIVING}`<br>`{LIVING}[case]` |"}))
        == []
    )


@pytest.mark.parametrize(
    ("row", "line", "said"),
    [
        ("G1", None, "G1 stands 0 times"),
        ("G2", f"| G1 | x | y | `{LIVING}` |", "G1 stands 2 times"),
        ("X1", f"| X1 | x | y | `{LIVING}` |", "X1 is no row"),
        ("G1", f"| G1 | | y | `{LIVING}` |", "G1 says too little"),
        ("G1", f"| G1 | x | | `{LIVING}` |", "G1 says too little"),
        ("G1", "| G1 | x | y | - |", "G1 is shown by no test"),
        ("G1", "| G1 | x | y | a test of it |", "G1 is shown by no test"),
        ("Q1", "| Q1 | x | later: one day | - |", "Q1 is ours, not a later version's"),
        ("K2", "| K2 | x | y | - |", "K2 is shown by no test"),
        ("G1", "| G1 | x | y | `tests/unit/test_gone.py::test_x` |", "which is not there"),
        ("G1", "| G1 | x | y | `tests/unit/test_need.py` |", "which is not there"),
        ("G1", "| G1 | x | y | `tests/unit/test_need.py::need` |", "which is not there"),
        ("G1", f"| G1 | x | y | `{LIVING}_no_more` |", "which is not there"),
        (
            "G1",
            "| G1 | x | y | `tests/contract/mesh.py::MeshContract::test_a_deleted_route_is_lost` |",
            "not there",
        ),
        ("G1", "| G1 | x | y | `tests/unit/conftest.py::test_the_page_is_true` |", "which is not there"),
    ],
)
def test_what_is_wrong_with_a_page_is_seen(row: str, line: str | None, said: str):
    found = wrongs(page({row: line}))
    assert any(said in wrong for wrong in found), found


def test_a_tests_class_and_its_base_elsewhere_are_understood():
    """As pytest sees them: under the class that inherits, not under the contract."""
    assert lives("tests/contract/test_mesh.py::TestFakeMesh::test_a_deleted_route_is_lost")
    assert not lives("tests/contract/test_mesh.py::FakeWorld::test_a_deleted_route_is_lost")
    assert not lives("tests/contract/test_mesh.py::test_a_deleted_route_is_lost")
