"""Who is done, and what is remembered of each run: its curve, its best weights, its end."""

import math
from collections.abc import Sequence

import numpy as np

from harness.contracts import Array
from harness.stack import Member
from harness.training import Epoch

POINTS = 200  # a curve keeps about so many, unless asked otherwise
NEVER = np.iinfo(int).max


class Watch:
    """Consumes the epochs of a stack of R runs and says who goes on.

    A run ends when it diverges (a loss or weight that is not finite: its history ends before),
    when `patience` epochs bring no improvement, when its `max_seconds` are over, or at the end.

    What is public is by run, (R, ...), and settled when a run ends or `settle` is called; what
    changes every epoch is kept for the A runs that are alive, in the order of `alive`.
    """

    def __init__(self, members: Sequence[Member], rows: Array) -> None:
        count = len(members)
        self.alive = np.arange(count)
        self.outcome = ["running"] * count
        self.reason = [""] * count
        self.last_epoch = np.zeros(count, int)
        self.seconds = np.zeros(count)
        self.best_epoch = np.zeros(count, int)
        self.best_loss = np.full(count, np.inf)
        self.rows = rows.copy()  # the result: best by validation, else the last finite
        self._validated = members[0].validation > 0
        self._epochs = members[0].epochs
        self._patience = np.array([m.patience or NEVER for m in members])
        self._min_delta = np.array([m.min_delta for m in members])
        self._limit = np.array([m.max_seconds or np.inf for m in members])
        self._limited = any(m.patience or m.max_seconds for m in members)
        self._every = [m.log_every or -(-m.epochs // POINTS) for m in members]
        self._stride = math.gcd(*self._every)
        self._points: list[tuple[int, float, Array, Array, Array | None]] = []
        self._tabled = np.empty((4, 0, count))
        self._ends = np.full((count, 4), np.nan)  # the last finite point of each run
        self._best_loss, self._best_epoch = self.best_loss.copy(), self.best_epoch.copy()
        self._best_rows, self._here = rows, rows
        self._reference, self._since = self.best_loss.copy(), self.best_epoch.copy()
        self._point: tuple[int, float, Array, Array | None] = (0, 0.0, self._best_loss, None)

    def see(self, epoch: Epoch, validation: Array | None, seconds: float) -> Array | None:
        """Take note of an epoch; who stays (A,), or None if all do."""
        judged = epoch.loss if validation is None else validation
        if not all_finite(epoch.rows, epoch.loss, judged):
            return self._see_divergence(epoch, validation, judged, seconds)
        self._note(epoch, validation, seconds)
        self._judge(judged, epoch.rows, epoch.number)
        over = epoch.number >= self._epochs
        if not over and not self._limited:
            return None
        impatient = epoch.number - self._since >= self._patience
        late = seconds >= self._limit
        if not (over or impatient.any() or late.any()):
            return None
        reason = np.where(impatient, "patience", "max_seconds")
        return self._leave(impatient | late | over, "ok", ["" if over else r for r in reason])

    def _see_divergence(
        self, epoch: Epoch, validation: Array | None, judged: Array, seconds: float
    ) -> Array | None:
        """Let go of those with numbers that are not finite, then look at the others."""
        finite = np.isfinite(judged) & np.isfinite(epoch.loss)
        finite &= np.isfinite(epoch.rows).all(axis=1)
        reason = f"loss or weights not finite at epoch {epoch.number}"
        self._leave(~finite, "diverged", [reason] * len(finite))
        if finite.any():
            rest = Epoch(epoch.number, epoch.loss[finite], epoch.rows[finite])
            stays = self.see(rest, None if validation is None else validation[finite], seconds)
            if stays is not None:
                finite[finite] = stays
        return finite

    def _note(self, epoch: Epoch, validation: Array | None, seconds: float) -> None:
        self._here = epoch.rows
        self._point = (epoch.number, seconds, epoch.loss, validation)
        if epoch.number % self._stride == 0:
            self._points.append((epoch.number, seconds, self.alive, epoch.loss, validation))

    def _judge(self, loss: Array, rows: Array, number: int) -> None:
        better = loss < self._best_loss
        if better.all():
            self._best_loss, self._best_rows = loss, rows
            self._best_epoch.fill(number)
        elif better.any():
            self._best_loss = np.where(better, loss, self._best_loss)
            self._best_rows = np.where(better[:, None], rows, self._best_rows)
            self._best_epoch[better] = number
        if not self._limited:
            return
        improved = loss < self._reference - self._min_delta
        if improved.any():
            self._reference = np.where(improved, loss, self._reference)
            self._since[improved] = number

    def settle(self) -> None:
        """Bring what is public up to date for the runs that are alive."""
        who = self.alive
        number, seconds, loss, validation = self._point
        self.best_loss[who], self.best_epoch[who] = self._best_loss, self._best_epoch
        self.rows[who] = self._best_rows if self._validated else self._here
        if len(loss) == len(who) and np.isfinite(loss).all():
            held_out = np.nan if validation is None else validation
            self.last_epoch[who], self.seconds[who] = number, seconds
            ends = np.broadcast_arrays(number, seconds, loss, held_out)
            self._ends[who] = np.stack(ends, axis=1)

    def _leave(self, mask: Array, outcome: str, reasons: Sequence[str]) -> Array:
        """These runs end; (A,) who stays."""
        self.settle()
        for r, reason in zip(self.alive[mask], np.array(reasons)[mask], strict=True):
            self.outcome[r], self.reason[r] = outcome, str(reason)
        stays = np.asarray(~mask)
        for name in ("_best_loss", "_best_epoch", "_best_rows", "_here", "_reference", "_since"):
            setattr(self, name, getattr(self, name)[stays])
        for name in ("_patience", "_min_delta", "_limit", "alive"):
            setattr(self, name, getattr(self, name)[stays])
        number, seconds, loss, validation = self._point
        held_out = None if validation is None else validation[stays]
        self._point = (number, seconds, loss[stays], held_out)
        return stays

    def curve(self, r: int) -> Array:
        """(4, points): epochs, seconds, training and validation losses (nan: none) of run r."""
        points = self._table()[:, :, r]
        kept = np.isfinite(points[2]) & (points[0] % self._every[r] == 0)
        points, end = points[:, kept], self._ends[r]
        if np.isfinite(end[2]) and (not kept.any() or points[0, -1] < end[0]):
            points = np.column_stack([points, end])
        return np.asarray(points)

    def _table(self) -> Array:
        """(4, points, R): what was noted of all runs; nan where a run had ended."""
        if len(self._points) != self._tabled.shape[1]:
            table = np.full((4, len(self._points), len(self.outcome)), np.nan)
            for at, (number, seconds, alive, loss, validation) in enumerate(self._points):
                table[0, at], table[1, at] = number, seconds
                table[2, at, alive] = loss
                if validation is not None:
                    table[3, at, alive] = validation
            self._tabled = table
        return self._tabled


def all_finite(*arrays: Array) -> bool:
    """Whether every number is finite; one sum tells, unless it overflows."""
    if math.isfinite(sum(array.sum() for array in arrays)):
        return True
    return all(np.isfinite(array).all() for array in arrays)
