"""How a command ends: one number for each kind of ending (docs/reference/exit-codes.md)."""

from __future__ import annotations

OK = 0
NEGATIVE = 1
USAGE = 2
TIMEOUT = 3
UNREACHABLE = 4
REFUSED = 5
BUG = 70
INTERRUPTED = 130


class Ends(Exception):  # noqa: N818 - it is not always an error
    """The command is over: with ``code``, and with what ``str()`` says on standard error."""

    def __init__(self, code: int, said: str = "") -> None:
        super().__init__(said)
        self.code = code
