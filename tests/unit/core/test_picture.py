"""A journey's picture: whole, well-formed, nothing outside it, nothing unescaped, and it says why."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from rollout.core.model import Analysis, Judged, Limit, Unseen
from rollout.core.picture import POINTS, TITLE, draw
from rollout.core.reason import Reason
from rollout.core.testimony import kept
from tests.unit.core.world import STEPS, V1, V2, World, policy, steady

SVG = "{http://www.w3.org/2000/svg}"
BRIEF = tuple(replace(step, bake=10.0) for step in STEPS)
LONG = tuple(replace(step, bake=200.0) for step in STEPS)


def journey(failing: float, *, rate: float = 100.0, looks: int = 1_000, **asked: Any) -> list[Judged]:
    """Of a canary that fails so much from its first weight on."""
    world = World(policy(**asked), steady(), rate=rate, mesh_epoch=1, failing={V1: 0.01, V2: 0.01})
    record: list[Judged] = []
    for _ in range(looks):
        decision = world.look()
        record += [look for look in [kept(decision)] if look]
        if decision.reason is Reason.STARTED:
            world.failing[V2] = failing
        if decision.reason in (Reason.PROMOTED, Reason.ROLLED_BACK):
            break
    return record


SCENES = {
    "dead at once": journey(1.0, rate=2_000.0),
    "worse": journey(0.1),
    "promoted": journey(0.01, steps=BRIEF),
    "long": journey(0.01, steps=LONG),
    "one look": journey(0.0, looks=1),
    "under way": journey(0.0, looks=9),
    "limit": journey(0.3, analysis=Analysis(checks=(Limit(0.05),))),
    "slow": journey(0.0, rate=0.5, looks=200),
}


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 - our own text


def points(svg: str) -> list[tuple[float, float]]:
    """Every place that something is drawn at."""
    found: list[tuple[float, float]] = []
    for each in ET.fromstring(svg).iter():  # noqa: S314 - our own text
        at = each.attrib
        found += [(float(x), float(y)) for x, y in (pair.split(",") for pair in at.get("points", "").split())]
        found += [
            (float(at[x]), float(at[y]))
            for x, y in (("x1", "y1"), ("x2", "y2"), ("x", "y"), ("cx", "cy"))
            if x in at
        ]
    return found


@pytest.mark.parametrize("looks", SCENES.values(), ids=SCENES)
def test_everything_is_drawn_inside(looks: Sequence[Judged]):
    """Well-formed, no number that is none, nothing beyond the edges, not too many points."""
    svg = draw("prod/jazz", "jazz-v2", looks)
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert points(svg)
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points(svg))
    assert "nan" not in svg
    assert "inf" not in re.sub(r"<text.*?</text>", "", svg)
    assert max(each.attrib["points"].count(",") for each in root.iter(f"{SVG}polyline")) <= 4 * POINTS


@pytest.mark.parametrize("looks", SCENES.values(), ids=SCENES)
def test_no_label_stands_on_another(looks: Sequence[Judged]):
    """By the width that letters have at the most."""
    boxes = []
    for each in ET.fromstring(draw("prod/jazz", "jazz-v2", looks)).iter(f"{SVG}text"):  # noqa: S314
        size = float(re.findall(r"font-size:([\d.]+)px", each.attrib["style"])[0])
        wide = 0.56 * size * len(each.text or "")
        start = (
            float(each.attrib["x"])
            - {"start": 0.0, "middle": wide / 2, "end": wide}[each.attrib["text-anchor"]]
        )
        boxes.append((start, float(each.attrib["y"]), start + wide, size, each.text))
    for number, (start, y, end, size, said) in enumerate(boxes):
        assert start >= 0, said
        for other_start, other_y, other_end, other_size, other in boxes[number + 1 :]:
            apart = (
                end <= other_start or other_end <= start or abs(y - other_y) >= 0.75 * max(size, other_size)
            )
            assert apart, (said, other)


def test_it_says_why_a_canary_went_home():
    said = texts(draw("prod/jazz", "jazz-v2", SCENES["worse"]))
    assert said[0].startswith("prod/jazz: jazz-v2 rolled back at 12:0")
    assert said[0].endswith(": worse than stable")
    assert said[1].startswith("Canary failed ")
    assert said[2].startswith(
        "If the canary were not worse than 1.1x stable, evidence this strong would appear"
    )
    assert {"100 : 1", "above: goes home", "1.1x is allowed", "0 %"} <= set(said)
    assert any(each.startswith("sent home from ") for each in said)
    promoted = texts(draw("prod/jazz", "jazz-v2", SCENES["promoted"]))
    assert promoted[0].startswith("prod/jazz: jazz-v2 promoted at ")
    assert {"10 %", "50 %", "95 %", "100 %", "promoted"} <= set(promoted)


def test_what_an_error_free_run_could_not_show_is_said():
    said = texts(draw("prod/jazz", "jazz-v2", SCENES["under way"]))
    assert "would not have shown" in said[1]


def test_an_end_by_hand_is_told():
    ended = "aborted by ann: " + "500s in checkout " * 20
    said = texts(draw("prod/jazz", "jazz-v2", SCENES["under way"], ended=ended))
    assert said[0].startswith("prod/jazz: jazz-v2 aborted by ann: 500s in checkout")
    assert len(said[0]) <= TITLE


def test_nothing_is_unescaped():
    """Names and reasons are people's; they are text and nothing else."""
    nasty = "<script>&\"'\x00\ud800</script>"
    svg = draw(nasty, nasty, SCENES["one look"], ended=f"aborted by {nasty}")
    assert "<script" not in svg
    assert "\x00" not in svg
    assert svg.encode()
    assert texts(svg)[0].startswith("<script>&\"'??</script>")


def test_blind_looks_have_a_picture_too():
    """Looks in which nothing was counted leave their place empty."""
    world = World(policy(), steady(), mesh_epoch=1)
    looks = [look for look in map(kept, world.looks(10)) if look]
    world.metrics_gone = Unseen("away")
    looks += [look for look in map(kept, world.looks(30)) if look]
    assert draw("prod/jazz", "jazz-v2", looks)
    odd = [replace(look, odds=(), verdicts=(), fed=()) for look in looks]
    assert draw("prod/jazz", "jazz-v2", odd)


def test_both_papers_have_every_colour():
    """What is drawn in a class has a colour on light and on dark paper."""
    svg = draw("prod/jazz", "jazz-v2", SCENES["worse"])
    light, dark = svg.split("@media (prefers-color-scheme:dark)")
    used = set(re.findall(r'class="([fs]-\w+)"', svg))
    assert used
    assert all(f".{name}{{" in light for name in used)
    assert all(f".{name}{{" in dark for name in used)


def test_without_a_look_there_is_no_picture():
    with pytest.raises(ValueError, match="no picture"):
        draw("prod/jazz", "jazz-v2", ())
