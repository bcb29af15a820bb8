"""One stack of runs, from configs to results."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from harness.contracts import Array
from harness.store.results import Curve, Result
from harness.training import checkpoints
from harness.training.data import prepare_for
from harness.training.evaluation import final_metrics, note_metrics
from harness.training.history import History, RunState, initial_state, make_limits
from harness.training.leaves import Saved
from harness.training.loop import Change, broadcast_runs, initial_weights, predict, train
from harness.training.plugin_calls import losses
from harness.training.shape_checks import try_once
from harness.training.stack import Group, Member, start_group
from harness.training.stopping import End, Stopping
from harness.training.trace import SERIES, TrainingTrace, trail
from harness.training.weights import split_weights

SNAPSHOT_SECONDS = 2.5
NONE_KEPT: Mapping[int, bytes] = MappingProxyType({})

Prune = Callable[[str, int, float], bool]  # of a fingerprint, an epoch, the judged loss


class Clock:
    """Seconds since 1970 that never go back, even if the wall clock is set back."""

    def __init__(self, after: float = 0.0) -> None:
        self._ahead = max(time.time(), after) - time.perf_counter()

    def seconds(self) -> float:
        """Return the time."""
        return self._ahead + time.perf_counter()


class TrainingSession:
    """The training of one stack: the loop, the end of each run, and what is kept of it.

    A run continues from its checkpoint in `kept`, by fingerprint, if it has one that fits.
    """

    def __init__(
        self,
        members: Sequence[Member],
        fingerprints: Sequence[str],
        prune: Prune | None = None,
        kept: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        self.members, self.fingerprints = members, fingerprints
        self.prepared, self.history = prepare_for(members[0]), History()
        self.validated = "validation" in self.prepared.rows
        self.measured = any(member.metrics_every for member in members)
        self.data = self._ready("train")
        outlines = (array.shape[1] for array in self.data)
        rows, self.shapes, streams = initial_weights(members, self.prepared, *outlines)
        found = [checkpoints.unpack_checkpoint(kept.get(name, b"")) for name in fingerprints]
        latest = max((each[1] for each in found if each), default=0.0)
        known = {run: each[0] for run, each in enumerate(found) if each}
        self.clock = Clock(latest)
        began = self.clock.seconds()
        group, state = start_group(members, rows, streams), initial_state(rows, began)
        self.group, state = checkpoints.restore(known, group, state, self.history)
        limits = make_limits(members, prune is not None)
        asked = (lambda run, *at: prune(fingerprints[run], *at)) if prune is not None else None
        self.stopping = Stopping(
            state, limits, self.history, asked, validated=self.validated, seconds=began
        )
        self.trace = TrainingTrace(members, self.shapes, self.history)

    def _ready(self, part: str) -> tuple[Array, Array]:
        return self.prepared.ready(part, self.members[0].loss.task, self.members[0].dtype)

    def results(self) -> Iterator[list[Result]]:
        """Yield, every few seconds, results of runs that have ended and snapshots of the others.

        Snapshots and checkpoints are due when they would be late after the next epoch.
        """
        held_out = self._ready("validation") if self.validated else None
        yield self._snapshots(NONE_KEPT)
        try_once(self.group.stack, split_weights(self.group.rows, self.shapes), *self.data)
        pauses = min(m.checkpoint_seconds or np.inf for m in self.members)
        pace = min([SNAPSHOT_SECONDS, *(m.timeout / 2 for m in self.members if m.timeout)])
        stopping, epochs = self.stopping, train(self.group, *self.data, self.shapes)
        shown = before = now = self.clock.seconds()
        due, epoch = shown + pauses, next(epochs)
        while True:
            runs = stopping.runs
            self.trace.see(runs, epoch, now)
            kept = NONE_KEPT if epoch.kept is None else self._checkpoints(epoch.kept, epoch.loss)
            loss = None if held_out is None else self._loss(epoch.group, *held_out)
            now = self.clock.seconds()
            self._measure(runs, epoch.group, now)
            stays = stopping.see(epoch, loss, now)
            if stays is not None:
                self.trace.note_norms(runs, epoch, ~stays, now)
            if not len(stopping.runs):
                break
            after, before, due = 2 * now - before, now, now + pauses if kept else due
            if kept or after - shown >= pace:
                yield self._finals() + self._snapshots(kept)
                shown = before = self.clock.seconds()
            keep = after >= due
            epoch = epochs.send(None if stays is None and not keep else Change(stays, keep))
        yield self._finals()

    def _checkpoints(self, group: Group, loss: Array) -> dict[int, bytes]:
        """Return a checkpoint of each run in training, before the epoch's end is looked at."""
        now = self.clock.seconds()
        self.stopping.tick(now)
        group, state = group._replace(loss=loss), self.stopping.settle()
        return checkpoints.pack_checkpoints(group, state, self.history, now)

    def _measure(self, runs: Array, group: Group, seconds: float) -> None:
        if self.measured:
            note_metrics(self.history, runs, group, self.prepared, self.shapes, seconds)

    def _loss(self, group: Group, x: Array, y: Array) -> Array:
        prediction = predict(group.stack, group.rows, self.shapes, x)
        return losses(group.stack, prediction, broadcast_runs(y, len(group.rows)))

    def _finals(self) -> list[Result]:
        """Return the results of the runs that have ended since the last call."""
        if (ended := self.stopping.pop_ended()) is None:
            return []
        state, ends = ended
        rows = state.best_rows if self.validated else state.rows
        members = [self.members[run] for run in state.run]
        finals = final_metrics(members, state, rows, self.prepared, self.shapes)
        results = []
        for at, (end, numbers) in enumerate(zip(ends, finals, strict=True)):
            weights = [layer[0].copy() for layer in split_weights(rows[at : at + 1], self.shapes)]
            series = self.history.series(int(state.run[at]))
            kept = {"weights": weights, "trail": trail(series, members[at].dtype)}
            results.append(self._result(state, at, end, series, metrics=numbers, **kept))
        return results

    def _snapshots(self, kept: Mapping[int, bytes]) -> list[Result]:
        state, end = self.stopping.state, ("running", "", self.clock.seconds())
        return [
            self._result(state, at, end, self.history.series(run), checkpoint=kept.get(run, b""))
            for at, run in enumerate(state.run.tolist())
        ]

    def add_history(self, result: Result) -> Result:
        """Return the result of a run that raised, with its points and epochs until then."""
        state, run = self.stopping.state, self.fingerprints.index(result.fingerprint)
        series, at = self.history.series(run), np.flatnonzero(state.run == run)
        epoch = state.epoch[at] if len(at) else series["loss"][-1:, 0]  # noted when it ended
        return replace(result, curves=_curves(series), last_epoch=int(epoch[0]))

    def _result(self, state: RunState, at: int, end: End, series: Saved, **more: Any) -> Result:
        outcome, reason, seconds = end
        return Result(
            self.fingerprints[state.run[at]],
            outcome,
            started=int(state.began[at] * 1000),
            ended=int(seconds * 1000),
            curves=_curves(series),
            best_epoch=int(state.best_epoch[at]),
            last_epoch=int(state.epoch[at]),
            reason=reason,
            **more,
        )


def _curves(series: Saved) -> dict[str, Curve]:
    """Return the curves of a run, of the points that were noted and no others.

    They are the points that the run has alone. A point where a snapshot finds the run would make
    the record depend on the moment: 114 points where `log_every` asks for 101.
    """
    points = series.get("loss", np.empty((0, 4)))
    losses = {"train/loss": points[:, :3], "val/loss": points[:, [0, 1, 3]]}
    metrics = {key: noted for key, noted in series.items() if key not in (*SERIES, "loss")}
    return {
        key: Curve(noted[:, 0].astype(int), noted[:, 2], (noted[:, 1] * 1000).astype(np.int64))
        for key, noted in (losses | metrics).items()
        if np.isfinite(noted[:, 2]).any()
    }
