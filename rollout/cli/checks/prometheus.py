"""Prometheus: does it answer, and does it scrape the proxies as often as the settings say?"""

from __future__ import annotations

import asyncio

from rollout.adapters.clock import SystemClock
from rollout.adapters.envoy_admin import Silent
from rollout.cli.checks import Finding, bad, good, odd
from rollout.settings import PrometheusMetrics

SCRAPES = 20
"""So many are looked at to find out how often there is one."""


async def metrics(settings: PrometheusMetrics) -> list[Finding]:
    """Ask for the proxies' uptimes."""
    return await asyncio.to_thread(_metrics, settings)


def _metrics(settings: PrometheusMetrics) -> list[Finding]:
    from rollout.adapters.prometheus_api import Api  # heavy, and most have none

    about = f"metrics {settings.name}"
    api = Api(settings.url, settings.token, SystemClock().monotonic)
    try:
        window = round(SCRAPES * settings.interval) + 1
        found = api.query(f"envoy_server_uptime{{{settings.match}}}[{window}s]").result
    except Silent as silence:
        return [bad(about, str(silence), f"is Prometheus at {settings.url}?")]
    finally:
        api.close()
    if not found:
        return [bad(about, "has no envoy_server_uptime", "let it scrape /stats/prometheus, or mend `match`")]
    scrapes = [len(series["values"]) for series in found]
    if min(scrapes) * 2 < SCRAPES:
        return [
            odd(
                about,
                f"{len(found)} proxies, scraped {min(scrapes)} times in {window} s",
                "set `interval` to its scrape_interval, unless a proxy just began",
            )
        ]
    return [good(about, f"{len(found)} proxies are scraped")]
