"""The log: one event a line, its own fields as they were given."""

import json
import logging
import sys

from rollout.cli.logs import Lines, Words


def record(level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("rollout", level, __file__, 1, "rollout.decided", (), None)
    made.created = 1_772_442_131.5
    vars(made).update(fields)
    return made


def test_for_machines_a_line_is_an_object():
    line = Lines().format(record(rollout="prod/jazz", weight=50))
    assert json.loads(line) == {
        "at": "2026-03-02T09:02:11.500+00:00",
        "level": "info",
        "event": "rollout.decided",
        "rollout": "prod/jazz",
        "weight": 50,
    }


def test_what_is_not_json_is_written_as_text():
    assert json.loads(Lines().format(record(path=sys)))["path"].startswith("<module")


def test_for_people_a_line_is_words():
    assert (
        Words().format(record(rollout="prod/jazz", splits=[]))
        == '09:02:11 rollout.decided rollout="prod/jazz"'
    )
    assert Words().format(record(logging.WARNING)) == "09:02:11 warning: rollout.decided"


def test_a_bug_keeps_its_traceback_in_the_line():
    """The daemon's one place that catches everything logs what it caught."""
    try:
        raise KeyError("x")  # noqa: TRY301 - to have one
    except KeyError:
        made = record(logging.ERROR, exc_info=sys.exc_info())
    assert "\n" not in Lines().format(made)
    assert "KeyError" in json.loads(Lines().format(made))["trace"]
    assert Words().format(made).splitlines()[-1] == "KeyError: 'x'"
