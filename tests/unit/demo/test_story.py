"""What the demo reads in the daemon's journal."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from rollout.adapters.journals.reader import read_only
from rollout.adapters.journals.sqlite import SqliteJournal
from rollout.core.model import Decision, Order, Past, Revision, Route, State, Steady, Unadopted, Verb
from rollout.core.reason import Reason
from rollout.demo.story import Story
from rollout.ports import Record
from tests.fakes.clock import FakeClock

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PAST = Past(Revision("jazz-v1"), Route("envoy", "envoy", "jazz"), rejected=(Revision("jazz-v2"),))


def record(reason: Reason, state: State, seconds: int, **facts: str) -> Record:
    decision = Decision(state, reason, {"name": "prod/jazz", **facts})
    return Record("prod/jazz", NOW + timedelta(seconds=seconds), decision, noteworthy=True)


async def test_each_line_is_told_once_in_the_daemons_own_words(tmp_path: Path) -> None:
    """Decisions by their reasons, orders by who gave them; nothing while there is no journal."""
    story = Story(read_only(tmp_path))
    assert story.read() == []
    assert (story.sentence("prod/jazz"), story.stable("prod/jazz"), story.rejected("prod/jazz")) == (
        "",
        "",
        (),
    )
    journal, _ = SqliteJournal.open(tmp_path, FakeClock())
    await journal.record(record(Reason.MIXTURE, Unadopted(), 0, split="half and half"))
    assert [line.reason for line in story.read()] == [Reason.MIXTURE]
    assert story.stable("prod/jazz") == ""
    await journal.order("prod/jazz", Order(0, Verb.ADOPT, "ada", "it is v1", NOW + timedelta(seconds=1)))
    await journal.record(record(Reason.ADOPTED, Steady(PAST), 2, stable="jazz-v1"))
    assert [line.text for line in story.read()] == [
        "ada asked to adopt: it is v1",
        "jazz-v1 carries everything and is taken as stable",
    ]
    assert story.read() == []
    assert (story.stable("prod/jazz"), story.rejected("prod/jazz")) == ("jazz-v1", ("jazz-v2",))
    await journal.close()
