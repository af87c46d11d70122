"""Each fault that is planted in the reaction of a row of docs/faults.md turns a test of that row red."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.planted.mechanism import ROOT, Fault
from tests.planted.rows import ROWS


@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", ROWS, ids=lambda fault: f"{fault.row}-{fault.name}")
def test_its_test_fails(fault: Fault, record_property: Callable[[str, object], None]):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.planted.plugin", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, fault.test],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PLANTED": fault.name},
    )
    said = done.stdout + done.stderr
    ends = [line.removeprefix("planted: ") for line in said.splitlines() if line.startswith("planted: ")]
    assert "loaded" in ends, said
    red = [end for end in ends if end.startswith(f"failed call {fault.test}")]
    assert red, said
    record_property("red", red[0])
    assert not [end for end in ends if end.startswith("error")], said
