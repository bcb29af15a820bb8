"""One stack of runs, from configs to results."""

import copy
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from harness.compose import build
from harness.contracts import Array
from harness.data import Prepared, prepare_for, stream
from harness.errors import HarnessError
from harness.evaluation import Histories, finals_of
from harness.memory import keep_freed_memory, undisturbed
from harness.recording import Config
from harness.stack import Change, Group, Member, Streams, start
from harness.stopping import Watch
from harness.stopping.ledger import Ended
from harness.store import Curve, Result
from harness.training import for_all, predict, train
from harness.weights import Shapes, join, split

SNAPSHOT_SECONDS = 2.5

Prune = Callable[[str, int, float], bool]  # of a fingerprint, an epoch, the judged loss


def train_stack(
    fingerprints: Sequence[str],
    configs: Sequence[Config],
    slots: int | None = None,
    prune: Prune | None = None,
) -> Iterator[list[Result]]:
    """Train runs that share a signature, at most `slots` at once (None: all); the others wait.

    Lists come every few seconds: snapshots of the runs in training (outcome "running"), and one
    final result of each run soon after it ended. A run ends early (outcome "pruned") where
    `prune(fingerprint, epoch, judged loss)` says so; it is asked about 20 times a run. If a stack
    raises, those in training are trained again one by one, so that only the one at fault fails.
    """
    keep_freed_memory()
    waiting = list(zip(fingerprints, configs, strict=True))
    while waiting:
        told: set[str] = set()
        begun = slots or len(waiting)
        try:
            training = None
            with _pools().limit(limits=1, user_api="blas"), undisturbed():
                members = [build(config).member for _, config in waiting]
                training = Training(members, [f for f, _ in waiting], slots, prune)
                for results in training.results():
                    told |= {r.fingerprint for r in results if r.outcome != "running"}
                    yield results
            return
        except Exception as error:
            if training is not None:
                begun = training.begun
            suspects = [run for run in waiting[:begun] if run[0] not in told]
            if len(suspects) == 1:
                yield [failure(suspects[0][0], error)]
            else:
                for fingerprint, config in suspects:
                    yield from train_stack([fingerprint], [config], prune=prune)
            waiting = waiting[begun:]


@cache
def _pools() -> Any:
    """The libraries with threads of their own; to find them takes longer than a short run."""
    return ThreadpoolController()


def failure(fingerprint: str, error: BaseException) -> Result:
    """The result of a run that raised: its traceback, and no weights."""
    now = int(time.time() * 1000)
    text = "".join(traceback.format_exception(error))
    named = "" if isinstance(error, HarnessError) else f"{type(error).__name__}: "
    reason = f"{named}{error}".splitlines()[0]
    return Result(fingerprint, "failed", now, now, reason=reason, traceback=text)


class Clock:
    """Seconds since a start, and those as wall-clock time, even if the wall clock is set back."""

    def __init__(self) -> None:
        self._start, self._wall = time.perf_counter(), time.time()

    def seconds(self) -> float:
        return time.perf_counter() - self._start

    def at(self, seconds: float) -> int:
        """Milliseconds since 1970."""
        return int((self._wall + seconds) * 1000)

    def times(self, seconds: Array) -> Array:
        """Milliseconds since 1970, of many."""
        return ((self._wall + seconds) * 1000).astype(np.int64)


class Training:
    """The training of one stack, watched: who is done, who comes, and what is kept of each.

    Runs are numbered as they are given; the first `slots` begin at once.
    """

    def __init__(
        self,
        members: Sequence[Member],
        fingerprints: Sequence[str],
        slots: int | None = None,
        prune: Prune | None = None,
    ) -> None:
        self.members, self.fingerprints = members, fingerprints
        self.slots, self.begun = slots or len(members), 0
        self.prepared, self.clock = prepare_for(members[0]), Clock()
        self.pace = min([SNAPSHOT_SECONDS, *(m.timeout / 2 for m in members if m.timeout)])
        self.data = self._ready("train")
        self.group, self.shapes = self._next(self.slots)
        asked = None if prune is None else self._asking(prune)
        self.watch = Watch(self.group.stack.members, self.group.rows, asked)
        self.history = Histories(members, self.prepared, self.shapes)

    def _ready(self, part: str) -> tuple[Array, Array]:
        return self.prepared.ready(part, self.members[0].loss.task, self.members[0].dtype)

    def _next(self, count: int) -> tuple[Group, Shapes]:
        """The next of the runs that wait, ready to begin."""
        x, y = self.data
        members = self.members[self.begun : self.begun + count]
        self.begun += len(members)
        rows, shapes, streams = begin(members, self.prepared, x.shape[1], y.shape[1])
        return start(members, rows, streams), shapes

    def _asking(self, prune: Prune) -> Callable[[int, int, float], bool]:
        return lambda run, epoch, loss: prune(self.fingerprints[run], epoch, loss)

    def results(self) -> Iterator[list[Result]]:
        """Every few seconds what runs left that ended, and snapshots of those that go on."""
        held_out = self._ready("validation") if "validation" in self.prepared.rows else None
        epochs, told = train(self.group, *self.data, self.shapes), -SNAPSHOT_SECONDS
        epoch = next(epochs)
        while True:
            loss = None if held_out is None else self._loss(epoch.group, *held_out)
            now = self.clock.seconds()
            self.history.see(self.watch.runs, epoch.group, now)
            stays = self.watch.see(epoch, loss, now)
            change = None if stays is None else self._change(stays)
            if not len(self.watch.runs):
                break
            if now - told >= self.pace or len(self.watch.ended) >= self.slots:
                told = now
                yield self._finals() + self._snapshots()
            epoch = epochs.send(change)
        yield self._finals()

    def _loss(self, group: Group, x: Array, y: Array) -> Array:
        prediction = predict(group.stack, group.rows, self.shapes, x)
        return group.stack.loss(prediction, for_all(y, len(group.rows)))

    def _change(self, stays: Array) -> Change:
        room = self.slots - int(np.count_nonzero(stays))
        if not room or self.begun == len(self.members):
            return Change(stays)
        fresh, _ = self._next(room)
        self.watch.admit(fresh.stack.members, fresh.rows)
        return Change(stays, fresh)

    def _finals(self) -> list[Result]:
        """What those left who have ended; they are forgotten here."""
        ended, self.watch.ended = sorted(self.watch.ended, key=lambda end: end.run), []
        if not ended:
            return []
        members = [self.members[end.run] for end in ended]
        finals = finals_of(members, ended, self.prepared, self.shapes)
        results = self._results(ended, finals)
        self.watch.ledger.forget([end.run for end in ended])
        return results

    def _snapshots(self) -> list[Result]:
        going_on = self.watch.going_on()
        return self._results(going_on, [{} for _ in going_on])

    def _results(self, runs: Sequence[Ended], finals: Sequence[dict[str, float]]) -> list[Result]:
        curves = self.watch.curves([run.run for run in runs])
        return [self._result(*each) for each in zip(runs, finals, curves, strict=True)]

    def _result(self, run: Ended, finals: dict[str, float], points: Array) -> Result:
        over = run.outcome != "running"
        return Result(
            self.fingerprints[run.run],
            run.outcome,
            self.clock.at(run.began),
            self.clock.at(run.ended),
            self._curves(run.run, points),
            finals,
            [layer[0].copy() for layer in split(run.row[None], self.shapes)] if over else [],
            run.best_epoch,
            run.last_epoch,
            run.reason,
        )

    def _curves(self, run: int, points: Array) -> dict[str, Curve]:
        epochs, seconds, train_loss, validation = points
        steps, times = epochs.astype(int), self.clock.times(seconds)
        curves = {"train/loss": Curve(steps, train_loss, times)}
        if np.isfinite(validation).any():
            curves["val/loss"] = Curve(steps, validation, times)
        for key, noted in self.history.points[run].items():
            at, seconds, values = np.array(noted).T
            curves[key] = Curve(at.astype(int), values, self.clock.times(seconds))
        return curves


def begin(
    members: Sequence[Member], prepared: Prepared, features: int, outputs: int
) -> tuple[Array, Shapes, Streams]:
    """The first weights of each run as rows, their shapes, and each run's own generators."""
    rows, streams = [], Streams([], [])
    for member in members:
        rng = copy.deepcopy(prepared.rng)  # `rng: single` goes on where the data left it
        weights = rng or stream(member.seed, "weights")
        layers = member.model.init(weights, member.initializer, features, outputs)
        layers = [np.asarray(array, member.dtype) for array in layers]
        rows.append(join([array[None] for array in layers]))
        streams.batches.append(rng or stream(member.seed, "batches"))
        streams.dropout.append(rng or stream(member.seed, "dropout"))
    return np.concatenate(rows), [array.shape for array in layers], streams
