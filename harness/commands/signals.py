"""Ctrl-C, SIGTERM, a closed terminal: the first stops the run in hand tidily, a second ends it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import Stopped, Terminated

HANGUP = getattr(signal, "SIGHUP", None)  # there is none on Windows


@contextmanager
def tidy_signals() -> Iterator[None]:
    """Meanwhile a first signal raises Stopped (or Terminated), a second one exits.

    The handlers are set even if the shell started us with SIGINT ignored, as `&` does; a closed
    terminal is ignored if it was, as `nohup` does.
    """
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if number == HANGUP:
            _print_nowhere()
            if seen:  # the kernel says so, and the shell too, more than once
                return
        if seen:
            os._exit(128 + number)
        seen.append(number)
        raise Stopped if number == signal.SIGINT else Terminated

    numbers = [signal.SIGINT, signal.SIGTERM]
    if HANGUP is not None and signal.getsignal(HANGUP) != signal.SIG_IGN:
        numbers.append(HANGUP)
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _print_nowhere() -> None:
    """A terminal that is closed refuses what is printed: let go of it."""
    for file in (1, 2):
        try:
            os.write(file, b"")
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, file)
            os.close(nowhere)
