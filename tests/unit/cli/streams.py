"""Streams that say what they are."""

import io

from rollout.cli.terminal import Terminal


class Stream(io.StringIO):
    """A stream that says what it is."""

    def __init__(self, *, there: bool, encoding: str = "utf-8") -> None:
        super().__init__()
        self._there = there
        self._encoding = encoding

    def isatty(self) -> bool:
        return self._there

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def terminal(
    *, there: bool = True, encoding: str = "utf-8", colour: str = "auto", **environment: str
) -> Terminal:
    return Terminal.of(Stream(there=there, encoding=encoding), colour, environment)
