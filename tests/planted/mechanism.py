"""A planted fault: one small change of one module's text, made when a fresh process imports that module.

No file is changed and nothing is cached: what is planted lives and dies with its process.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Fault:
    """In ``module``'s text ``find``, which is there once, becomes ``replace``; ``breaks`` says what breaks.

    Either the referee's ``laws`` that may catch it in a world, or a ``row`` of docs/faults.md and a ``test``
    named there that turns red.
    """

    name: str
    module: str
    find: str
    replace: str
    breaks: str
    laws: tuple[str, ...] = ()
    row: str = ""
    test: str = ""

    @property
    def path(self) -> Path:
        """Of the module."""
        folder = ROOT / Path(*self.module.split("."))
        return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")

    def text(self) -> str:
        """The module with the fault in it."""
        text = self.path.read_text(encoding="utf-8")
        if (times := text.count(self.find)) != 1:
            raise LookupError(f"{self.name}: what it changes is {times} times in {self.module}, not once")
        return text.replace(self.find, self.replace)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module before anybody else and loads it with its fault. ``planted``: it was loaded."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.planted = False

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.fault.module:
            return None
        path = self.fault.path
        spec = importlib.machinery.ModuleSpec(name, self, origin=str(path))
        if path.name == "__init__.py":
            spec.submodule_search_locations = [str(path.parent)]
        return spec

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self.fault.text(), str(self.fault.path), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - that is what importing is
        self.planted = True


def plant(fault: Fault) -> Finder:
    """From now on, in this process; before anybody has imported the module."""
    if fault.module in sys.modules:
        raise LookupError(f"{fault.module} is imported already")
    finder = Finder(fault)
    sys.meta_path.insert(0, finder)
    return finder
