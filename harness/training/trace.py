"""What is noted of runs on their way besides their losses: norms by layer, weights for a film."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from harness.contracts import Array
from harness.training.loop import Epoch
from harness.training.stack import Member, Saved
from harness.training.weights import Shapes

POINTS = 32  # about so many of the norms
FRAMES = 12  # of the film, at most; then the result


class TrainingTrace:
    """Of each run ‖gradient‖, ‖change‖ and ‖weights‖ of every layer, at some epochs.

    Of runs that ask for a film (`figures.timeline`) also the weights, at ever longer intervals.
    """

    def __init__(self, members: Sequence[Member], shapes: Shapes) -> None:
        self._members, epochs = members, members[0].epochs  # the same for all of a stack
        self._starts = np.cumsum([0, *map(math.prod, shapes)])[:-1]
        self._every, self._filmed = -(-epochs // POINTS), film_epochs(epochs)
        self._asked = any(member.timeline for member in members)
        self._runs, self._wait = np.empty(0, int), 0
        self._norms: dict[int, dict[int, Array]] = defaultdict(dict)  # by run and epoch
        self._film: dict[int, dict[int, Array]] = defaultdict(dict)

    def see(self, runs: Array, epoch: Epoch) -> None:
        """Take note of those whose turn it is: after the first epoch, and every so many."""
        number = epoch.group.number
        if self._asked:
            self._shoot(runs, number, epoch.group.rows)
        self._wait -= 1
        if self._wait > 0 and runs is self._runs:
            return
        past = number % self._every
        self._runs, self._wait = runs, int((self._every - past).min()) if number.all() else 1
        self._note(runs, epoch, self._is_due(number))

    def see_last(self, runs: Array, epoch: Epoch, leaves: Array) -> None:
        """Take note of the last step of those who leave (A,)."""
        self._note(runs, epoch, leaves & ~self._is_due(epoch.group.number))

    def _is_due(self, number: Array) -> Array:
        due: Array = (number % self._every == 0) | (number == 1)
        return due

    def _shoot(self, runs: Array, number: Array, rows: Array) -> None:
        for at, (run, epoch) in enumerate(zip(runs.tolist(), number.tolist(), strict=True)):
            asked = epoch in self._filmed and self._members[run].timeline
            if asked and np.isfinite(rows[at]).all():
                self._film[run][epoch] = rows[at].copy()

    def _note(self, runs: Array, epoch: Epoch, who: Array) -> None:
        at = np.flatnonzero(who)
        if epoch.move is None or not len(at):
            return
        parts = (*epoch.move, epoch.group.rows)
        squares = [np.add.reduceat(np.square(part[at]), self._starts, axis=1) for part in parts]
        norms = np.sqrt(np.concatenate(squares, axis=1))
        known = ~np.isnan(norms).any(axis=1)  # it diverges, or took no step here yet
        at, norms = at[known], norms[known]
        told = zip(runs[at].tolist(), epoch.group.number[at].tolist(), norms, strict=True)
        for run, number, point in told:
            self._norms[run][number] = point

    def saved(self, run: int) -> Saved:
        """What is noted of a run."""
        saved: Saved = {}
        for part, noted in (("norms", self._norms), ("film", self._film)):
            if own := noted.get(run):
                saved[part], saved[f"{part}_epochs"] = np.stack([*own.values()]), np.array([*own])
        return saved

    def restore(self, run: int, saved: Saved) -> None:
        """What was noted of a run before."""
        for part, noted in (("norms", self._norms), ("film", self._film)):
            if part in saved:
                noted[run] = dict(zip(saved[f"{part}_epochs"].tolist(), saved[part], strict=True))

    def forget(self, runs: Sequence[int]) -> None:
        """Let go of what was noted of these."""
        for run in runs:
            self._norms.pop(run, None)
            self._film.pop(run, None)


def film_epochs(epochs: int) -> set[int]:
    """Before the first epoch, then at most FRAMES - 1 epochs, each as much later than the last."""
    return {0, *np.geomspace(1, epochs, FRAMES - 1).round().astype(int).tolist()}
