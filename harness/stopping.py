"""Who is done, and what is remembered of each run: its curve, its best weights, its end."""

from collections.abc import Sequence

import numpy as np

from harness.contracts import Array
from harness.stack import Member
from harness.training import Epoch

POINTS = 200  # a curve keeps about so many, unless asked otherwise


class Watch:
    """Consumes the epochs of a stack of R runs and says who goes on.

    A run ends when it diverges (a loss or weight that is not finite: its history ends before),
    when `patience` epochs bring no improvement, when its `max_seconds` are over, or at the end.
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
        self._epochs = members[0].epochs
        self._validated = members[0].validation > 0
        self._steps: list[tuple[int, float]] = []  # epochs kept, and the seconds they came at
        self._kept: list[tuple[Array, Array]] = []  # training and validation losses of those
        self._last = (np.full(count, np.nan), np.full(count, np.nan))
        self._last_at = np.zeros(count)
        self._every = np.array([m.log_every or -(-m.epochs // POINTS) for m in members])
        self._strides = {int(every) for every in self._every}
        never = np.iinfo(int).max
        self._patience = np.array([m.patience or never for m in members])
        self._min_delta = np.array([m.min_delta for m in members])
        self._limit = np.array([m.max_seconds or np.inf for m in members])
        self._reference, self._since = np.full(count, np.inf), np.zeros(count, int)
        self._previous = rows

    def see(self, epoch: Epoch, validation: Array | None, seconds: float) -> Array:
        """Take note of an epoch; (A,) of the A runs still there, who stays."""
        alive, judged = self.alive, epoch.loss if validation is None else validation
        finite = (
            np.isfinite(epoch.loss) & np.isfinite(judged) & np.isfinite(epoch.rows).all(axis=1)
        )
        if not finite.all():
            self._diverge(alive[~finite], self._previous[~finite], epoch.number, seconds)
        done = alive[finite]
        everyone = len(done) == len(alive)
        rows = epoch.rows if everyone else epoch.rows[finite]
        self._note(done, epoch, validation, finite, seconds)
        self._judge(done, judged if everyone else judged[finite], rows, epoch.number)
        stays = finite & self._goes_on(epoch.number, seconds)[alive]
        leaves = finite & ~stays
        if not self._validated and leaves.any():
            self.rows[alive[leaves]] = epoch.rows[leaves]
        self.alive = alive[stays]
        self._previous = epoch.rows if stays.all() else epoch.rows[stays]
        return np.asarray(stays)

    def _note(
        self, who: Array, epoch: Epoch, validation: Array | None, finite: Array, seconds: float
    ) -> None:
        for kept, values in zip(self._last, (epoch.loss, validation), strict=True):
            if values is not None:
                kept[who] = values[finite]
        self._last_at[who], self.last_epoch[who] = seconds, epoch.number
        if any(epoch.number % stride == 0 for stride in self._strides):
            losses = [np.full(len(self.outcome), np.nan) for _ in self._last]
            for loss, last in zip(losses, self._last, strict=True):
                loss[who] = last[who]
            self._steps.append((epoch.number, seconds))
            self._kept.append((losses[0], losses[1]))

    def _judge(self, who: Array, loss: Array, rows: Array, index: int) -> None:
        better = loss < self.best_loss[who]
        winners = who[better]
        self.best_loss[winners], self.best_epoch[winners] = loss[better], index
        if self._validated:
            self.rows[winners] = rows[better]
        improved = who[loss < self._reference[who] - self._min_delta[who]]
        self._reference[improved], self._since[improved] = self.best_loss[improved], index

    def _goes_on(self, index: int, seconds: float) -> Array:
        """(R,) whether each run has more to do; those that end here end well."""
        impatient = index - self._since >= self._patience
        late = seconds >= self._limit
        over = np.full(len(impatient), index >= self._epochs)
        for r in self.alive[(impatient | late | over)[self.alive]]:
            if self.outcome[r] == "running":
                self.outcome[r], self.seconds[r] = "ok", seconds
                if not over[r]:
                    self.reason[r] = "patience" if impatient[r] else "max_seconds"
        return np.asarray(~(impatient | late | over))

    def _diverge(self, who: Array, last_finite: Array, index: int, seconds: float) -> None:
        if not self._validated:
            self.rows[who] = last_finite
        for r in who:
            self.outcome[r], self.seconds[r] = "diverged", seconds
            self.reason[r] = f"loss or weights not finite at epoch {index}"

    def curve(self, r: int) -> tuple[Array, Array, Array, Array]:
        """Epochs, seconds, training and validation losses (nan: none) of run r so far."""
        kept = [
            (step, at, train[r], validation[r])
            for (step, at), (train, validation) in zip(self._steps, self._kept, strict=True)
            if step % self._every[r] == 0 and np.isfinite(train[r])
        ]
        last = (self.last_epoch[r], self._last_at[r], self._last[0][r], self._last[1][r])
        if np.isfinite(last[2]) and (not kept or kept[-1][0] < last[0]):
            kept.append(last)
        columns = np.array(kept, float).reshape(-1, 4).T
        return columns[0].astype(int), columns[1], columns[2], columns[3]
