"""The harness and the notebook's loop as contenders."""

import copy

import numpy as np

from benchmarks import notebook
from benchmarks.tasks import Case, Start, configs, member, starts
from benchmarks.trainers import Trained, timed
from harness.engines import STACK_BYTES
from harness.engines.worker import train_stack
from harness.sweeps.grouping import largest_stack


def harness(
    case: Case, runs: int | None, epochs: int, dtype: str, validation: float = 0.0
) -> Trained:
    """Train one stack; None is as many runs as the harness puts into one."""
    if runs is None:
        [one] = configs(case, 1, epochs, dtype, validation)
        runs = largest_stack(member(one), STACK_BYTES)
    asked = configs(case, runs, epochs, dtype, validation)
    names = [str(number) for number in range(runs)]
    seconds, told = timed(lambda: list(train_stack(names, asked)))
    ended = {result.fingerprint: result for results in told for result in results}
    assert [ended[name].outcome for name in names] == ["ok"] * runs, ended["0"].reason
    return Trained(seconds, runs, epochs, ended["0"].weights)


def hand(
    case: Case, runs: int, epochs: int, dtype: str = "float64", validation: float = 0.0
) -> Trained:
    """Train one net by the notebook's loop."""
    [start] = starts(case, runs, dtype, validation)

    def ready():
        fresh = copy.deepcopy(start)
        return lambda: train(case, fresh, epochs)

    seconds, weights = timed(ready, fresh=True)
    return Trained(seconds, runs, epochs, weights)


def train(case: Case, start: Start, epochs: int) -> list[np.ndarray]:
    """Train one net, and return its weights."""
    notebook.train(case.task, start.weights, start.x, start.y, epochs, start.batches)
    return start.weights
