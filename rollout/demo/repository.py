"""The git repository of the demo: a plain one with a working tree, where anybody may commit."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from rollout.demo.processes import DemoFailed, environment

AUTHOR, ADDRESS = "DJ", "dj@example.com"


class Repository:
    """Made by ``create``; ``path`` is its working tree."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    async def create(cls, path: Path) -> Repository:
        """An empty repository in an empty folder, with an author of its own whatever git knows of."""
        made = cls(path)
        await made._git("init", "--quiet", "--template=", "--initial-branch=main")
        for key, value in (("user.name", AUTHOR), ("user.email", ADDRESS), ("commit.gpgsign", "false")):
            await made._git("config", key, value)
        return made

    async def commit(self, subject: str, **files: str) -> str:
        """Write ``<name>.yaml`` for each and commit them; the commit's short id."""
        for name, text in files.items():
            (self.path / f"{name}.yaml").write_text(text, encoding="utf-8")
        await self._git("add", "--all")
        await self._git("commit", "--quiet", "--no-verify", "-m", subject)
        return await self._git("rev-parse", "--short", "HEAD")

    async def _git(self, *arguments: str) -> str:
        # Without the user's configuration: a template, a hook or a signing key there is not for us.
        process = await asyncio.create_subprocess_exec(
            "git",
            *arguments,
            cwd=self.path,
            env={**environment(), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        said = (await process.communicate())[0].decode(errors="replace").strip()
        if process.returncode:
            raise DemoFailed(f"git {arguments[0]} failed: {said}")
        return said
