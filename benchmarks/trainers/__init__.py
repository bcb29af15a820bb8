"""The contenders in training speed: each trains the same runs and returns its time."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

ENOUGH = 0.5  # CPU seconds; what is quicker is done again and again until so much is spent


class Trained(NamedTuple):
    """The training of some runs."""

    seconds: float  # of CPU
    runs: int
    epochs: int
    weights: list[np.ndarray] | None  # of the first run; None if it started from others
    compiling: float = 0.0  # seconds of CPU before, not counted

    @property
    def speed(self) -> float:
        """Epochs x runs in a CPU second."""
        return self.epochs * self.runs / self.seconds


def timed(work: Callable[[], Any], *, fresh: bool = False) -> tuple[float, Any]:
    """Return the CPU seconds of a repeated call, all threads, and the first call's result.

    The first doing warms up (much is imported and allocated only then) and is not counted.
    `fresh`: calling `work` is preparation, and returns the work itself.
    """
    first = (work() if fresh else work)()
    spent, times = 0.0, 0
    while not times or spent < ENOUGH:
        ready = work() if fresh else work
        start = time.process_time()
        ready()
        spent += time.process_time() - start
        times += 1
    return spent / times, first
