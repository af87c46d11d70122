"""A whole installation for end-to-end tests: real Envoy, real git, traffic, and the real console script."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.envoys import Site
from tests.repository import Repository

SCRIPT = Path(sys.executable).with_name("rollout")
POLICY = """\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{namespace: prod, name: jazz}}
spec:
  route: {{envoy: {{routeConfiguration: jazz}}}}
  backend: {backend}
  steps:
    - {{weight: 10, bake: {bake}}}
    - {{weight: 50, bake: {bake}}}
    - {{weight: 100, bake: {bake}}}
"""
SETTINGS = """\
state = "state"
listen = ""

[sources.main]
url = "{url}"
path = "policies"
poll = "1s"

[meshes.envoy]
kind = "envoy"
directory = "{routes}"
admin = [{admin}]

[sinks.log]
kind = "log"
"""


def rollout(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the console script with nothing of ours in its environment and nobody at its input."""
    clean = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LC_ALL": "C.UTF-8", **(environment or {})}
    return subprocess.run(
        [str(SCRIPT), *arguments],
        cwd=cwd,
        env=clean,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


class Traffic:
    """About ``rate`` requests per second to one address, until it is left."""

    def __init__(self, address: str, rate: int = 100) -> None:
        self._address = urlsplit(address)
        self._pause = 1 / rate
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)

    def _run(self) -> None:
        with contextlib.closing(
            http.client.HTTPConnection(str(self._address.netloc), timeout=5)
        ) as connection:
            while not self._ended.wait(self._pause):
                try:
                    connection.request("GET", "/")
                    connection.getresponse().read()
                    self.sent += 1
                except (OSError, http.client.HTTPException):
                    connection.close()


class Installation:
    """Settings, state and policies in a folder of their own, in front of a ``Site``."""

    def __init__(self, folder: Path, site: Site | None = None) -> None:
        self.folder = folder
        self.site = site
        self.repository = Repository.create(folder / "policies.git")
        self.state = folder / "state"
        self.settings = folder / "rollout.toml"
        self.daemon: subprocess.Popen[str] | None = None
        admin = [proxy.admin for proxy in site.proxies] if site else ["127.0.0.1:1"]
        routes = site.routes if site else folder
        self.write(SETTINGS.format(url=self.repository.url, routes=routes, admin=json.dumps(admin)[1:-1]))

    def write(self, settings: str) -> None:
        self.settings.write_text(settings, encoding="utf-8")

    def commit(self, backend: str, *, bake: str = "60s") -> str:
        text = POLICY.format(backend=backend, bake=bake)
        return self.repository.commit({"policies/jazz.yaml": text}, f"jazz: {backend}")

    def run(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """One command."""
        return rollout(*arguments, cwd=self.folder, **more)

    def json(self, *arguments: str) -> Any:
        """What one command says in JSON."""
        done = self.run(*arguments, "-o", "json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start the daemon."""
        with (self.folder / "daemon.log").open("a", encoding="utf-8") as log:
            self.daemon = subprocess.Popen(
                [str(SCRIPT), "run", *arguments],
                cwd=self.folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
            )

    def stop(self, *, kill: bool = False) -> None:
        """End the daemon, if it runs."""
        if self.daemon is not None:
            self.daemon.kill() if kill else self.daemon.terminate()
            self.daemon.wait(20)
            self.daemon = None

    def until(self, *states: str, seconds: float = 30, reason: str = "") -> Any:
        """Wait until the rollout is in one of these states (for that reason); its JSON."""
        until = time.monotonic() + seconds
        while True:
            done = self.run("get", "jazz", "-o", "json")
            found = json.loads(done.stdout)["rollout"] if done.returncode == 0 else {}
            if found.get("state") in states and reason in ("", found["reason"]):
                return found
            assert time.monotonic() < until, f"{found or done.stderr}\n{self.log}"
            time.sleep(0.1)

    @property
    def log(self) -> str:
        """What the daemon wrote."""
        return (self.folder / "daemon.log").read_text(encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
