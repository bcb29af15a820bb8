"""One stack of runs, from configs to results."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from harness.contracts import Array
from harness.store.results import Curve, Result
from harness.training import checkpoints
from harness.training.data import prepare_for
from harness.training.evaluation import MetricHistories, final_metrics
from harness.training.history import Ended
from harness.training.loop import Epoch, broadcast_runs, initial_weights, losses, predict, train
from harness.training.shape_checks import try_once
from harness.training.stack import Change, Group, Member, Saved, start_group
from harness.training.stopping import Stopping
from harness.training.trace import TrainingTrace
from harness.training.weights import Shapes, split_weights

SNAPSHOT_SECONDS = 2.5

Prune = Callable[[str, int, float], bool]  # of a fingerprint, an epoch, the judged loss


class Clock:
    """Seconds since 1970, never back to what was before, even if the wall clock is set back."""

    def __init__(self, after: float = 0.0) -> None:
        self._ahead = max(time.time(), after) - time.perf_counter()

    def seconds(self) -> float:
        return self._ahead + time.perf_counter()


class TrainingSession:
    """The training of one stack, watched: who is done, who comes, and what is kept of each.

    Runs are numbered as they are given; the first `slots` begin at once, or go on from the
    checkpoints `kept` of them.
    """

    def __init__(
        self,
        members: Sequence[Member],
        fingerprints: Sequence[str],
        slots: int | None = None,
        prune: Prune | None = None,
        kept: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        self.members, self.fingerprints = members, fingerprints
        self.slots, self.begun = slots or len(members), 0
        self.saved = checkpoints.unpack_checkpoints([kept.get(name) for name in fingerprints])
        latest = max((float(saved["seconds"]) for saved in self.saved.values()), default=0.0)
        self.prepared, self.clock = prepare_for(members[0]), Clock(latest)
        self.every = min(m.checkpoint_seconds or np.inf for m in members)
        self.pace = min([SNAPSHOT_SECONDS, *(m.timeout / 2 for m in members if m.timeout)])
        self.data = self._ready("train")
        group, self.shapes = self._next(self.slots)
        asked = (lambda run, *at: prune(fingerprints[run], *at)) if prune is not None else None
        self.watch = Stopping(group.stack.members, group.rows, asked, self.clock.seconds())
        self.history = MetricHistories(members, self.prepared, self.shapes)
        self.trail = TrainingTrace(members, self.shapes)
        self.group = self._restored(group)

    def _ready(self, part: str) -> tuple[Array, Array]:
        return self.prepared.ready(part, self.members[0].loss.task, self.members[0].dtype)

    def _next(self, count: int) -> tuple[Group, Shapes]:
        """The next of the runs that wait, ready to begin."""
        x, y = self.data
        members = self.members[self.begun : self.begun + count]
        self.begun += len(members)
        rows, shapes, streams = initial_weights(members, self.prepared, x.shape[1], y.shape[1])
        return start_group(members, rows, streams), shapes

    def _restored(self, group: Group) -> Group:
        """Those whom the watch saw come last, but where they were if they are known."""
        before, known = len(self.watch.runs) - len(group.rows), dict[int, Saved]()
        for at, run in enumerate(self.watch.runs[before:].tolist()):
            saved = self.saved.pop(run, None)
            if saved is not None and checkpoints.fits_group(saved, group, at):
                known[at] = saved
                self.history.restore(run, saved)
                self.trail.restore(run, saved)
        if not known:
            return group
        self.watch.restore({before + at: saved for at, saved in known.items()})
        return checkpoints.restore_group(group, known)

    def _checkpoints(self, epoch: Epoch) -> dict[str, bytes]:
        """Of the runs in training, if they are due; to be taken before the epoch is seen."""
        kept, now = dict[str, bytes](), self.clock.seconds()
        for at, run in enumerate(self.watch.runs.tolist()):
            parts = self.watch.saved(at, now), self.history.saved(run), self.trail.saved(run)
            kept[self.fingerprints[run]] = checkpoints.pack_checkpoint(epoch, at, *parts)
        return kept

    def results(self) -> Iterator[list[Result]]:
        """Every few seconds what runs left that ended, and snapshots of those that go on.

        Both snapshots and checkpoints are due when they would be late after the next epoch.
        """
        held_out = self._ready("validation") if "validation" in self.prepared.rows else None
        yield self._snapshots({})
        try_once(self.group.stack, split_weights(self.group.rows, self.shapes), *self.data)
        epochs, told = train(self.group, *self.data, self.shapes), self.clock.seconds()
        before, due = told, told + self.every
        epoch = next(epochs)
        while True:
            self.trail.see(runs := self.watch.runs, epoch)
            kept = {} if epoch.states is None else self._checkpoints(epoch)
            loss = None if held_out is None else self._loss(epoch.group, *held_out)
            now = self.clock.seconds()
            self.history.see(runs, epoch.group, now)
            stays = self.watch.see(epoch, loss, now)
            if stays is not None:
                self.trail.see_last(runs, epoch, ~stays)
            change = None if stays is None else self._change(stays)
            if not len(self.watch.runs):
                break
            then, before, due = 2 * now - before, now, now + self.every if kept else due
            if kept or then - told >= self.pace or len(self.watch.ended) >= self.slots:
                yield self._finals() + self._snapshots(kept)
                told = before = self.clock.seconds()
            if then >= due:
                change = (change or Change(np.ones(len(epoch.loss), bool)))._replace(keep=True)
            epoch = epochs.send(change)
        yield self._finals()

    def _loss(self, group: Group, x: Array, y: Array) -> Array:
        prediction = predict(group.stack, group.rows, self.shapes, x)
        return losses(group.stack, prediction, broadcast_runs(y, len(group.rows)))

    def _change(self, stays: Array) -> Change:
        room = self.slots - int(np.count_nonzero(stays))
        if not room or self.begun == len(self.members):
            return Change(stays)
        fresh, _ = self._next(room)
        self.watch.admit(fresh.stack.members, fresh.rows)
        return Change(stays, self._restored(fresh))

    def _finals(self) -> list[Result]:
        """What those left who have ended; they are forgotten here."""
        ended, self.watch.ended = sorted(self.watch.ended, key=lambda end: end.run), []
        if not ended:
            return []
        members = [self.members[end.run] for end in ended]
        finals = final_metrics(members, ended, self.prepared, self.shapes)
        results = self._results(ended, finals)
        self.watch.ledger.forget([end.run for end in ended])
        self.trail.forget([end.run for end in ended])
        return results

    def _snapshots(self, kept: Mapping[str, bytes]) -> list[Result]:
        going_on = self.watch.going_on()
        results = self._results(going_on, [{} for _ in going_on])
        return [replace(r, checkpoint=kept.get(r.fingerprint, b"")) for r in results]

    def _results(self, runs: Sequence[Ended], finals: Sequence[dict[str, float]]) -> list[Result]:
        curves = self.watch.curves([run.run for run in runs])
        return [self._result(*each) for each in zip(runs, finals, curves, strict=True)]

    def _result(self, run: Ended, finals: dict[str, float], points: Array) -> Result:
        over = run.outcome != "running"
        return Result(
            self.fingerprints[run.run],
            run.outcome,
            int(run.began * 1000),
            int(run.ended * 1000),
            self._curves(run.run, points),
            finals,
            [layer[0].copy() for layer in split_weights(run.row[None], self.shapes)]
            if over
            else [],
            self.trail.saved(run.run) if over else {},
            run.best_epoch,
            run.last_epoch,
            run.reason,
        )

    def _curves(self, run: int, points: Array) -> dict[str, Curve]:
        epochs, seconds, train_loss, validation = points
        steps, times = epochs.astype(int), (seconds * 1000).astype(np.int64)
        curves = {"train/loss": Curve(steps, train_loss, times)} if len(steps) else {}
        if np.isfinite(validation).any():
            curves["val/loss"] = Curve(steps, validation, times)
        for key, noted in self.history.points[run].items():
            at, seconds, values = np.array(noted).T
            curves[key] = Curve(at.astype(int), values, (seconds * 1000).astype(np.int64))
        return curves
