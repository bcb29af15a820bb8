"""Who is done, and what is remembered of each run: its curve, its best weights, its end."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from harness.contracts import Array
from harness.training.history import NEVER, Ended, LossHistory, RunState, initial_state
from harness.training.loop import Epoch
from harness.training.stack import Member, Saved

ENDS = [
    ("ok", ""),
    ("failed", "run.timeout={1:g}: its time was over at epoch {0}"),
    ("ok", "patience"),
    ("ok", "max_seconds"),
    ("pruned", "pruned at epoch {0}"),
]

Prune = Callable[[int, int, float], bool]  # of a run, its epoch, its judged loss


class Stopping:
    """Consumes the epochs of a stack and says who goes on.

    A run ends when it diverges (a loss or weight that is not finite: its history ends before),
    when `patience` epochs bring no improvement, when its `max_seconds` or `timeout` are over,
    when `prune` says so, or at the end. Who ended waits in `ended` to be fetched.
    """

    def __init__(
        self,
        members: Sequence[Member],
        rows: Array,
        prune: Prune | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.ended: list[Ended] = []
        self.ledger = LossHistory()
        self._prune, self._validated = prune, members[0].validation > 0
        self._clock = self._seconds = seconds
        self._worked = 0.0
        self._count = 0
        self._standing = self._enter(members, rows)
        self._look()

    def _enter(self, members: Sequence[Member], rows: Array) -> RunState:
        run = np.arange(self._count, self._count + len(members))
        self._count += len(members)
        asked = self._prune is not None
        return initial_state(members, run, rows, self._clock, self._worked, asked)

    def admit(self, members: Sequence[Member], rows: Array) -> None:
        """More runs begin; they are numbered on, and come after those that are there."""
        self._standing = self._standing.join(self._enter(members, rows))
        self._look()

    def saved(self, at: int, seconds: float) -> Saved:
        """What is remembered of one run before it is seen again."""
        now, spent = self._standing, (seconds - self._clock) / len(self.runs)
        [points] = self.ledger.curves([int(now.run[at])])
        worked, left = self._worked + spent - now.worked[at], now.until[at] - seconds
        about = {"points": points, "worked": worked, "left": left, "seconds": np.float64(seconds)}
        return now.saved(at) | about

    def restore(self, saved: Mapping[int, Saved]) -> None:
        """Put those at these places, who were not seen here yet, to where they were."""
        self._standing = self._standing.restored(saved, self._clock)
        for at, kept in saved.items():
            self.ledger.restore(int(self.runs[at]), kept["points"])
        self._look()

    def _look(self) -> None:
        """See when something but training is due next."""
        now = self._standing
        limits = np.minimum(now.until, now.timeout)
        self._limited = bool((now.patience < NEVER).any() or np.isfinite(limits).any())
        self._wait = 0

    @property
    def runs(self) -> Array:
        """(A,) which ones are in training."""
        return self._standing.run

    def see(self, epoch: Epoch, validation: Array | None, seconds: float) -> Array | None:
        """Take note of an epoch; who stays (A,), or None if all do."""
        self._worked += (seconds - self._clock) / len(epoch.loss)
        self._clock = seconds
        group, judged = epoch.group, epoch.loss if validation is None else validation
        if all_finite(group.rows, judged) and (validation is None or all_finite(epoch.loss)):
            return self._see(group.number, group.rows, epoch.loss, validation)
        finite = np.isfinite(judged) & np.isfinite(epoch.loss)
        finite &= np.isfinite(group.rows).all(axis=1)
        reason = "loss or weights not finite at epoch"
        self._leave(~finite, [("diverged", f"{reason} {e}") for e in group.number[~finite]])
        if finite.any():
            held_out = None if validation is None else validation[finite]
            rest = group.number[finite], group.rows[finite], epoch.loss[finite], held_out
            stays = self._see(*rest)
            if stays is not None:
                finite[finite] = stays
        return finite

    def _see(
        self, number: Array, rows: Array, loss: Array, validation: Array | None
    ) -> Array | None:
        now, judged = self._standing, loss if validation is None else validation
        now.epoch, now.loss, now.rows, self._seconds = number, loss, rows, self._clock
        if validation is not None:
            now.validation = validation
        self._judge(now, judged)
        self._wait -= 1
        if self._wait > 0 and not self._limited:
            return None
        return self._turn(now, judged)

    def _judge(self, now: RunState, loss: Array) -> None:
        better = loss < now.best_loss
        count = np.count_nonzero(better)
        if count == len(better):
            now.best_loss, now.best_rows, now.best_epoch = loss, now.rows, now.epoch
        elif count:
            now.best_loss = np.where(better, loss, now.best_loss)
            now.best_epoch = np.where(better, now.epoch, now.best_epoch)
            if self._validated:
                now.best_rows = np.where(better[:, None], now.rows, now.best_rows)
        if self._limited:
            improved = loss < now.reference - now.min_delta
            now.reference = np.where(improved, loss, now.reference)
            now.since = np.where(improved, now.epoch, now.since)

    def _turn(self, now: RunState, judged: Array) -> Array | None:
        """Note points, and see who is done."""
        past = now.epoch[:, None] % now.period
        self._wait = int((now.period - past).min())
        due = past == 0
        self._note(now, due[:, 0])
        over = now.epoch >= now.period[:, 2]
        impatient = now.epoch - now.since >= now.patience
        late = self._seconds >= now.until
        slow = self._worked - now.worked >= now.timeout
        leaves = over | slow | impatient | late
        if self._prune is not None:
            for at in np.flatnonzero(due[:, 1] & ~leaves & (now.epoch > 0)):
                leaves[at] = self._prune(int(now.run[at]), int(now.epoch[at]), float(judged[at]))
        if not np.count_nonzero(leaves):
            return None
        ends = np.select([over, slow, impatient, late], [0, 1, 2, 3], 4)
        ended = zip(ends[leaves], now.epoch[leaves], now.timeout[leaves], strict=True)
        return self._leave(leaves, [(ENDS[e][0], ENDS[e][1].format(*at)) for e, *at in ended])

    def _note(self, now: RunState, who: Array) -> None:
        points, count = (now.run, now.epoch, now.loss, now.validation), np.count_nonzero(who)
        if count == len(who):
            self.ledger.note(self._seconds, *points)
        elif count:
            self.ledger.note(self._seconds, *(part[who] for part in points))

    def _leave(self, leaves: Array, ends: Sequence[tuple[str, str]]) -> Array:
        """These runs end so; (A,) who stays."""
        gone, stays = self._standing.take(leaves), ~leaves
        self._note(gone, gone.epoch % gone.period[:, 0] > 0)
        self.ended += [self._summary(gone, at, *end) for at, end in enumerate(ends)]
        self._standing = self._standing.take(stays)
        self._look()
        return stays

    def _summary(self, now: RunState, at: int, outcome: str, reason: str) -> Ended:
        return Ended(
            int(now.run[at]),
            outcome,
            reason,
            int(now.epoch[at]),
            int(now.best_epoch[at]),
            float(now.best_loss[at]),
            (now.best_rows if self._validated else now.rows)[at],
            float(now.began[at]),
            self._clock,
            float(self._worked - now.worked[at]),
        )

    def going_on(self) -> list[Ended]:
        """What the runs in training would leave now."""
        now = self._standing
        return [self._summary(now, at, "running", "") for at in range(len(now.run))]

    def curves(self, runs: Sequence[int]) -> list[Array]:
        """(4, points) of each run: epochs, seconds, training and validation losses (nan: none).

        The last point is where it stands or ended, whatever the steps between points.
        """
        now = self._standing
        between = np.flatnonzero(now.epoch % now.period[:, 0])
        here = np.stack(
            [now.epoch, np.full(len(now.run), self._seconds), now.loss, now.validation]
        )
        latest = {int(now.run[at]): here[:, at : at + 1] for at in between}
        none = here[:, :0]
        noted = zip(runs, self.ledger.curves(runs), strict=True)
        return [np.concatenate([points, latest.get(r, none)], axis=1) for r, points in noted]


def all_finite(*arrays: Array) -> bool:
    """Whether every number is finite; one sum tells, unless it overflows."""
    return all(
        math.isfinite(np.add.reduce(array, axis=None)) or np.isfinite(array).all()
        for array in arrays
    )
