"""The log: one event a line, in JSON for machines, in words on a terminal. Names of fields are stable."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """``{"at", "level", "event", ...}``: the event's own fields as they were given."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.fields(record), default=str)

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Everything that is said of an event."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"at": at, "level": record.levelname.lower(), "event": record.getMessage(), **_extra(record)}
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return fields


class Words(Lines):
    """``09:02:11 rollout.decided name=...``."""

    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        at, level, event = fields.pop("at")[11:19], fields.pop("level"), fields.pop("event")
        trace = fields.pop("trace", "")
        loud = f"{level}: " if record.levelno >= logging.WARNING else ""
        told = " ".join(f"{key}={json.dumps(value, default=str)}" for key, value in fields.items() if value)
        return "\n".join(filter(None, (f"{at} {loud}{event} {told}".rstrip(), trace)))


def begin(level: int = logging.INFO) -> None:
    """Write our events from ``level`` on, and others' warnings, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Words() if sys.stderr.isatty() else Lines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("rollout").setLevel(level)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _OWN}
