"""dj's log, as the demo counts it."""

from pathlib import Path

from rollout.demo.tape import Answer, Tape


def answer(came: float, backend: str = "metal-v2", status: int = 200) -> Answer:
    return Answer(came - 0.01, came, backend.partition("-")[0], backend, status)


def test_an_answer_survives_being_written_down() -> None:
    """What is read back is what was written, whoever signed it or nobody."""
    for one in (answer(1.25), Answer(1.0, 2.5, "jazz", "", 0)):
        assert Answer.parse(one.line()) == one


def test_503_and_silence_are_failures_and_404_is_not() -> None:
    """Failed is what a caller can do nothing with, as the daemon counts by default."""
    assert [answer(1, status=status).failed for status in (200, 404, 500, 503, 0)] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_each_answer_counts_once_however_often_the_log_is_read(tmp_path: Path) -> None:
    """A line that is still being written waits for its end, and is then counted whole."""
    path = tmp_path / "dj.answers"
    tape = Tape(path)
    tape.read()
    whole = answer(1.0).line() + answer(2.0, status=503).line()
    path.write_text(whole[:-5], encoding="utf-8")
    tape.read()
    tape.read()
    assert tape.of("metal", "metal-v2").requests == 1
    path.write_text(whole, encoding="utf-8")
    tape.read()
    counted = tape.of("metal", "metal-v2")
    assert (counted.requests, counted.failed, counted.first_failed, counted.last) == (2, 1, 2.0, 2.0)


def test_a_rollout_counts_from_its_commit(tmp_path: Path) -> None:
    """What was asked for before the restart is of another rollout; the other service goes on counting."""
    path = tmp_path / "dj.answers"
    lines = [answer(1.0, "jazz-v1"), answer(1.0, "metal-v1", 503), answer(9.0, "metal-v1")]
    path.write_text("".join(one.line() for one in lines), encoding="utf-8")
    tape = Tape(path)
    tape.restart("metal", 5.0)
    with path.open("a", encoding="utf-8") as log:
        log.write(answer(4.0, "metal-v1", 503).line() + answer(6.0, "metal-v1").line())
    tape.read()
    assert (tape.total("metal").requests, tape.total("metal").failed) == (1, 0)
    assert tape.total("jazz").requests == 1


def test_the_first_failure_is_the_earliest_whatever_the_order_of_the_lines(tmp_path: Path) -> None:
    """A slow answer may be written after a quick one that came later."""
    path = tmp_path / "dj.answers"
    path.write_text(answer(5.0, status=503).line() + answer(4.0, status=503).line(), encoding="utf-8")
    tape = Tape(path)
    tape.read()
    assert tape.of("metal", "metal-v2").first_failed == 4.0
    assert tape.of("metal", "metal-v2").last == 5.0
