"""Answers of Envoy's admin interface, true and mutilated: a number is right or it is not there."""

from __future__ import annotations

import json
import random
from typing import Any

import orjson
import pytest

from rollout.adapters.envoy_admin import Silent, quote, stat_name
from rollout.adapters.envoy_counters import UPTIME, Told, sample_of
from rollout.adapters.meshes.envoy_proxies import ready_endpoints, routing
from rollout.adapters.meshes.unclear import Unclear
from rollout.adapters.metrics.envoy import LONGEST, host_counts, inquire, told
from rollout.core.model import Route, Series, Split
from rollout.ports import Question

CODES = ("5xx", "429")


INQUIRY = inquire(("jazz-v2",), CODES)
NAMES = INQUIRY.names


def counters(answer: bytes) -> Told:
    return told(answer, INQUIRY)


def series(
    proxy: str, backend: str, answer: Told, codes: tuple[str, ...], *, latency: bool = False
) -> Series | None:
    """One backend's series, or ``None`` where the proxy does not know it."""
    found, _ = sample_of(proxy, answer, Question((backend,), codes, latency))
    return found[0] if found else None


def body(stats: dict[str, Any]) -> bytes:
    return orjson.dumps({"stats": [{"name": name, "value": value} for name, value in stats.items()]})


def of(backend: str = "jazz-v2", **counts: int) -> dict[str, int]:
    """Statistics of one backend; ``retry__x`` is ``retry.x``."""
    named = {f"cluster.{backend}.{key.replace('__', '.')}": count for key, count in counts.items()}
    return {UPTIME: 12, f"cluster.{backend}.membership_total": 1, **named}


ERRORS = 31
BUSY = of(
    upstream_rq_total=130,
    upstream_rq_active=4,
    upstream_rq_2xx=90,
    upstream_rq_4xx=5,
    upstream_rq_429=2,
    upstream_rq_5xx=21,
    upstream_rq_retry=10,
    retry__upstream_rq_5xx=7,
    upstream_rq_timeout=3,
    upstream_rq_pending_failure_eject=2,
    upstream_cx_destroy_remote_with_active_rq=6,
)


def test_a_busy_backend_is_added_up():
    """Final answers, retried answers and retried attempts without an answer are attempts completed."""
    found = series("edge", "jazz-v2", counters(body(BUSY)), CODES)
    assert found is not None
    assert (found.completed, found.active, dict(found.codes)) == (126, 4, {"5xx": ERRORS, "429": 2})
    assert found.started == 132
    assert found.uptime == 12.0


def test_a_backend_that_was_never_used_is_zero():
    """E2: no counter was ever touched, the cluster is there: zeros."""
    found = series("edge", "jazz-v2", counters(body(of())), CODES)
    assert found is not None
    assert (found.started, found.completed, found.active, found.codes) == (0, 0, 0, (("5xx", 0), ("429", 0)))


def test_an_absent_error_counter_beside_requests_is_zero():
    """E2: requests were counted and no error ever: there were none."""
    found = series("edge", "jazz-v2", counters(body(of(upstream_rq_2xx=7, upstream_rq_total=7))), CODES)
    assert found is not None
    assert (found.completed, dict(found.codes)["5xx"]) == (7, 0)


def test_a_backend_that_is_not_there_has_no_series():
    """E2: a renamed or removed cluster is no data, not zero errors."""
    gone = {UPTIME: 12, "cluster.jazz-v2.upstream_rq_2xx": 100}
    assert series("edge", "jazz-v2", counters(body(gone)), CODES) is None


def test_breaks_after_good_headers_are_errors():
    """Bodies cut short were counted as 200: the connections that broke tell, but are not counted twice."""
    cut = of(upstream_rq_2xx=10, upstream_rq_total=10, upstream_cx_destroy_remote_with_active_rq=4)
    found = series("edge", "jazz-v2", counters(body(cut)), CODES)
    assert found is not None
    assert dict(found.codes)["5xx"] == 4
    both = cut | of(upstream_rq_5xx=3)
    found = series("edge", "jazz-v2", counters(body(both)), CODES)
    assert found is not None
    assert dict(found.codes)["5xx"] == 4


def test_errors_never_exceed_requests():
    """Counters are read one after the other while they move; still x <= n."""
    odd = of(upstream_rq_2xx=1, upstream_rq_timeout=5, upstream_rq_rx_reset=9)
    found = series("edge", "jazz-v2", counters(body(odd)), CODES)
    assert found is not None
    assert found.completed == dict(found.codes)["5xx"] == 1


BAD: dict[str, tuple[bytes, str]] = {
    "html": (b"<html><body>Sign in</body></html>", "HTML that is not JSON"),
    "nothing": (b"", "not JSON"),
    "truncated": (body(BUSY)[:-40], "not JSON"),
    "a list": (b"[]", "without a list of stats"),
    "null": (b"null", "without a list of stats"),
    "no list": (b'{"stats": {}}', "without a list of stats"),
    "other JSON": (b'{"error": "no"}', "without server.uptime"),
    "no stats": (b'{"stats": []}', "without server.uptime"),
    "a name alone": (b'{"stats": [{"name": "server.uptime"}]}', "without names or values"),
    "no name": (b'{"stats": [{"value": 1}]}', "without names or values"),
    "no object": (b'{"stats": [7]}', "without names or values"),
    "negative": (body(BUSY | of(upstream_rq_5xx=-1)), "upstream_rq_5xx without a count"),
    "a float": (body(BUSY | {"cluster.jazz-v2.upstream_rq_5xx": 0.5}), "upstream_rq_5xx without a count"),
    "a word": (body(BUSY | {"cluster.jazz-v2.upstream_rq_5xx": "0"}), "upstream_rq_5xx without a count"),
    "true": (body(BUSY | {"cluster.jazz-v2.upstream_rq_5xx": True}), "upstream_rq_5xx without a count"),
    "null count": (body(BUSY | {"cluster.jazz-v2.upstream_rq_5xx": None}), "upstream_rq_5xx without a count"),
    "NaN": (body(BUSY).replace(b":21}", b":NaN}"), "not JSON"),
    "infinity": (body(BUSY).replace(b":21}", b":1e999}"), "not JSON"),
    "not asked for": (body(BUSY | {"cluster.jazz-v2.upstream_rq_5yx": 1}), "which was not asked for"),
    "too big": (body(BUSY).replace(b":21}", b":99999999999999999999}"), "without a count"),
    "two values": (
        body(BUSY)[:-2] + b',{"name":"server.uptime","value":13}]}',
        "one statistic twice",
    ),
    "deep": (b"[" * 100_000, "not JSON"),
    "not UTF-8": (b'{"stats": [{"name": "\xff"}]}', "not JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_is_not_envoys_is_silence(name: str):
    """E3, R2: wrong in any way is silence with a reason, never a number."""
    answer, words = BAD[name]
    with pytest.raises(Silent, match=words):
        counters(answer)


def mutilated(chance: random.Random, answer: bytes) -> bytes:
    """The answer with one thing wrong: cut, bytes changed, or a value of another kind."""
    match chance.randrange(4):
        case 0:
            return answer[: chance.randrange(len(answer))]
        case 1:
            raw = bytearray(answer)
            for _ in range(chance.randint(1, 3)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            return bytes(raw)
        case 2:
            start = chance.randrange(len(answer))
            return answer[:start] + answer[start + chance.randint(1, 30) :]
        case _:
            thing = json.loads(answer)
            spoil(chance, thing)
            return orjson.dumps(thing)


def spoil(chance: random.Random, thing: Any) -> None:
    """Put something else in the place of one value, however deep."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    walk(thing)
    node, key = chance.choice(places)
    node[key] = chance.choice([None, -1, 0.5, "x", "", [], {}, True, 10**25 * 1.0, [[]], {"name": 1}])


def oracle(answer: bytes) -> int | None:
    """The errors of an answer by another reader: ``None`` where it must not be believed."""
    try:
        stats = json.loads(answer)["stats"]
        found = {stat["name"]: stat["value"] for stat in stats}
        sound = all(type(count) is int and 0 <= count < 1 << 64 for count in found.values())
        sound = sound and NAMES is not None and all(name in NAMES for name in found)
    except (ValueError, KeyError, TypeError):
        return None
    if not sound or len(found) != len(stats) or UPTIME not in found:
        return None
    prefix = "cluster.jazz-v2."
    return sum(int(found.get(prefix + key, 0)) for key in ("upstream_rq_5xx", "retry.upstream_rq_5xx"))


@pytest.mark.parametrize("seed", range(8))
def test_mutilated_counters_are_silence_or_right(seed: int):
    """E3: whatever is done to an answer, no other exception, and never fewer errors than it still says."""
    chance = random.Random(seed)
    answer = body(BUSY)
    read = 0
    for _ in range(2_000):
        bad = mutilated(chance, answer)
        try:
            found = series("edge", "jazz-v2", counters(bad), CODES)
        except Silent:
            continue
        expected = oracle(bad)
        if found is None or expected is None:
            assert found is None, bad
            continue
        read += 1
        assert dict(found.codes)["5xx"] >= min(expected, found.completed), bad
    assert read > 3, "the test must not be blind"


def dump(weights: dict[str, int]) -> bytes:
    clusters = [{"name": name, "weight": weight} for name, weight in weights.items()]
    route = {"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}
    hosts = [{"name": "jazz", "domains": ["*"], "routes": [route]}]
    return orjson.dumps(
        {"configs": [{"version_info": "7", "route_config": {"name": "jazz", "virtual_hosts": hosts}}]}
    )


CLUSTERS = orjson.dumps(
    {
        "cluster_statuses": [
            {
                "name": "jazz-v1",
                "host_statuses": [
                    {"health_status": {"eds_health_status": "HEALTHY"}},
                    {"health_status": {"eds_health_status": "HEALTHY", "failed_active_health_check": True}},
                    {"health_status": {"eds_health_status": "UNHEALTHY"}},
                    {"health_status": {"eds_health_status": "HEALTHY", "failed_outlier_check": True}},
                ],
            },
            {"name": "jazz-v2"},
        ]
    }
)


def test_a_dump_says_splits_and_version():
    route = Route("envoy", "edge", "jazz")
    assert routing(dump({"v1": 3, "v2": 1}), route) == ((Split.between("v1", "v2", 2_500),), "7")
    assert routing(dump({"v1": 3}), Route("envoy", "edge", "other")) == ((), "")
    assert routing(b"{}", route) == ((), "")


def test_only_healthy_hosts_are_ready():
    assert ready_endpoints(CLUSTERS) == {"jazz-v1": 1, "jazz-v2": 0}
    assert ready_endpoints(b"{}") == {}


@pytest.mark.parametrize("seed", range(4))
def test_mutilated_dumps_are_silence_or_right(seed: int):
    """E3 for the mesh: no other exception, whatever is done to a proxy's word."""
    chance = random.Random(seed)
    whole = dump({"v1": 3, "v2": 1})
    for _ in range(1_000):
        try:
            found, _ = routing(mutilated(chance, whole), Route("envoy", "edge", "jazz"))
            assert all(sum(weight for _, weight in split.shares) == 10_000 for split in found)
        except (Silent, Unclear):
            pass
        try:
            ready = ready_endpoints(mutilated(chance, CLUSTERS))
            assert all(count >= 0 for count in ready.values())
        except Silent:
            pass


def test_names_are_quoted_for_re2():
    """Every sign but letters, digits and underscores is taken literally."""
    assert quote("jazz-v1.a+b_C") == r"jazz\-v1\.a\+b_C"
    assert quote("☂") == "☂"
    assert stat_name("xds://a:b.c") == "xds_a_b.c"


def test_many_backends_still_make_a_short_address():
    """A batch that does not fit asks for all clusters instead of being refused by Envoy."""
    few = inquire(("a", "b"), CODES)
    many = inquire(tuple(f"service-{number}-v1" for number in range(5_000)), CODES)
    assert "a%7Cb" in few.path
    assert len(many.path) < LONGEST
    assert many.names is None
    assert told(body(BUSY), many).counters == BUSY


# --- hosts ---------------------------------------------------------------------------------------


def a_host(port: int, **stats: str) -> dict[str, Any]:
    told = [{"name": name, "value": value} if value else {"name": name} for name, value in stats.items()]
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}, "stats": told}


def test_the_counts_of_hosts_are_read():
    """Of each cluster and address; a counter without a value was never touched."""
    hosts = [a_host(1, rq_success="90", rq_error="10"), a_host(2, rq_success="", rq_total="7")]
    clusters = [{"name": "jazz-v1", "host_statuses": hosts}, {"name": "jazz-v2"}]
    found = host_counts(orjson.dumps({"cluster_statuses": clusters}))
    assert [list(counts.values()) for counts in found.values()] == [[(100, 10), (0, 0)], []]


@pytest.mark.parametrize(
    "clusters",
    [
        [{"host_statuses": []}],
        ["jazz-v1"],
        [{"name": "jazz-v1", "host_statuses": [{}]}],
        [{"name": "jazz-v1", "host_statuses": [7]}],
        [{"name": "jazz-v1", "host_statuses": [a_host(1, rq_error="many")]}],
        [{"name": "jazz-v1", "host_statuses": [a_host(1, rq_error="-1")]}],
    ],
)
def test_hosts_that_make_no_sense_are_silence(clusters):
    """No number of such an answer is believed."""
    with pytest.raises(Silent):
        host_counts(orjson.dumps({"cluster_statuses": clusters}))
