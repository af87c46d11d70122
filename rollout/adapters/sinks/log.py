"""Alerts as lines of the daemon's log: the sink that needs nothing."""

from __future__ import annotations

import logging

from rollout.core.reason import Level
from rollout.ports import Alert

_LEVELS = {Level.EVENT: logging.INFO, Level.NOTIFY: logging.WARNING, Level.PAGE: logging.ERROR}

log = logging.getLogger("rollout.alerts")


class Log:
    """``ports.Sink``: one structured line for each alert."""

    async def deliver(self, alert: Alert) -> None:
        said = {
            "key": alert.key,
            "rollout": alert.rollout,
            "reason": alert.reason,
            "headline": alert.headline,
            "fields": dict(alert.fields),
            "next": alert.next,
        }
        log.log(_LEVELS[alert.level], "alert", extra=said)
