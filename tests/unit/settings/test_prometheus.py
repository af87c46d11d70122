"""What may be said of a Prometheus, and what is refused with where and what to write instead."""

from pathlib import Path

import pytest

from rollout.settings import Gauge, PrometheusMetrics, Ratio, Reference, Settings
from rollout.settings.limits import limits
from rollout.settings.load import SettingsError, parse

LEAST = """
state = "/var/lib/rollout"
[sources.main]
url = "https://example.com/policies"
[meshes.envoy]
kind = "envoy"
directory = "/etc/envoy"
admin = ["127.0.0.1:9901"]
[metrics.p8s]
kind = "prometheus"
"""


def read(*lines: str) -> Settings:
    """The settings with these lines under `[metrics.p8s]`."""
    return parse(LEAST + "\n".join(lines), "rollout.toml", Path("/etc"))


def test_everything_that_can_be_said():
    lines = [
        'url = "https://p/x/"',
        'interval = "30s"',
        'match = \'job="e",x!~"y"\'',
        'label = "cluster_name"',
    ]
    settings = read(*lines, 'token = { env = "T" }')
    wanted = PrometheusMetrics(
        "p8s", "https://p/x", 30.0, 'job="e",x!~"y"', "cluster_name", Reference(env="T")
    )
    assert wanted in settings.metrics
    assert settings.least_look("p8s") == 30.0
    assert settings.least_look("envoy") == 1.0


def test_queries_are_named():
    """Selectors are made ready for one more matcher; policies are held to what each is."""
    settings = read(
        'url = "https://p"',
        "[metrics.p8s.queries]",
        "payments = { bad = 'p_total{state=\"bad\", shop!=\"}\"}', total = 'p_total', label = 'version' }",
        "queue = { gauge = 'job:queue_length{ }' }",
    )
    [source] = [source for source in settings.metrics if isinstance(source, PrometheusMetrics)]
    assert source.queries == (
        Ratio("payments", 'p_total{state="bad", shop!="}",', "p_total{", "version"),
        Gauge("queue", "job:queue_length{"),
    )
    assert limits(settings).queries == {"p8s": {"payments": False, "queue": True}, "envoy": {}}


QUERIES = 'url = "http://p8s"\n[metrics.p8s.queries]\n'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (QUERIES + "q = 'up'", "q is text, wants a table"),
        (QUERIES + "q = {}", "q is neither two counters nor a gauge"),
        (QUERIES + "q = { bad = 'x' }", "q is neither two counters nor a gauge"),
        (QUERIES + "q = { bad = 'x', total = 'y', gauge = 'z' }", "q is neither two counters nor a gauge"),
        (QUERIES + "q = { bad = 'x', totl = 'y' }", "q says `totl`"),
        (QUERIES + "q = { gauge = 7 }", "is a number"),
        (QUERIES + "q = { gauge = 'sum(x)' }", "is no selector of series"),
        (QUERIES + "q = { gauge = 'x or y' }", "is no selector of series"),
        (QUERIES + "q = { gauge = 'x[5m]' }", "is no selector of series"),
        (QUERIES + "q = { gauge = 'x{a=\"b\"} or y{' }", "is no selector of series"),
        (QUERIES + "q = { gauge = 'x', label = 'a b' }", "is no label's name"),
        (QUERIES + "'q q' = { gauge = 'x' }", "is no name"),
        ('url = "http://p8s"\nqueries = "up"', "wants a table of queries"),
        ('url = "p8s:9090"', "is no server's address"),
        ('url = "http://me:secret@p8s"', "holds a name or password"),
        ('url = "http://p8s/?q=1"', "is no server's address"),
        ('url = "http://p8s"\nmatch = "job=envoy"', "is no list of PromQL's matchers"),
        ('url = "http://p8s"\nmatch = \'a="b"} or vector(1)\'', "is no list of PromQL's matchers"),
        ('url = "http://p8s"\nlabel = "envoy.cluster"', "is no label's name"),
        ('url = "http://p8s"\ninterval = "1ms"', "metrics.p8s.interval"),
        ('url = "http://p8s"\ntoken = { env = "T" }', "it would go by http"),
        ('interval = "5s"', "metrics.p8s.url is missing"),
    ],
)
def test_what_is_refused(line: str, words: str):
    with pytest.raises(SettingsError) as refused:
        read(line)
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)
