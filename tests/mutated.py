"""``python -m tests.mutated --number 1000000``: answers with something wrong are silence, or right.

True answers of Envoy and Prometheus, with latency, calls, connections and named queries in them, are cut, get
bytes changed, pieces left out, and values replaced by others. Whatever comes of it, the readers raise nothing
but ``Silent``, and what they believe is what another reader finds in the same bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import orjson

from rollout.adapters.envoy_admin import Silent
from rollout.adapters.envoy_counters import ASKED, UPTIME, sample_of
from rollout.adapters.metrics.envoy import inquire, told
from rollout.adapters.metrics.prometheus import counters
from rollout.adapters.prometheus_api import Answer, warnings_of
from rollout.adapters.prometheus_queries import seen
from rollout.core.model import GaugeSeen, RatioSeen, Series
from rollout.ports import Question
from rollout.settings import Gauge, PrometheusMetrics, Ratio

BACKENDS = "jazz-v1", "jazz-v2"
QUESTION = Question(BACKENDS, ("429", "5xx", "grpc", "tcp"), latency=True)
INQUIRY = inquire(BACKENDS, QUESTION.codes, latency=True)
BOUNDS = (0.5, 5, 25, 100, 250.0, 1000, 60000, 3e5, 3600000)
AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
SETTINGS = PrometheusMetrics("p8s", "http://127.0.0.1:1", 5.0)
RATIO, GAUGE = Ratio("payments", "bad{", "all{", "version"), Gauge("queue", "queue{", "version")
KEYS = (*ASKED, "upstream_rq_429", "grpc.success", "grpc.failure", "upstream_cx_connect_fail")
ODD: tuple[Any, ...] = (
    None,
    -1,
    0.5,
    "x",
    "",
    [],
    {},
    True,
    1e25,
    "NaN",
    "-1",
    "1e400",
    "0.5",
    [[]],
    {"name": 1},
    2**70,
)
"""What may stand where something else stood."""


# --- true answers --------------------------------------------------------------------------------


def envoy(chance: random.Random) -> bytes:
    """As the admin interface answers."""
    stats: list[Any] = [{"name": UPTIME, "value": 100}]
    histograms = []
    for backend in BACKENDS:
        counts = [chance.randrange(1, 1000) for _ in KEYS]
        named = zip(KEYS, counts, strict=True)
        stats += [{"name": f"cluster.{backend}.{key}", "value": count} for key, count in named]
        upto = sorted(chance.randrange(1000) for _ in BOUNDS)
        pairs = zip(BOUNDS, upto, strict=True)
        buckets = [{"upper_bound": bound, "interval": 1, "cumulative": count} for bound, count in pairs]
        histograms.append({"name": f"cluster.{backend}.upstream_rq_time", "buckets": buckets})
    return orjson.dumps({"stats": [*stats, {"histograms": histograms}]})


def prometheus(chance: random.Random) -> bytes:
    """As the server answers the one query about Envoy's counters."""
    rows = [_row("envoy_server_uptime", 100)]
    for backend in BACKENDS:
        rows += [
            _row(f"envoy_cluster_{name}", chance.randrange(1000), envoy_cluster_name=backend)
            for name in ("membership_total", "upstream_rq_total", "grpc_success", "grpc_failure")
        ]
        for kind in "2345":
            labels = {"envoy_cluster_name": backend, "envoy_response_code_class": kind}
            rows.append(_row("envoy_cluster_upstream_rq_xx", chance.randrange(1000), **labels))
        upto = sorted(chance.randrange(999) for _ in range(len(BOUNDS) + 1))
        for bound, count in zip((*BOUNDS, math.inf), upto, strict=True):
            le = "+Inf" if bound == math.inf else f"{bound:g}"
            rows.append(
                _row("envoy_cluster_upstream_rq_time_bucket", count, envoy_cluster_name=backend, le=le)
            )
    return _matrix(rows)


def named(chance: random.Random) -> bytes:
    """As the server answers a selector of the operator's."""
    return _matrix([
        _row("", chance.randrange(900, 999), instance=pod, version=backend)
        for backend in BACKENDS
        for pod in ("pod-1", "pod-2")
    ])  # fmt: skip


def _row(name: str, value: int, **labels: str) -> dict[str, Any]:
    at = AT.timestamp()
    metric = {"instance": "a:9901", **labels} | ({"__name__": name} if name else {})
    return {"metric": metric, "values": [[at - 6, str(value // 2)], [at - 1, str(value)]]}


def _matrix(rows: list[dict[str, Any]]) -> bytes:
    return orjson.dumps({"status": "success", "data": {"resultType": "matrix", "result": rows}})


# --- what is done to them ------------------------------------------------------------------------


def mutilated(chance: random.Random, answer: bytes) -> bytes:
    """With something wrong: cut, bytes changed, a piece left out, or one to three values of another kind."""
    kind = chance.randrange(8)
    if kind == 0:
        return answer[: chance.randrange(len(answer))]
    if kind == 1:
        raw = bytearray(answer)
        for _ in range(chance.randint(1, 3)):
            raw[chance.randrange(len(raw))] = chance.choice(b'0123456789.-eE",:[]{}naN\x00\xff')
        return bytes(raw)
    if kind == 2:
        start = chance.randrange(len(answer))
        return answer[:start] + answer[start + chance.randint(1, 30) :]
    thing = orjson.loads(answer)
    for _ in range(chance.randint(1, 3)):
        _spoil(chance, thing)
    return json.dumps(thing).encode()


def _spoil(chance: random.Random, thing: Any) -> None:
    """Somewhere below, however deep, something else, nothing, or the same twice."""
    node: Any = thing
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.9:
            node = node[key]
            continue
        deed = chance.randrange(4)
        if deed == 0:
            del node[key]
        elif deed == 1 and isinstance(node, list):
            node.append(copy.deepcopy(node[key]))
        else:
            node[key] = copy.deepcopy(chance.choice(ODD))
        return


# --- what comes of it ----------------------------------------------------------------------------


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**64


def read_envoy(body: bytes) -> str:
    """``silent`` or ``believed``; anything else is raised."""
    try:
        series, _ = sample_of("edge", told(body, INQUIRY), QUESTION)
    except Silent:
        return "silent"
    plain = json.loads(body)["stats"]
    histograms = plain.pop()["histograms"] if "histograms" in plain[-1] else []
    found = {stat["name"]: stat["value"] for stat in plain}
    assert len(found) == len(plain)
    assert all(_is_count(value) for value in found.values())
    buckets = {each["name"]: each["buckets"] for each in histograms}
    for one in series:
        prefix = f"cluster.{one.backend}."
        sound(one)
        assert dict(one.codes)["429"] == found.get(f"{prefix}upstream_rq_429", 0) + found.get(
            f"{prefix}retry.upstream_rq_429", 0
        )
        if one.edges and one.edges != ((math.inf, 0),):
            raw = buckets[f"{prefix}upstream_rq_time"]
            assert [count for _, count in one.edges] == [each["cumulative"] for each in raw]
            assert [edge for edge, _ in one.edges][:-1] == [each["upper_bound"] for each in raw][:-1]
    return "believed"


def sound(one: Series) -> None:
    """Counts are counts, no more fail than are completed, and edges rise."""
    assert all(_is_count(count) for count in (one.started, one.completed, one.active))
    codes = dict(one.codes)
    assert all(_is_count(count) for count in codes.values())
    assert codes["5xx"] <= one.completed <= one.started
    bounds = [edge for edge, _ in one.edges]
    assert all(low < high for low, high in pairwise(bounds))
    assert not bounds or bounds[-1] == math.inf
    assert all(_is_count(count) for _, count in one.edges)


def answer_of(body: bytes) -> Answer:
    """What the client makes of a body."""
    warnings = warnings_of(body)
    try:
        result = json.loads(body)["data"]["result"]
    except (TypeError, LookupError, ValueError):
        raise Silent("answered JSON that is not Prometheus'") from None
    if not isinstance(result, list):
        raise Silent("answered JSON that is not Prometheus'")
    return Answer(result, warnings, AT)


def read_prometheus(body: bytes) -> str:
    """As ``read_envoy``."""
    try:
        found = counters(answer_of(body), 5.0, "envoy_cluster_name", AT)
        values = _newest(body)
        believed = False
        for proxy, answer in found.items():
            if isinstance(answer, Silent):
                continue
            series, _ = sample_of(proxy, answer, QUESTION)
            believed = True
            for one in series:
                sound(one)
                assert {float(count) for _, count in one.edges} <= values | {0.0}
            assert {float(count) for count in answer.counters.values()} <= values
    except Silent:
        return "silent"
    return "believed" if believed else "silent"


def read_named(body: bytes) -> str:
    """As ``read_envoy``; the answer is that of what is bad, of all of it, and of a gauge."""
    try:
        answer = answer_of(body)
        for one in seen(GAUGE, (answer,), BACKENDS, SETTINGS, AT):
            values = _newest(body)
            assert isinstance(one, GaugeSeen)
            assert math.isnan(one.value) or one.value in values
        for other in seen(RATIO, (answer, answer), BACKENDS, SETTINGS, AT):
            assert isinstance(other, RatioSeen)
            assert other.bad == other.total
            assert _is_count(other.total)
    except Silent:
        return "silent"
    return "believed"


def _newest(body: bytes) -> set[float]:
    """Every value of any sample."""
    found = set[float]()
    for row in json.loads(body)["data"]["result"]:
        for pair in row["values"] if isinstance(row["values"], list) else ():
            if isinstance(pair, list) and len(pair) > 1 and isinstance(pair[1], str):
                with contextlib.suppress(ValueError):
                    found.add(float(pair[1]))
    return found


READERS: Mapping[str, tuple[Callable[[random.Random], bytes], Callable[[bytes], str]]] = {
    "envoy": (envoy, read_envoy),
    "prometheus": (prometheus, read_prometheus),
    "named": (named, read_named),
}


def feed(number: int, seed: int) -> Counter[tuple[str, str]]:
    """So many mutilated answers, each kind in its turn: how many of each were silent, and how many believed.

    Raises:
        AssertionError: one was believed that should not have been; or whatever a reader raised.
    """
    chance, came = random.Random(seed), Counter[tuple[str, str]]()
    whole = {kind: make(chance) for kind, (make, _) in READERS.items()}
    for turn in range(number):
        kind = list(READERS)[turn % len(READERS)]
        make, read = READERS[kind]
        if turn % 300 < len(READERS):
            whole[kind] = make(chance)
            assert read(whole[kind]) == "believed"
        body = mutilated(chance, whole[kind])
        what = "broken by"
        try:
            what = read(body)
        finally:
            if what == "broken by":
                sys.stderr.write(f"{kind} {what} {body!r}\n")
        came[kind, what] += 1
    return came


def main() -> None:
    """Feed them, and say what came of it."""
    parser = argparse.ArgumentParser("python -m tests.mutated", description=__doc__)
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for (kind, what), count in sorted(feed(asked.number, asked.seed).items()):
        sys.stdout.write(f"{kind:12} {what:9} {count}\n")


if __name__ == "__main__":
    main()
