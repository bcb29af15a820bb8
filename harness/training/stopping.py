"""When each run of a stack ends, and what is remembered of it: its points and best weights."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from harness.contracts import Array
from harness.training.history import NEVER, History, Limits, RunState
from harness.training.leaves import join_runs, take_runs
from harness.training.loop import Epoch

ENDS = [
    ("ok", ""),
    ("failed", "run.timeout={1:g}: its time was over at epoch {0}"),
    ("ok", "patience"),
    ("ok", "max_seconds"),
    ("pruned", "pruned at epoch {0}"),
]

# A run that explodes without overflow is no success: at 1e285 nothing was learned. One whose loss
# is still above the first, but falls, may be on its way (a warm-up, a large first step).
EXPLODED = "loss above 1e6 times that of epoch 0, and not falling"
EXPLODED_RATIO, LEAST_LOSS = 1e6, 1e-12

Prune = Callable[[int, int, float], bool]  # of a run, its epoch, its judged loss
End = tuple[str, str, float]  # outcome of a run, the reason, seconds since 1970


class Stopping:
    """Consumes the epochs of a stack and decides which runs go on.

    A run ends when it diverges (a loss or weight is not finite: its history ends before), when
    `patience` epochs bring no improvement, when its `max_seconds` or `timeout` are over, when
    `prune` returns true, or at its last epoch. A run whose loss has exploded by then has diverged,
    too. `pop_ended` returns the runs that have ended.
    """

    def __init__(
        self,
        state: RunState,
        limits: Limits,
        history: History,
        prune: Prune | None = None,
        *,
        validated: bool,
        seconds: float = 0.0,
    ) -> None:
        self.state, self._limits, self._history, self._prune = state, limits, history, prune
        self._validated = validated
        self.seconds = self._clock = seconds  # of the last finite epoch, and of the last epoch
        self._passed = self._share = 0.0  # seconds that are not in the state's times yet
        self._ended: list[tuple[RunState, list[End]]] = []
        self._plan()

    def _plan(self) -> None:
        """Find out what must be looked at in each epoch, and start the countdown anew."""
        limits = self._limits
        ending = np.minimum(limits.max_seconds, limits.timeout)
        self._limited = bool((limits.patience < NEVER).any() or np.isfinite(ending).any())
        self._wait = 0

    @property
    def runs(self) -> Array:
        """(A,) numbers of the runs in training."""
        return self.state.run

    def pop_ended(self) -> tuple[RunState, list[End]] | None:
        """Return the runs that have ended since the last call, by number; None if none has."""
        if not self._ended:
            return None
        states, ends = zip(*self._ended, strict=True)
        self._ended = []
        state, order = join_runs(*states), np.argsort([r for s in states for r in s.run])
        every = [end for some in ends for end in some]
        return take_runs(state, order), [every[at] for at in order]

    def tick(self, seconds: float) -> None:
        """Count the time since the last call: to each run, and in equal shares."""
        passed, self._clock = seconds - self._clock, seconds
        self._passed += passed
        self._share += passed / len(self.state.run)

    def settle(self) -> RunState:
        """Return the state with the counted time added to it.

        An addition to arrays of one run takes 3 µs, and its epoch 40: not done in each epoch.
        """
        self.state.times[:] += (self._passed, self._share)
        self._passed = self._share = 0.0
        return self.state

    def see(self, epoch: Epoch, validation: Array | None, seconds: float) -> Array | None:
        """Take note of an epoch; return which runs stay, (A,), or None if all do."""
        self.tick(seconds)
        number, rows, loss = epoch.group.number, epoch.group.rows, np.asarray(epoch.loss, float)
        judged = loss if validation is None else np.asarray(validation, float)
        if all_finite(rows, judged) and (validation is None or all_finite(loss)):
            return self._see_finite(number, rows, loss, judged)
        finite: Array = np.isfinite(judged) & np.isfinite(loss) & np.isfinite(rows).all(axis=1)
        reason = "loss or weights not finite at epoch"
        self._end(~finite, [("diverged", f"{reason} {e}") for e in number[~finite]])
        if finite.any():
            parts = (number[finite], rows[finite], loss[finite], judged[finite])
            stays = self._see_finite(*parts)
            if stays is not None:
                finite[finite] = stays
        return finite

    def _see_finite(self, number: Array, rows: Array, loss: Array, judged: Array) -> Array | None:
        self.seconds = self._clock
        self._judge(number, rows, loss, judged)
        self._wait -= 1
        if self._wait > 0 and not self._limited:
            return None
        return self._take_turn(judged)

    def _judge(self, number: Array, rows: Array, loss: Array, judged: Array) -> None:
        """Move the state to this epoch, with the best loss and weights so far."""
        old = self.state
        best_epoch, best_loss, best_rows = old.best_epoch, old.best_loss, old.best_rows
        since, reference = old.since, old.reference
        better = judged < best_loss
        count = np.count_nonzero(better)
        if count == len(better):
            best_epoch, best_loss, best_rows = number, judged, rows
        elif count:
            best_loss = np.where(better, judged, best_loss)
            best_epoch = np.where(better, number, best_epoch)
            if self._validated:
                best_rows = np.where(better[:, None], rows, best_rows)
        if self._limited:
            improved = judged < reference - self._limits.min_delta
            reference = np.where(improved, judged, reference)
            since = np.where(improved, number, since)
        validation = judged if self._validated else old.validation
        # By position: a _replace of eight fields takes 2 µs, and a small net's epoch 40.
        self.state = RunState(
            old.run, old.began, old.times, number, loss, validation, rows,
            best_epoch, best_loss, best_rows, since, reference,
        )  # fmt: skip

    def _take_turn(self, judged: Array) -> Array | None:
        """Note points that are due, and end the runs that are done."""
        now, limits = self.settle(), self._limits
        past = now.epoch[:, None] % limits.period
        self._wait = int((limits.period - past).min())
        due = past == 0
        self._note(now, due[:, 0])
        over = now.epoch >= limits.period[:, 2]
        impatient = now.epoch - now.since >= limits.patience
        late = now.times[:, 0] >= limits.max_seconds
        slow = now.times[:, 1] >= limits.timeout
        leaves = over | slow | impatient | late
        if self._prune is not None:
            for at in np.flatnonzero(due[:, 1] & ~leaves & (now.epoch > 0)):
                leaves[at] = self._prune(int(now.run[at]), int(now.epoch[at]), float(judged[at]))
        if not np.count_nonzero(leaves):
            return None
        ends = np.select([over, slow, impatient, late], [0, 1, 2, 3], 4)
        ended = zip(ends[leaves], now.epoch[leaves], limits.timeout[leaves], strict=True)
        return self._end(leaves, [(ENDS[e][0], ENDS[e][1].format(*at)) for e, *at in ended])

    def _note(self, state: RunState, due: Array) -> None:
        if due.any():
            points = (state.run, state.epoch, state.loss, state.validation)
            chosen = points if due.all() else [part[due] for part in points]
            self._history.note("loss", self.seconds, *chosen)

    def _end(self, leaves: Array, ends: Sequence[tuple[str, str]]) -> Array:
        """Record the end of the runs in `leaves` (A,); return the mask of the runs that go on."""
        gone, stays = take_runs(self.settle(), leaves), ~leaves
        self._note(gone, np.isfinite(gone.loss))
        ends = [*ends]
        for at in self._exploded(gone):
            outcome, reason = ends[at]
            if outcome == "ok":
                text = f"{EXPLODED}, at epoch {gone.epoch[at]}"
                ends[at] = "diverged", f"{reason}: {text}" if reason else text
        self._ended.append((gone, [(*end, self._clock) for end in ends]))
        self.state, self._limits = take_runs((self.state, self._limits), stays)
        self._plan()
        return stays

    def _exploded(self, gone: RunState) -> list[int]:
        """Return at which places are runs whose judged loss has exploded; see EXPLODED.

        The loss at epoch 0 is in the history only, and to sort that takes milliseconds: the best
        loss, which is never above it, tells first whether to look.
        """
        judged = gone.validation if self._validated else gone.loss
        found = []
        for at in np.flatnonzero(judged / EXPLODED_RATIO > np.maximum(gone.best_loss, LEAST_LOSS)):
            losses = self._history.series(int(gone.run[at]))["loss"][
                :, 3 if self._validated else 2
            ]
            bound = max(float(losses[0]), LEAST_LOSS)
            if losses[-1] / EXPLODED_RATIO > bound and losses[-1] >= losses[-2:][0]:
                found.append(int(at))
        return found


def all_finite(*arrays: Array) -> bool:
    """Return whether every number is finite: by one sum, and number by number if it overflows."""
    return all(
        math.isfinite(np.add.reduce(array, axis=None)) or np.isfinite(array).all()
        for array in arrays
    )
