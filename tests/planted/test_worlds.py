"""Each fault that is planted in the rules, the memory or the outbox breaks a law in some world."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.planted.mechanism import ROOT, Fault
from tests.planted.worlds import WORLDS

SEEN = re.compile(r"^\S+: (\S+) in world \d+ ")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", WORLDS, ids=lambda fault: fault.name)
def test_a_law_is_broken(fault: Fault, record_property: Callable[[str, object], None]):
    command = [sys.executable, "-m", "tests.planted.run", fault.name, "--worlds", "2000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout.strip()
    assert done.returncode == 0, said + done.stderr
    record_property("told", said)
    seen = SEEN.match(said)
    assert seen is not None, said
    assert seen[1] in fault.laws, said
