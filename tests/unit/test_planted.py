"""Each fault of tests/planted can be planted: what it changes is there, once, and what comes of it is Python.

Whether it is caught, ``make test`` says.
"""

import pytest

from tests.planted.mechanism import Fault
from tests.planted.rows import ROWS
from tests.planted.worlds import WORLDS
from tests.unit.test_faults_table import PAGE, rows_of

LEAST = 40


@pytest.mark.parametrize("fault", [*WORLDS, *ROWS], ids=lambda fault: fault.name)
def test_it_can_be_planted(fault: Fault):
    assert fault.text() != fault.path.read_text(encoding="utf-8")
    compile(fault.text(), str(fault.path), "exec", dont_inherit=True)


def test_each_has_a_name_of_its_own_and_says_what_shows_it():
    names = [fault.name for fault in (*WORLDS, *ROWS)]
    assert sorted(set(names)) == sorted(names)
    assert [fault.name for fault in WORLDS if not fault.laws or fault.row or fault.test] == []
    assert [fault.name for fault in ROWS if fault.laws or not fault.breaks] == []
    assert len(WORLDS) >= LEAST


def test_each_row_that_names_a_test_has_a_fault_that_such_a_test_must_find():
    named = {row: tests for row, _, _, tests in rows_of(PAGE.read_text(encoding="utf-8")) if tests}
    faults = {fault.row for fault in ROWS}
    assert sorted(faults) == sorted(named)
    for fault in ROWS:
        assert fault.test.partition("[")[0] in {test.partition("[")[0] for test in named[fault.row]}, (
            fault.name
        )
