"""Where the daemon is reached on its own machine: what both ends of the control socket know."""

from __future__ import annotations

from pathlib import Path

FILE = "control.sock"
LONGEST = 107
"""Bytes that the kernel takes for the path of a unix socket."""

HEALTH, ORDERS, FREEZES, SOURCES = "/v1/health", "/v1/orders", "/v1/freezes", "/v1/sources"


def socket_of(state: Path) -> Path:
    """The control socket of a state directory."""
    return state / FILE
