"""Ctrl-C and SIGTERM: the first stops the run in hand tidily, the second ends at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import Stopped, Terminated


@contextmanager
def tidy_signals() -> Iterator[None]:
    """Meanwhile a first signal raises Stopped (or Terminated), a second one exits.

    The handlers are set even if the shell started us with SIGINT ignored, as `&` does.
    """
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if seen:
            os._exit(128 + number)
        seen.append(number)
        raise Terminated if number == signal.SIGTERM else Stopped

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
