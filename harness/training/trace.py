"""What is noted of runs in training besides losses: norms by layer, and weights for a film."""

import math
from collections.abc import Sequence

import numpy as np

from harness.contracts import Array
from harness.training.history import History
from harness.training.leaves import Saved
from harness.training.loop import Epoch
from harness.training.stack import Member
from harness.training.weights import Shapes

POINTS = 32  # about so many of the norms
FRAMES = 12  # of the film, at most; then the result
SERIES = ("norms", "film")


class TrainingTrace:
    """Notes ‖gradient‖, ‖change‖ and ‖weights‖ of every layer of each run, at some epochs.

    Of runs that ask for a film (`figures.timeline`) also the weights, at ever longer intervals.
    """

    def __init__(self, members: Sequence[Member], shapes: Shapes, history: History) -> None:
        self._history, epochs = history, members[0].epochs  # the same for all of a stack
        self._starts = np.cumsum([0, *map(math.prod, shapes)])[:-1]
        self._every, self._film = -(-epochs // POINTS), film_epochs(epochs)
        self._filmed = np.array([member.timeline for member in members])
        self._any_filmed = bool(self._filmed.any())
        self._runs, self._wait = np.empty(0, int), 0

    def see(self, runs: Array, epoch: Epoch, seconds: float) -> None:
        """Note the points that are due: after the first epoch, and every so many."""
        number = epoch.group.number
        if self._any_filmed:
            self._note_film(runs, number, epoch.group.rows, seconds)
        self._wait -= 1
        if self._wait > 0 and runs is self._runs:
            return
        past = number % self._every
        self._runs, self._wait = runs, int((self._every - past).min()) if number.all() else 1
        self.note_norms(runs, epoch, (past == 0) | (number == 1), seconds)

    def _note_film(self, runs: Array, number: Array, rows: Array, seconds: float) -> None:
        due = self._filmed[runs] & np.isin(number, self._film)
        at = np.flatnonzero(due)
        at = at[np.isfinite(rows[at]).all(axis=1)]
        if len(at):
            self._history.note("film", seconds, runs[at], number[at], rows[at])

    def note_norms(self, runs: Array, epoch: Epoch, which: Array, seconds: float) -> None:
        """Note the norms of the last step of the runs in `which` (A,), if they took one here."""
        at = np.flatnonzero(which)
        if epoch.move is None or not len(at):
            return
        parts = (*epoch.move, epoch.group.rows)
        squares = [np.add.reduceat(np.square(part[at]), self._starts, axis=1) for part in parts]
        norms = np.sqrt(np.concatenate(squares, axis=1))
        known = ~np.isnan(norms).any(axis=1)  # NaN: the run diverges
        at, norms = at[known], norms[known]
        if len(at):
            self._history.note("norms", seconds, runs[at], epoch.group.number[at], norms)


def trail(series: Saved, dtype: str) -> Saved:
    """Return what a result keeps of a run's series: norms and film, and the epochs of each."""
    kept: Saved = {}
    for name in SERIES:
        if (points := series.get(name)) is not None:
            kept[name], kept[f"{name}_epochs"] = (
                points[:, 2:].astype(dtype),
                points[:, 0].astype(int),
            )
    return kept


def film_epochs(epochs: int) -> list[int]:
    """Return 0 and at most FRAMES - 1 later epochs, each as much later than the last."""
    return [0, *np.geomspace(1, epochs, FRAMES - 1).round().astype(int).tolist()]
