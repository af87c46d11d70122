"""Durations on the command line, written as in a policy."""

from __future__ import annotations

from typing import Any

import click

from rollout.policy.complaint import Fault
from rollout.policy.scalars import lasting

_YEAR = 366 * 86_400.0


class Duration(click.ParamType[float]):
    """``90s``, ``30m``, ``1h30m``; a bare number is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return lasting(0.1, _YEAR)(f"{value}s" if str(value).isdigit() else value)
        except Fault as fault:
            self.fail(f"{fault.what.replace('{raw}', str(value))} ({fault.instead})", param, ctx)


DURATION = Duration()
