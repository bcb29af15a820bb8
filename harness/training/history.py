"""What is known of the runs in training: where each stands, and its points on the way."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.contracts import Array
from harness.training.leaves import Saved
from harness.training.stack import Member

POINTS = 200  # a curve keeps about so many, unless the run asks otherwise
PRUNING_QUESTIONS = 20  # a run is judged by the pruner so often
NEVER = np.iinfo(int).max


class RunState(NamedTuple):
    """Where A runs in training stand; each leaf is an array whose first axis is the runs."""

    run: Array  # number of the run among the members of its stack
    began: Array  # seconds since 1970
    times: Array  # (A, 2) seconds in training, and the run's own share of its stack's time
    epoch: Array  # of the last epoch with finite numbers, as are the next three
    loss: Array
    validation: Array  # NaN without a validation part
    rows: Array
    best_epoch: Array
    best_loss: Array
    best_rows: Array
    since: Array  # epoch of the last improvement that patience counts
    reference: Array  # loss at that epoch


class Limits(NamedTuple):
    """When A runs end and are noted, by their settings; each leaf's first axis is the runs."""

    patience: Array  # epochs
    min_delta: Array
    max_seconds: Array  # in training, after which a run ends well
    timeout: Array  # seconds of a run's own share, after which it fails
    period: Array  # (A, 3) epochs between points, between questions of the pruner, in all


def pruning_interval(epochs: int) -> int:
    """Return the number of epochs between two questions of the pruner."""
    return -(-epochs // PRUNING_QUESTIONS)


def initial_state(rows: Array, began: float) -> RunState:
    """Return the state of runs before their first epoch; `rows` (A, P) are their weights."""
    count = len(rows)
    zero, infinite = np.zeros(count, int), np.full(count, np.inf)
    return RunState(
        run=np.arange(count),
        began=np.full(count, began),
        times=np.zeros((count, 2)),
        epoch=zero,
        loss=infinite,
        validation=np.full(count, np.nan),
        rows=rows,
        best_epoch=zero,
        best_loss=infinite,
        best_rows=rows,
        since=zero,
        reference=infinite,
    )


def make_limits(members: Sequence[Member], pruned: bool) -> Limits:
    """Return the limits of these runs; `pruned` says whether a pruner judges them."""
    point = [m.log_every or -(-m.epochs // POINTS) for m in members]
    question = [pruning_interval(m.epochs) if pruned else NEVER for m in members]
    return Limits(
        np.array([m.patience or NEVER for m in members]),
        np.array([m.min_delta for m in members]),
        np.array([m.max_seconds or np.inf for m in members]),
        np.array([m.timeout or np.inf for m in members]),
        np.column_stack([point, question, [m.last_epoch or m.epochs for m in members]]),
    )


class History:
    """Points of the runs of a stack, in named series.

    A point has an epoch, a time in seconds, and the values of its series. A second point of the
    same run and epoch replaces the first. To note points is cheap, because the loop does it
    often: they are sorted by run when somebody reads them.
    """

    def __init__(self) -> None:
        self._noted: dict[str, list[tuple[float, Sequence[Array]]]] = defaultdict(list)
        self._sorted: dict[str, Array] = {}  # (points, 3 + k): run, epoch, seconds, values

    def note(self, name: str, seconds: float, run: Array, epoch: Array, *values: Array) -> None:
        """Note a point of each of these runs, (A,) or, of several values at once, (A, k)."""
        self._noted[name].append((seconds, (run, epoch, *values)))

    def series(self, run: int) -> dict[str, Array]:
        """Return the (points, 2 + k) epochs, seconds and values of each series of a run."""
        found = {}
        for name in dict.fromkeys((*self._sorted, *self._noted)):
            table = self._table(name)
            start, stop = np.searchsorted(table[:, 0], [run, run + 1])
            if start < stop:
                found[name] = table[start:stop, 1:]
        return found

    def save(self, run: int) -> Saved:
        """Return the series of a run under names that begin with `history.`."""
        return {f"history.{name}": points for name, points in self.series(run).items()}

    def restore(self, run: int, saved: Saved) -> None:
        """Add the series that `save` gave of a run."""
        for name, points in saved.items():
            if name.startswith("history."):
                self._add(name.removeprefix("history."), _of_run(run, points))

    def _table(self, name: str) -> Array:
        if noted := self._noted.pop(name, []):
            seconds = np.repeat([time for time, _ in noted], [len(part[0]) for _, part in noted])
            run, epoch, *values = map(np.concatenate, zip(*(p for _, p in noted), strict=True))
            self._add(name, np.column_stack([run, epoch, seconds, *values]).astype(float))
        return self._sorted[name]

    def _add(self, name: str, points: Array) -> None:
        if name in self._sorted:
            points = np.concatenate([self._sorted[name], points])
        points = points[np.argsort(points[:, 0], kind="stable")]
        changes = (np.diff(points[:, :2], axis=0) != 0).any(axis=1)
        self._sorted[name] = points[np.append(changes, True)]


def _of_run(run: int, points: Array) -> Array:
    return np.column_stack([np.full(len(points), run), points])
