"""Anybody's scenarios: every field is honoured, and what cannot be is said with its place and its cure."""

import json
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.judge.scenarios import QUIET, STEPS, Kind, Noise, Scenario
from bench.judge.suite import SuiteError, load

GOOD = {"id": "H1", "bad": True, "rate": 20, "base": 0.01, "canary": 0.2, "scrape_seconds": 5}


def written(folder: Path, *scenarios: object) -> Path:
    path = folder / "suite.json"
    path.write_text(json.dumps({"format": 1, "scenarios": scenarios}), encoding="utf-8")
    return path


def complaint(folder: Path, *scenarios: object) -> str:
    with pytest.raises(SuiteError) as error:
        load(written(folder, *scenarios))
    return str(error.value)


def test_what_is_left_out_is_the_published_suites(tmp_path: Path):
    """No onset, no noise, three steps."""
    (found,) = load(written(tmp_path, GOOD))
    assert found == Scenario("H1", True, 20.0, 0.01, 0.2, 5.0, 0.0, 0.0, STEPS, QUIET)


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        ({"kind": "none"}, QUIET),
        (
            {"kind": "incident", "level": 0.2, "seconds": 120, "start": 30},
            Noise(Kind.INCIDENT, (0.2, 120.0, 30.0, 30.0)),
        ),
        (
            {"kind": "incident", "level": 0.2, "seconds": 120, "start": [0, 60]},
            Noise(Kind.INCIDENT, (0.2, 120.0, 0.0, 60.0)),
        ),
        ({"kind": "arm_gamma", "cv": 0.5, "block_seconds": 30}, Noise(Kind.ARM_GAMMA, (0.5, 30.0))),
        ({"kind": "clumps", "mean_size": 5}, Noise(Kind.CLUMPS, (5.0,))),
        ({"kind": "missed", "missed": 0.2, "reset_per_second": 0.005}, Noise(Kind.MISSED, (0.2, 0.005))),
    ],
)
def test_every_noise_is_read(tmp_path: Path, noise: object, expected: Noise):
    """In the order in which the simulator takes it."""
    (found,) = load(written(tmp_path, {**GOOD, "noise": noise, "onset_seconds": 400}))
    assert found.noise == expected
    assert found.onset == 400.0


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([[10, 300], [50, 60], [100, 30]], ((0.1, 300.0), (0.5, 60.0), (1.0, 30.0))),
        ([[0.1, 300], [0.5, 60], [1, 30]], ((0.1, 300.0), (0.5, 60.0), (1.0, 30.0))),
        ([[1, 300], [100, 30]], ((0.01, 300.0), (1.0, 30.0))),
        ([[0.5, 300], [25, 30]], ((0.005, 300.0), (0.25, 30.0))),
        ([[100, 30]], ((1.0, 30.0),)),
    ],
)
def test_weights_are_per_cent_or_shares(tmp_path: Path, steps: object, expected: object):
    """Per cent as soon as one of them is above 1."""
    (found,) = load(written(tmp_path, {**GOOD, "steps": steps}))
    assert found.steps == expected


def test_a_healthy_canary_may_be_as_bad_as_the_margin_allows(tmp_path: Path):
    """1.1 times stable is declared harmless; more is a bad canary."""
    healthy = {"id": "N", "bad": False, "rate": 1, "base": 0.01, "scrape_seconds": 1}
    assert [scenario.canary for scenario in load(written(tmp_path, healthy))] == [0.01]
    assert [scenario.canary for scenario in load(written(tmp_path, {**healthy, "canary": 0.011}))] == [0.011]
    said = complaint(tmp_path, {**healthy, "canary": 0.02})
    assert (
        'scenarios[0] (N): "canary" is 0.02; leave it out, write at most 0.0111, or say "bad": true' in said
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate": -1}, '"rate" is -1; write a number above 0, at most 100000'),
        ({"rate": True}, '"rate" is true; write a number'),
        ({"rate": None}, '"rate" is missing; write a number'),
        ({"base": 2}, '"base" is 2; write a number a share'),
        ({"canary": 0.005}, '"canary" is 0.005; write a number above base, at most 1'),
        ({"scrape_seconds": 0.2}, '"scrape_seconds" is 0.2; write a number from 1'),
        (
            {"onset_seconds": 900},
            '"onset_seconds" is 900; write a number from 0 on, below 900, where',
        ),
        ({"bad": "yes"}, '"bad" is "yes"; write true or false'),
        ({"id": ""}, '"id" is ""; write a text'),
        ({"scrape": 5}, '"scrape" is unknown; did you mean "scrape_seconds"?'),
        ({"noise": "gamma"}, '"noise" is "gamma"; write {"kind": ...} with one of none, incident'),
        ({"noise": {"kind": "clumps"}}, '"noise.mean_size" is missing; write a number from 1'),
        ({"noise": {"kind": "none", "cv": 1}}, 'noise: "cv" is unknown; there are: kind'),
        (
            {"noise": {"kind": "incident", "level": 0.2, "seconds": 9, "start": [9, 3]}},
            '"noise.start" is [9, 3]; write seconds from 0 on, or [earliest, latest]',
        ),
        ({"steps": [[1, 300]]}, "weight 1 is 1 % or everything: write 0.01, or 100"),
        ({"steps": [[50, 300], [10, 300]]}, "weights must rise"),
        ({"steps": [[10, 0], [50, 300]]}, "seconds must be above 0"),
        ({"steps": [10, 50]}, "write [[weight, seconds], ...]"),
    ],
)
def test_a_bad_field_is_named_with_what_would_be_right(tmp_path: Path, changes: dict[str, object], said: str):
    """File, scenario, field, what stands there, and what to write."""
    text = complaint(tmp_path, GOOD, {**GOOD, "id": "H2", **changes})
    assert said in text
    assert text.startswith(f"{tmp_path / 'suite.json'}: scenarios[1]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1, column 1: not JSON"),
        ("{", "line 1, column 2: not JSON"),
        ("[]", "the whole is []; write"),
        ('{"format": 2, "scenarios": [1]}', '"format" is 2; this is read: 1'),
        ('{"format": 1, "scenarios": []}', '"scenarios" is []; write a list of at least one'),
        ('{"format": 1, "scenarios": [3]}', "scenarios[0]: this is 3; write an object"),
        ('{"format": 1, "format": 1}', '"format" is written twice'),
        ('{"format": 1, "scenarios": [{"rate": NaN}]}', "NaN is no number of JSON"),
        ("\xff", "byte 0 is not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_file_is_an_exit_code_of_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
):
    """Nothing is measured, nothing is printed as a figure."""
    path = tmp_path / "suite.json"
    path.write_bytes(text.encode("latin-1"))
    assert main(["judge", "--suite", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{path}: ")
    assert said in err


def test_every_complaint_is_made_at_once(tmp_path: Path):
    """And two scenarios may not have one name."""
    assert complaint(tmp_path, {**GOOD, "rate": 0, "scrape_seconds": -1}).count("\n") == 1
    assert '"H1" is the id of 2 scenarios; each needs its own' in complaint(tmp_path, GOOD, GOOD)


def test_a_missing_file_and_a_wrong_bench_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """With what to do instead."""
    assert main(["judge", "--suite", str(tmp_path / "none.json")]) == 2
    assert "cannot be read: No such file or directory" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["lint", "--suite", "x.json"])
    assert end.value.code == 2
    assert "python -m bench judge --suite FILE" in capsys.readouterr().err
