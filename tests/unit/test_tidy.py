"""The house rules that no linter knows. Each check is fed bad text first, to show that it can fail."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import need

ROOT = Path(__file__).resolve().parents[2]
FUNCTION_LINES = 70
MODULE_LINES = 400
BANNED_NAMES = {"utils", "util", "helpers", "helper", "misc", "common", "manager"}
DAEMON = "rollout/engine/daemon.py"
SKIPPER = "tests/conftest.py"

# Written so that this file does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|root|farm)/")
INDEX_ADDRESS = re.compile(
    r"--(?:extra-)?index[-]url\b|--find[-]links\b|\bPIP_(?:EXTRA_)?INDEX_URL\b"
    r"|pypi\.org/simple|files\.pythonhosted\.org|proxy\.golang\.org|registry\.npmjs\.org"
)


def sources(*folders: str) -> Iterator[tuple[str, str]]:
    """Each Python file below the folders as (path, text)."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def long_functions(text: str) -> list[str]:
    return [
        f"line {node.lineno}: {node.name} has {lines} lines, {FUNCTION_LINES} is the wall"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]


def long_module(text: str) -> list[str]:
    lines = len(text.splitlines())
    return [f"has {lines} lines, over {MODULE_LINES} it is two modules"] if lines > MODULE_LINES else []


def meaningless_names(path: str) -> list[str]:
    words = Path(path).with_suffix("").parts
    return [f"{word} says nothing about what is in it" for word in words if word.strip("_") in BANNED_NAMES]


def _catches_everything(caught: ast.expr | None) -> bool:
    match caught:
        case None:
            return True
        case ast.Tuple(elts=kinds):
            return any(_catches_everything(kind) for kind in kinds)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in {"Exception", "BaseException"}
        case _:
            return False


def broad_excepts(text: str) -> list[str]:
    """Every `except:`, `except Exception` and `suppress(Exception)`."""
    found = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ExceptHandler(type=caught) if _catches_everything(caught):
                found.append(f"line {node.lineno}: catches everything")
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"), args=kinds) if any(
                _catches_everything(kind) for kind in kinds
            ):
                found.append(f"line {node.lineno}: suppresses everything")
    return found


def unrun_tests(text: str) -> list[str]:
    """Every way to leave a test out: marks, calls, importorskip, unittest's decorators."""
    ways = {"skip", "skipif", "xfail", "importorskip", "skipIf", "skipUnless", "SkipTest"}
    return [
        f"line {node.lineno}: .{node.attr} leaves a test out; say need(...) or mend it"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and node.attr in ways
        and _root_name(node) in {"pytest", "unittest"}
    ]


def _root_name(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def imported(text: str) -> Iterator[tuple[int, str]]:
    """Each imported name, dotted, with its line."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, name.name) for name in names)
            case ast.ImportFrom(module=module, names=names):
                yield from ((node.lineno, f"{module}.{name.name}") for name in names)


def patches(text: str) -> list[str]:
    return [
        f"line {line}: {name} patches; write a fake of the port"
        for line, name in imported(text)
        if name.startswith(("unittest.mock", "mock."))
    ]


def outsiders(text: str) -> list[str]:
    """What a module of the core imports beside the standard library and the core."""
    return [
        f"line {line}: {name} is neither standard library nor core"
        for line, name in imported(text)
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("rollout.core")
    ]


def local_addresses(text: str) -> list[str]:
    return [
        f"line {number}: {match.group()}"
        for number, line in enumerate(text.splitlines(), 1)
        for match in [MACHINE_PATH.search(line) or INDEX_ADDRESS.search(line)]
        if match
    ]


def complaints(found: Iterator[tuple[str, list[str]]]) -> list[str]:
    return [f"{path} {complaint}" for path, some in found for complaint in some]


# The house


def test_functions_and_modules_are_short() -> None:
    both = ((path, long_functions(text) + long_module(text)) for path, text in sources("rollout"))
    assert complaints(both) == []


def test_module_names_say_something() -> None:
    assert complaints((path, meaningless_names(path)) for path, _ in sources("rollout")) == []


def test_everything_is_caught_in_one_place_only() -> None:
    """The daemon's loop keeps one broken rollout from stopping the others; nobody else may swallow a bug."""
    everywhere = {path: broad_excepts(text) for path, text in sources("rollout", "bench", "tests")}
    assert len(everywhere.pop(DAEMON, [])) <= 1
    assert complaints(iter(everywhere.items())) == []


def test_no_test_is_left_out_quietly() -> None:
    assert complaints((path, unrun_tests(text)) for path, text in sources("tests") if path != SKIPPER) == []


def test_tests_do_not_patch() -> None:
    assert complaints((path, patches(text)) for path, text in sources("tests", "bench")) == []


def test_the_core_needs_the_standard_library_only() -> None:
    assert complaints((path, outsiders(text)) for path, text in sources("rollout/core")) == []


def test_no_file_names_a_machine_or_a_package_index() -> None:
    git = shutil.which("git")
    need("git and a git checkout", git and (ROOT / ".git").exists())
    # A checkout that belongs to another user, as CI mounts them, is listed all the same.
    listing = [str(git), "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    listed = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True)
    tracked = [ROOT / name for name in listed.stdout.split("\0") if name]
    texts = ((str(path.relative_to(ROOT)), path.read_bytes()) for path in tracked if path.is_file())
    assert complaints((name, local_addresses(raw.decode(errors="replace"))) for name, raw in texts) == []


# The checks themselves


def function_of(lines: int) -> str:
    return "async def far():\n" + "    x = 1\n" * (lines - 1)


def test_a_long_function_is_seen() -> None:
    assert long_functions(function_of(70)) == []
    assert long_functions(
        "class A:\n" + "".join(f"    {line}\n" for line in function_of(71).splitlines())
    ) == ["line 2: far has 71 lines, 70 is the wall"]


def test_a_long_module_is_seen() -> None:
    assert long_module("x = 1\n" * 400) == []
    assert long_module("x = 1\n" * 401) == ["has 401 lines, over 400 it is two modules"]


@pytest.mark.parametrize(
    "path",
    ["rollout/utils.py", "rollout/adapters/common/x.py", "rollout/engine/_helpers.py", "rollout/manager.py"],
)
def test_a_meaningless_name_is_seen(path: str) -> None:
    assert len(meaningless_names(path)) == 1


def test_a_name_that_contains_a_banned_word_is_fine() -> None:
    assert meaningless_names("rollout/adapters/uncommon.py") == []


@pytest.mark.parametrize(
    "caught", ["", " Exception", " BaseException as e", " (OSError, Exception)", " builtins.Exception"]
)
def test_a_broad_except_is_seen(caught: str) -> None:
    assert broad_excepts(f"try:\n    x()\nexcept{caught}:\n    pass\n") == ["line 3: catches everything"]


def test_a_broad_suppress_is_seen() -> None:
    assert broad_excepts("with contextlib.suppress(Exception):\n    x()\n") == [
        "line 1: suppresses everything"
    ]


def test_a_narrow_except_is_fine() -> None:
    assert broad_excepts("try:\n    x()\nexcept* (OSError, git.GitError):\n    pass\n") == []


@pytest.mark.parametrize(
    "line",
    [
        "@pytest.mark.skip\ndef f(): ...",
        "pytestmark = pytest.mark.xfail(reason='x')",
        "y = pytest.importorskip('git')",
        "pytest.skip('later')",
        "@unittest.skipIf(True, 'x')\ndef f(): ...",
        "z = [pytest.mark.skipif(True)]",
    ],
)
def test_a_test_left_out_is_seen(line: str) -> None:
    assert len(unrun_tests(f"import pytest, unittest\n{line}\n")) == 1


def test_other_marks_are_fine() -> None:
    assert unrun_tests("@pytest.mark.timeout(5)\ndef f(): rows.skip(1)\n") == []


@pytest.mark.parametrize(
    "line", ["from unittest import mock", "from unittest.mock import patch", "import unittest.mock"]
)
def test_a_patch_is_seen(line: str) -> None:
    assert len(patches(line)) == 1


def test_an_outsider_in_the_core_is_seen() -> None:
    text = "import enum\nfrom rollout.core.model import Split\nfrom rollout.ports import Mesh\nimport yaml\n"
    assert [found.split(":")[0] for found in outsiders(text)] == ["line 3", "line 4"]


@pytest.mark.parametrize("folder", ["work", "root", "farm"])
def test_a_machine_path_is_seen(folder: str) -> None:
    assert local_addresses(f"x\nhome = '/{folder}/x'\n") == [f"line 2: /{folder}/"]
    assert local_addresses(f"https://example.com/{folder}/x $HOME/{folder}/ ./{folder}/ /{folder}s/") == []


@pytest.mark.parametrize(
    "host", ["https://pypi.{}/simple", "--index-{}", "files.{}hosted.org", "proxy.golang.{}"]
)
def test_an_index_address_is_seen(host: str) -> None:
    rest = {"https://pypi.{}/simple": "org", "--index-{}": "url", "files.{}hosted.org": "python"}.get(
        host, "org"
    )
    assert len(local_addresses(host.format(rest))) == 1
