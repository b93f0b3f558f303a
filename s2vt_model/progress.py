"""Long work is a generator: it yields `Progress` and returns its result.

A caller that stops iterating stops the work; that is all the "Stop" button does.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far one stage has come."""

    stage: str  # "read", "features" or "decode"
    fraction: float | None  # 0..1 of this stage; None where the end cannot be known
    message: str


Work = Generator[Progress, None, Result]


def finish(work: Work[Result]) -> Result:
    """Run `work` to its end, ignoring its progress, and return its result."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value
