"""What no file shows by itself: two policies that want one thing."""

from dataclasses import replace

from rollout.core.model import Origin, Policy, Revision, Route, Step, Weight
from rollout.policy.conflicts import conflicts
from rollout.policy.lint import lint
from tests.unit.policy.test_parse import JAZZ

ONE = Policy(
    "prod/jazz",
    Route("envoy", "envoy", "jazz"),
    Revision("jazz-v2"),
    (Step(Weight(10_000), 60.0),),
    origin=Origin(source="a", path="jazz.yaml", line=3),
)


def test_p5_two_policies_for_one_route_are_both_refused():
    """P5: each is complained about, each complaint names the other's place, and order decides nothing."""
    other = replace(ONE, name="prod/metal", origin=Origin(source="a", path="metal.yaml", line=7))
    said = conflicts([ONE, other])
    assert [str(complaint) for complaint in said] == [
        f"{here}: RP081 route `envoy jazz` is also claimed by `{by}` at {there} (let one policy move a route)"
        for here, by, there in [
            ("jazz.yaml:3:1", "prod/metal", "metal.yaml:7"),
            ("metal.yaml:7:1", "prod/jazz", "jazz.yaml:3"),
        ]
    ]
    assert conflicts([other, ONE]) == said


def test_p5_two_policies_of_one_name_are_both_refused():
    """P5: also when they come from different repositories, which are then named."""
    other = replace(ONE, route=Route("envoy", "envoy", "metal"), origin=Origin(source="b", path="x.yaml"))
    assert [(each.path, each.code) for each in conflicts([ONE, other])] == [
        ("jazz.yaml", "RP080"),
        ("x.yaml", "RP080"),
    ]
    assert "at x.yaml:1 of source b" in conflicts([ONE, other])[0].what


def test_policies_that_share_nothing_are_left_alone():
    assert conflicts([]) == []
    other = replace(ONE, name="prod/metal", route=Route("envoy", "edge", "jazz"))
    assert conflicts([ONE, other]) == []


def test_lint_sees_each_file_and_what_is_between_them():
    """All complaints of all files come in order of path and line; other people's files are silent."""
    said = lint(
        {
            "b.yaml": JAZZ.encode(),
            "a.yaml": JAZZ.encode(),
            "c.yaml": JAZZ.replace("weight: 10,", "weight: 0,").encode(),
            "d.yaml": b"other: people\n",
        }
    )
    assert [(each.path, each.line, each.code) for each in said] == [
        *(("a.yaml", 1, "RP080"), ("a.yaml", 1, "RP081"), ("b.yaml", 1, "RP080"), ("b.yaml", 1, "RP081")),
        ("c.yaml", 7, "RP040"),
    ]
