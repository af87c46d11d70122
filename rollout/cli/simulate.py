"""`rollout simulate`: what a policy will do, before git has it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rollout.cli import layout, outputs, terminal
from rollout.cli.assumptions import ERRORS, FAULT, FROM, LATENCY, TRAFFIC
from rollout.cli.commands import command as declare
from rollout.cli.commands import wishes
from rollout.cli.exits import OK, USAGE, Ends
from rollout.cli.lint import policies_in
from rollout.core.model import Latency, Policy, Query, percent
from rollout.core.words import counted, span

if TYPE_CHECKING:
    from rollout.simulation.journey import Journey
    from rollout.simulation.runs import Forecast, Share
    from rollout.simulation.scene import Fault, Scene, When


@declare("""
rollout simulate policies/prod/jazz.yaml
rollout simulate policies/ --traffic 200/s --errors stable=0.1%,canary=2% --from step:2
rollout simulate policies/ --fault blind:15m --fault restart:30s@step:2
rollout simulate policies/ --runs 1000 --seed 7 -o json
""")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="POLICY...")
@click.option("--traffic", type=TRAFFIC, default="100/s", help="Requests of both versions. Default: 100/s.")
@click.option(
    "--errors",
    type=ERRORS,
    default="stable=0.1%",
    help="What fails: stable=0.1%,canary=2%. Default: 0.1 % of both.",
)
@click.option(
    "--latency",
    type=LATENCY,
    default="stable=60ms",
    help="In what time half of the answers come: stable=60ms,canary=+200ms. Default: 60 ms of both.",
)
@click.option(
    "--from", "since", type=FROM, help="When the canary begins to be worse: step:2, 5m. Default: 0s."
)
@click.option(
    "--fault",
    "faults",
    type=FAULT,
    multiple=True,
    help="KIND:DURATION[@WHEN], repeatable; KIND is blind, mesh, endpoints, stable, restart, freeze or "
    "incident, WHEN is as in --from. Default: in the middle of the first step.",
)
@click.option("--runs", type=click.IntRange(1, 100_000), default=200, help="Default: 200.")
@click.option("--seed", type=int, default=1, help="The same seed, the same answer. Default: 1.")
@outputs.output_option
def command(  # noqa: PLR0913, PLR0917 - one for each option
    paths: tuple[Path, ...],
    traffic: float,
    errors: tuple[float, float],
    latency: tuple[float, float],
    since: When | None,
    faults: tuple[Fault, ...],
    runs: int,
    seed: int,
    output: str,
) -> int:
    """Say what policies will do: files, and every *.yaml below folders.

    Sends invented traffic through the true rules, many times, and says how often the canary is promoted or
    goes home, when, and what its failures cost. Nothing real is read or written.
    """
    from rollout.simulation.runs import forecast
    from rollout.simulation.scene import Scene, When

    policies = policies_in(paths, "simulate")
    scene = Scene(traffic, *errors, since or When(), faults, *latency)
    _check_steps(policies, scene)
    shown = terminal.out(wishes().color)
    rounds = len(policies) * runs * (1 if scene.is_no_worse else 2)
    hidden = not terminal.err(wishes().color).live
    with click.progressbar(
        length=rounds,
        label="simulating",
        file=sys.stderr,
        hidden=hidden,
        update_min_steps=max(1, rounds // 100),
    ) as bar:
        told = [forecast(policy, scene, runs, seed, lambda: bar.update(1)) for policy in policies]
    if output != outputs.TABLE:
        plain = [_plain(each) for each in told]
        outputs.write(shown, output, {"runs": runs, "seed": seed, **_assumed(scene), "policies": plain})
        return OK
    for number, each in enumerate(told):
        if number:
            shown.say()
        _show(shown, each, seed)
    shown.say()
    for line in layout.labelled(shown, [("try next", _next(told, runs))]):
        shown.say(line)
    return OK


def _check_steps(policies: tuple[Policy, ...], scene: Scene) -> None:
    """A step that no policy has would never be reached."""
    for when in (scene.since, *(fault.when for fault in scene.faults)):
        for policy in policies:
            if when and when.step is not None and not 1 <= when.step <= len(policy.steps):
                steps = counted(len(policy.steps), "step")
                raise Ends(USAGE, f"there is no step {when.step} in {policy.name}: it has {steps}")


def _show(shown: terminal.Terminal, told: Forecast, seed: int) -> None:
    from rollout.simulation.journey import Outcome

    typical = told.typical
    shown.say(shown.paint(told.policy.name, bold=True))
    _block(shown, "assumed", _premises(told, seed))
    shown.say()
    times = f"{typical.outcome.value}, as {_share(told.share(typical.outcome))} of the runs"
    _block(shown, f"a typical run: {times}", _timeline(typical))
    shown.say()
    rows = [(outcome.value, _ending(told, outcome)) for outcome in Outcome]
    mean, most = told.caused
    failed = f"{mean:.1f} requests a run that stable would have answered; {most:.0f} or more in 1 of 20 runs"
    alarm = f"{_interval(told.false_alarms)} are rolled back though the canary is no worse than stable"
    _block(
        shown,
        f"over {counted(len(told.journeys), 'run')}",
        [*rows, ("failed", failed), ("false alarm", alarm)],
    )


def _block(shown: terminal.Terminal, heading: str, rows: list[tuple[str, str]]) -> None:
    shown.say(shown.paint(heading, bold=True))
    for line in layout.labelled(shown, [(f"  {label}", text) for label, text in rows]):
        shown.say(line)


def _premises(told: Forecast, seed: int) -> list[tuple[str, str]]:
    from rollout.simulation.journey import starts

    policy, scene = told.policy, told.scene
    rate, unit = (scene.rate, "second") if scene.rate >= 1 else (60 * scene.rate, "minute")
    rows = [("traffic", f"{rate:g} requests a {unit}, both versions together")]
    rows.append(("errors", _errors(scene, policy.revision)))
    of = [check.of for check in policy.analysis.checks]
    if any(isinstance(each, Latency) for each in of):
        rows.append(("latency", _latency(scene, policy.revision)))
    if queries := sorted({each.name for each in of if isinstance(each, Query)}):
        rows.append(("queries", f"left out: nobody knows here what {', '.join(queries)} will count"))
    opens = ", as its first window opens" if policy.windows else ""
    rows.append(("start", f"{starts(policy):%A %H:%M} UTC{opens}; {policy.revision} is asked for"))
    for fault in scene.faults:
        when = _when(fault.begins(policy))
        rows.append(("fault", f"{fault.kind.value} for {span(fault.seconds)}, from when {when}"))
    if policy.observe:
        rows.append(("observe", "left out: the run is as it would be without it"))
    return [*rows, ("chance", f"seed {seed}")]


def _errors(scene: Scene, canary: object) -> str:
    stable = f"{100 * scene.stable:.3g} % of stable's requests"
    if scene.canary == scene.stable:
        return f"{stable} fail, and as many of {canary}'s"
    since = scene.since
    begins = f", from when {_when(since)}" if since.step or since.seconds else ""
    return f"{stable} fail, and {100 * scene.canary:.3g} % of {canary}'s{begins}"


def _latency(scene: Scene, canary: object) -> str:
    stable = f"half of stable's answers come within {scene.stable_median:g} ms"
    if scene.canary_median == scene.stable_median:
        return f"{stable}, and as many of {canary}'s"
    since = scene.since
    begins = f", from when {_when(since)}" if since.step or since.seconds else ""
    return f"{stable}, of {canary}'s within {scene.canary_median:g} ms{begins}"


def _when(when: When) -> str:
    after = span(when.seconds)
    if when.step is None:
        return f"{after} are over"
    return f"{after} of step {when.step} are over" if when.seconds else f"step {when.step} begins"


def _timeline(journey: Journey) -> list[tuple[str, str]]:
    return [(f"{span(line.at):>12}  {percent(line.weight):>7}", line.said) for line in journey.lines]


def _ending(told: Forecast, outcome: Any) -> str:
    times = told.times(outcome)
    text = _interval(told.share(outcome))
    if times is None:
        return text
    if round(times.p5) == round(times.p95):
        return f"{text}, after {span(times.median)}"
    return f"{text}, after {span(times.median)} (9 of 10: {span(times.p5)} to {span(times.p95)})"


def _share(share: Share) -> str:
    return f"{100 * share.count / share.runs:.3g} %"


def _interval(share: Share) -> str:
    return f"{_share(share)} (95 % sure: {100 * share.low:.2g} % to {100 * share.high:.3g} %)"


def _next(told: list[Forecast], runs: int) -> str:
    """What is worth asking next."""
    from rollout.simulation.journey import Outcome

    scene = told[0].scene
    stable, canary = 100 * scene.stable, 100 * scene.canary
    if any(each.share(Outcome.HELD).count for each in told):
        return "what holds it is in the last line of a run; -o json has the numbers"
    if scene.faults:
        return f"--runs {5 * runs}: narrower bounds"
    if any(2 * each.false_alarms.count > each.false_alarms.runs for each in told):
        return f"--traffic {100 * scene.rate:g}/s: is there too little to judge by?"
    if scene.is_no_worse:
        worse = f"stable={stable:g}%,canary={max(2.0, min(100.0, 20 * stable)):g}%"
        return f"--errors {worse} --from step:2: is a bad version seen, and what does it cost?"
    if canary <= stable or any(each.share(Outcome.PROMOTED).count for each in told):
        return "longer bakes, or --traffic with more requests: what is rare takes many to be seen"
    if canary > 8 * stable:
        return f"--errors stable={stable:g}%,canary={canary / 4:g}%: is a smaller fault seen, too?"
    return "--fault blind:15m: what if nothing can be measured for a while?"


def _assumed(scene: Scene) -> dict[str, Any]:
    faults = [
        {"kind": fault.kind.name.lower(), "seconds": fault.seconds, "when": _point(fault.when)}
        for fault in scene.faults
    ]
    errors = {"stable": scene.stable, "canary": scene.canary}
    latency = {"stable": scene.stable_median / 1000, "canary": scene.canary_median / 1000}
    return {
        "traffic": scene.rate,
        "errors": errors,
        "latency": latency,
        "from": _point(scene.since),
        "faults": faults,
    }


def _point(when: When | None) -> dict[str, Any] | None:
    return {"step": when.step, "seconds": when.seconds} if when else None


def _plain(told: Forecast) -> dict[str, Any]:
    from rollout.simulation.journey import Outcome, starts

    mean, most = told.caused
    return {
        "name": told.policy.name,
        "starts": starts(told.policy).isoformat(),
        "typical": {
            "outcome": told.typical.outcome.value,
            "seconds": round(told.typical.seconds, 3),
            "lines": list(_lines(told.typical)),
        },
        "outcomes": {outcome.value: _outcome(told, outcome) for outcome in Outcome},
        "failed": {"mean": round(mean, 3), "p95": round(most, 3)},
        "false_alarms": _bounds(told.false_alarms),
    }


def _lines(journey: Journey) -> Iterator[dict[str, Any]]:
    for line in journey.lines:
        yield {
            "seconds": round(line.at, 3),
            "weight": line.weight / 100,
            "reason": line.reason.name,
            "said": line.said,
        }


def _outcome(told: Forecast, outcome: Any) -> dict[str, Any]:
    times = told.times(outcome)
    plain = times and {
        "p5": round(times.p5, 3), "median": round(times.median, 3), "p95": round(times.p95, 3),
    }  # fmt: skip
    return {**_bounds(told.share(outcome)), "seconds": plain}


def _bounds(share: Share) -> dict[str, float]:
    return {
        "share": share.count / share.runs,
        "low": round(share.low, 6),
        "high": round(share.high, 6),
    }
