"""Signals: the first Ctrl-C, SIGTERM or closed terminal stops tidily, the second one at once."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from harness.errors import Stopped, Terminated

HANGUP = getattr(signal, "SIGHUP", None)  # there is none on Windows


@contextmanager
def tidy_signals() -> Iterator[None]:
    """Context manager: a first signal raises Stopped or Terminated, a second one exits.

    SIGINT is handled even if the shell started the program with it ignored, as `&` does. A
    closed terminal (SIGHUP) stays ignored if it was ignored, as `nohup` does.
    """
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if number == HANGUP:
            _discard_output()
            # A closed terminal signals more than once, by the kernel and by the shell: the
            # second SIGHUP is no second request to stop.
            if seen:
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


def _discard_output() -> None:
    """Send stdout and stderr to the null device if the closed terminal refuses them."""
    for file in (1, 2):
        try:
            os.write(file, b"")
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, file)
            os.close(null)
