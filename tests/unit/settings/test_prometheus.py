"""What may be said of a Prometheus, and what is refused with where and what to write instead."""

from pathlib import Path

import pytest

from rollout.settings import PrometheusMetrics, Reference, Settings
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


@pytest.mark.parametrize(
    ("line", "words"),
    [
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
