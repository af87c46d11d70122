"""What `rollout simulate` may be told to assume: traffic, errors, instants and faults, as people say them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from rollout.cli.durations import DURATION

if TYPE_CHECKING:
    from rollout.simulation.scene import Fault, When

_RATE = re.compile(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)(?:/([smh]))?")
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_TIME = re.compile(r"(\+?)([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s)")
_STEP = re.compile(r"step:([0-9]{1,3})")
_SECONDS = {"s": 1.0, None: 1.0, "m": 60.0, "h": 3600.0}
_FULL = 100.0


class _Traffic(click.ParamType[float]):
    name = "N/s"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Requests per second: ``200/s``, ``6000/m``, ``10/h``."""
        found = _RATE.fullmatch(str(value))
        rate = float(found[1]) / _SECONDS[found[2]] if found else 0.0
        if not rate:
            self.fail(f"{value} is no traffic (write 200/s, or 30/m)", param, ctx)
        return rate


class _Errors(click.ParamType[tuple[float, float]]):
    name = "SHARES"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Shares of (stable, canary), 0 to 1; a canary that is not named is as good as stable."""
        shares: dict[str, float] = {}
        for part in str(value).split(","):
            arm, _, share = part.strip().partition("=")
            found = _SHARE.fullmatch(share)
            if arm not in {"stable", "canary"} or not found or float(found[1]) > _FULL or arm in shares:
                self.fail(f"{part} is no share of errors (write stable=0.1%,canary=2%)", param, ctx)
            shares[arm] = float(found[1]) / _FULL
        stable = shares.get("stable", 0.001)
        return stable, shares.get("canary", stable)


class _Latency(click.ParamType[tuple[float, float]]):
    name = "TIMES"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Milliseconds in which half of (stable's, the canary's) answers come: ``canary=+200ms`` on top."""
        from rollout.simulation.latency import MEDIAN

        times: dict[str, tuple[str, float]] = {}
        for part in str(value).split(","):
            arm, _, time = part.strip().partition("=")
            found = _TIME.fullmatch(time)
            if arm not in {"stable", "canary"} or not found or arm in times or (found[1] and arm == "stable"):
                self.fail(f"{part} is no latency (write stable=60ms,canary=+200ms)", param, ctx)
            times[arm] = found[1], float(found[2]) * (1000.0 if found[3] == "s" else 1.0)
        _, stable = times.get("stable", ("", MEDIAN))
        more, canary = times.get("canary", ("", stable))
        canary += stable if more else 0.0
        if not (stable and canary):
            self.fail("no answer comes at once (write stable=60ms)", param, ctx)
        return stable, canary


class _From(click.ParamType["When"]):
    name = "WHEN"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> When:
        """``step:2`` or a duration since the start."""
        from rollout.simulation.scene import When

        if found := _STEP.fullmatch(str(value)):
            return When(step=int(found[1]))
        return When(DURATION.convert(value, param, ctx))


class _Fault(click.ParamType["Fault"]):
    name = "FAULT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fault:
        """``blind:5m`` or ``blind:5m@step:2``."""
        from rollout.simulation.scene import Fault, Kind

        what, at, when = str(value).partition("@")
        kind, _, lasting = what.partition(":")
        if kind.upper() not in Kind.__members__ or not lasting:
            kinds = ", ".join(each.name.lower() for each in Kind)
            self.fail(f"{value} is no fault (write KIND:DURATION, as blind:5m; KIND is {kinds})", param, ctx)
        seconds = DURATION.convert(lasting, param, ctx)
        return Fault(Kind[kind.upper()], seconds, FROM.convert(when, param, ctx) if at else None)


TRAFFIC, ERRORS, LATENCY, FROM, FAULT = _Traffic(), _Errors(), _Latency(), _From(), _Fault()
