"""What was recorded and what was shown, in which order: a program that looks, writes down, and no more.

``python -m tests.e2e.kill.witness WHAT``, where ``WHAT`` is JSON: the ``journal``, the ``routes`` folder, the
names of the ``services``, the ``admins`` of the proxies, the ``log`` to write. It ends with its input.

It looks in rounds: first the journal's new history, then each route file, then each proxy. So what a file
shows for the first time in a round was written after the journal of the round before was read, and whatever
was recorded before that write is in the journal of the next round. No clock has to be trusted for that.
"""

from __future__ import annotations

import http.client
import json
import select
import sqlite3
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import yaml

from rollout.adapters.journals import schema

FULL = 10_000
PAUSE = 0.008
"""Seconds between two rounds."""
FILE = "file"
DUMP = "/config_dump?resource=dynamic_route_configs"
"""Where a proxy says what it routes by."""

Shares = Mapping[str, int]
"""Out of 10 000 by backend, without zeros."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the journal's history, and the first round whose journal had it."""

    at: float
    round: int
    id: int
    rollout: str
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A split that a file (``where`` is ``file``) or a proxy (its admin address) shows from this round on.

    ``version`` is the file's, the text that stands in it.
    """

    at: float
    round: int
    where: str
    service: str
    shares: Shares
    version: str = ""


def read(log: Path) -> tuple[list[Entry], list[Shown], int]:
    """What a witness wrote down: entries, splits, and how many rounds it made."""
    entries, shown, rounds = [], [], 0
    for line in log.read_text(encoding="utf-8").splitlines():
        match json.loads(line):
            case {"said": _} as entry:
                entries.append(Entry(**entry))
            case {"where": _} as one:
                shown.append(Shown(**one))
            case {"rounds": int(count)}:
                rounds = count
    return entries, shown, rounds


def of_file(text: bytes) -> tuple[Shares, str]:
    """The split in a route file, and its ``version_info``."""
    held = yaml.load(text, yaml.CSafeLoader)
    return shares(held["resources"][0]), held.get("version_info", "")


def of_dump(dump: str | bytes) -> dict[str, Shares]:
    """The splits that a proxy's ``config_dump`` shows, by service."""
    found = [each["route_config"] for each in json.loads(dump).get("configs", [])]
    return {configuration["name"]: shares(configuration) for configuration in found}


def shares(configuration: Mapping[str, Any]) -> Shares:
    """The split of a RouteConfiguration with one route, in Envoy's own words."""
    [route] = configuration["virtual_hosts"][0]["routes"]
    clusters = route["route"].get("weighted_clusters", {}).get("clusters", [])
    weights = {each["name"]: each.get("weight", 0) for each in clusters} or {route["route"]["cluster"]: 1}
    total = sum(weights.values())
    return {name: weight * FULL // total for name, weight in sorted(weights.items()) if weight}


class Witness:
    """Looks, and writes down what has changed."""

    def __init__(self, what: Mapping[str, Any], log: TextIO) -> None:
        self._journal = Path(what["journal"])
        self._files = {name: Path(what["routes"]) / f"{name}.yaml" for name in what["services"]}
        self._proxies = {admin: http.client.HTTPConnection(admin, timeout=5) for admin in what["admins"]}
        self._log = log
        self._newest = 0
        self._raw: dict[str, bytes] = {}
        self._last: dict[tuple[str, str], Shares] = {}
        self._round = 0

    def look(self) -> None:
        """One round: the journal, the files, the proxies."""
        self._round += 1
        for number, rollout, entry in self._history():
            self._write(id=number, rollout=rollout, said=json.loads(entry))
        for name, path in self._files.items():
            raw = path.read_bytes()
            if raw != self._raw.get(name):
                self._raw[name] = raw
                found, version = of_file(raw)
                # Every new text is told, also one with the same weights: no write is needed for that.
                self._write(where=FILE, service=name, shares=found, version=version)
        for admin, proxy in self._proxies.items():
            proxy.request("GET", DUMP)
            for name, found in of_dump(proxy.getresponse().read()).items():
                if self._last.get((admin, name)) != found:
                    self._last[admin, name] = found
                    self._write(where=admin, service=name, shares=found)
        self._log.flush()

    def close(self) -> None:
        """Say how often it looked."""
        self._log.write(json.dumps({"rounds": self._round}) + "\n")

    def _write(self, **what: Any) -> None:
        self._log.write(json.dumps({"at": time.monotonic(), "round": self._round, **what}) + "\n")

    def _history(self) -> list[tuple[int, str, str]]:
        """The lines since the last round. Opened and closed each time: a daemon that comes back from a kill
        shall find the file as the dead one left it, and mend it alone.
        """
        while True:
            try:
                with closing(schema.connect(self._journal, mode="ro")) as connection:
                    query = "SELECT id, rollout, entry FROM history WHERE id > ? ORDER BY id"
                    found = connection.execute(query, (self._newest,)).fetchall()
            except sqlite3.OperationalError:
                time.sleep(PAUSE)  # not there yet, or just being mended
                continue
            self._newest = found[-1][0] if found else self._newest
            return found


def main() -> None:
    """Look until the input ends."""
    what = json.loads(sys.argv[1])
    with Path(what["log"]).open("w", encoding="utf-8") as log:
        witness = Witness(what, log)
        while not select.select([sys.stdin], [], [], PAUSE)[0]:
            witness.look()
        witness.look()
        witness.close()


if __name__ == "__main__":
    main()
