"""What is remembered of runs: while they train, at points of their curves, and at their end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.contracts import Array
from harness.training.stack import Member, Saved

POINTS = 200  # a curve keeps about so many, unless asked otherwise
QUESTIONS = 20  # so often is asked whether to prune a run
NEVER = np.iinfo(int).max
KEPT = ["began", "epoch", "loss", "validation", "rows", "since", "reference"]
KEPT += ["best_epoch", "best_loss", "best_rows"]


class Ended(NamedTuple):
    """How one run ended, or, while it goes on, what it would leave."""

    run: int
    outcome: str
    reason: str
    last_epoch: int
    best_epoch: int
    best_loss: float
    row: Array  # (P,) the result: best by validation, else the last finite weights
    began: float  # in seconds
    ended: float
    seconds: float  # its share of its stack's time


@dataclass
class RunState:
    """What is remembered of A runs in training; axis 0 is theirs."""

    run: Array  # which one each is
    began: Array  # in seconds
    worked: Array  # a run's share of the stack's time before each began
    epoch: Array  # of the last finite point
    loss: Array
    validation: Array  # nan where there is none
    rows: Array
    best_epoch: Array
    best_loss: Array
    best_rows: Array
    since: Array  # the epoch of the last improvement that patience counts, and its loss
    reference: Array
    patience: Array
    min_delta: Array
    until: Array  # in seconds, after which a run ends well
    timeout: Array  # of seconds that are its own, after which it fails
    period: Array  # (A, 3) epochs from point to point, from question to question, in all

    def take(self, keep: Array) -> "RunState":
        """Those whom the mask (A,) keeps."""
        return RunState(*(part[keep] for part in vars(self).values()))

    def join(self, others: "RunState") -> "RunState":
        """These, and the others after them."""
        pairs = zip(vars(self).values(), vars(others).values(), strict=True)
        return RunState(*(np.concatenate(pair) for pair in pairs))

    def saved(self, at: int) -> Saved:
        """What is remembered of one run, but for what its stack tells."""
        return {f"standing_{name}": getattr(self, name)[at] for name in KEPT}

    def restored(self, saved: Mapping[int, Saved], seconds: float) -> "RunState":
        """The same, with the runs at these places as they were."""
        same = RunState(*(part.copy() for part in vars(self).values()))
        for at, run in saved.items():
            for name in KEPT:
                getattr(same, name)[at] = run[f"standing_{name}"]
            same.worked[at] -= run["worked"]
            same.until[at] = seconds + run["left"]
        return same


def pruning_interval(epochs: int) -> int:
    """After how many epochs it is asked again whether to prune a run."""
    return -(-epochs // QUESTIONS)


def initial_state(
    members: Sequence[Member], run: Array, rows: Array, began: float, worked: float, asked: bool
) -> RunState:
    """Runs before their first epoch."""
    count = len(members)
    zero, infinite = np.zeros(count, int), np.full(count, np.inf)
    question = [pruning_interval(m.epochs) if asked else NEVER for m in members]
    point = [m.log_every or -(-m.epochs // POINTS) for m in members]
    return RunState(
        run=run,
        began=np.full(count, began),
        worked=np.full(count, worked),
        epoch=zero,
        loss=infinite,
        validation=np.full(count, np.nan),
        rows=rows,
        best_epoch=zero,
        best_loss=infinite,
        best_rows=rows,
        since=zero,
        reference=infinite,
        patience=np.array([m.patience or NEVER for m in members]),
        min_delta=np.array([m.min_delta for m in members]),
        until=began + np.array([m.max_seconds or np.inf for m in members]),
        timeout=np.array([m.timeout or np.inf for m in members]),
        period=np.column_stack([point, question, [m.last_epoch or m.epochs for m in members]]),
    )


class LossHistory:
    """Points of many runs in the order in which they came: cheap to note, sorted when asked."""

    def __init__(self) -> None:
        self._noted: list[tuple[Array, Array, Array, Array, float]] = []
        self._points = np.empty((5, 0))  # run, epoch, seconds, training and validation loss

    def note(
        self, seconds: float, run: Array, epoch: Array, loss: Array, validation: Array
    ) -> None:
        """A point of each of these runs, (A,) each."""
        self._noted.append((run, epoch, loss, validation, seconds))

    def restore(self, run: int, points: Array) -> None:
        """The (4, points) that a run had before."""
        self._add(np.vstack([np.full(points.shape[1], run), points]))

    def curves(self, runs: Sequence[int]) -> list[Array]:
        """(4, points) of each run: epochs, seconds, training and validation losses."""
        self._sort()
        first = np.searchsorted(self._points[0], runs, "left")
        last = np.searchsorted(self._points[0], runs, "right")
        return [self._points[1:, at:end] for at, end in zip(first, last, strict=True)]

    def forget(self, runs: Sequence[int]) -> None:
        """Let go of these runs' points."""
        self._sort()
        self._points = self._points[:, ~np.isin(self._points[0], runs)]

    def _sort(self) -> None:
        if not self._noted:
            return
        seconds = np.repeat([n[4] for n in self._noted], [len(n[0]) for n in self._noted])
        run, epoch, loss, validation = (
            np.concatenate([noted[at] for noted in self._noted]) for at in range(4)
        )
        self._add(np.stack([run, epoch, seconds, loss, validation]).astype(float))
        self._noted.clear()

    def _add(self, fresh: Array) -> None:
        points = np.concatenate([self._points, fresh], axis=1)
        self._points = points[:, np.argsort(points[0], kind="stable")]
