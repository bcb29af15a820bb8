"""One stack of runs, from configs to results."""

import copy
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from harness.compose import build
from harness.contracts import Array, Arrays
from harness.data import Prepared, prepare_for, stream
from harness.errors import HarnessError
from harness.evaluation import Histories, finals_of
from harness.memory import keep_freed_memory
from harness.recording import Config
from harness.stack import Member, Stack, stack
from harness.stopping import Watch
from harness.store import Curve, Result
from harness.training import Epoch, Streams, for_all, predict, train
from harness.weights import Shapes, join, split

SNAPSHOT_SECONDS = 2.5


def train_stack(
    fingerprints: Sequence[str],
    configs: Sequence[Config],
    slots: int | None = None,
    prune: Callable[[str, int, float], bool] | None = None,
) -> Iterator[list[Result]]:
    """Train runs that share a signature; the last list yielded is final.

    Before it, every few seconds, comes a list of snapshots (outcome "running"). A stack that
    raises is trained again member by member, so that only the member at fault fails.
    """
    keep_freed_memory()
    try:
        members = [build(config).member for config in configs]
        with threadpool_limits(limits=1, user_api="blas"), np.errstate(all="ignore"):
            yield from Training(members, fingerprints).results()
    except Exception as error:
        if len(configs) == 1:
            yield [failure(fingerprints[0], error)]
        else:
            alone = zip(fingerprints, configs, strict=True)
            yield [list(train_stack([f], [config]))[-1][0] for f, config in alone]


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


class Training:
    """The training of one stack, watched: who is done, and what is kept of each."""

    def __init__(self, members: Sequence[Member], fingerprints: Sequence[str]) -> None:
        self.members, self.fingerprints = members, fingerprints
        self.prepared, self.stack, self.clock = prepare_for(members[0]), stack(members), Clock()
        self.data = self._ready("train")
        x, y = self.data
        self.rows, self.shapes, self.streams = begin(
            members, self.prepared, x.shape[1], y.shape[1]
        )
        self.watch = Watch(members, self.rows)
        self.history = Histories(members, self.prepared, self.shapes)

    def _ready(self, part: str) -> tuple[Array, Array]:
        return self.prepared.ready(part, self.members[0].loss.task, self.members[0].dtype)

    def results(self) -> Iterator[list[Result]]:
        """Snapshots every few seconds, then what the runs left."""
        held_out = self._ready("validation") if "validation" in self.prepared.rows else None
        epochs = train(self.stack, *self.data, self.rows, self.shapes, self.streams)
        alive, told, epoch = self.stack, -SNAPSHOT_SECONDS, next(epochs)
        while True:
            loss = None if held_out is None else self._loss(alive, epoch, *held_out)
            now = self.clock.seconds()
            self.history.see(epoch.number, self.watch.alive, alive, epoch.rows, now)
            stays = self.watch.see(epoch, loss, now)
            if not len(self.watch.alive):
                break
            if now - told >= SNAPSHOT_SECONDS:
                told = now
                self.watch.settle()
                yield [self._result(r) for r in range(len(self.members))]
            alive = alive if stays is None else alive.take(stays)
            epoch = epochs.send(stays)
        finals = finals_of(self.members, self.watch, self.prepared, self.shapes)
        weights = split(self.watch.rows, self.shapes)
        yield [self._result(r, finals[r], weights) for r in range(len(self.members))]

    def _loss(self, alive: Stack, epoch: Epoch, x: Array, y: Array) -> Array:
        prediction = predict(alive, epoch.rows, self.shapes, x)
        return alive.loss(prediction, for_all(y, len(epoch.rows)))

    def _result(
        self, r: int, finals: dict[str, float] | None = None, weights: Arrays | None = None
    ) -> Result:
        watch, final = self.watch, finals is not None
        return Result(
            self.fingerprints[r],
            watch.outcome[r] if final else "running",
            self.clock.at(0),
            self.clock.at(watch.seconds[r] if final else self.clock.seconds()),
            self._curves(r),
            finals or {},
            [layer[r].copy() for layer in weights or []],
            int(watch.best_epoch[r]),
            int(watch.last_epoch[r]),
            watch.reason[r],
        )

    def _curves(self, r: int) -> dict[str, Curve]:
        epochs, seconds, train_loss, validation = self.watch.curve(r)
        steps = epochs.astype(int)
        times = np.array([self.clock.at(at) for at in seconds], np.int64)
        curves = {"train/loss": Curve(steps, train_loss, times)}
        if np.isfinite(validation).any():
            curves["val/loss"] = Curve(steps, validation, times)
        for key, points in self.history.points[r].items():
            at = np.array([point[0] for point in points])
            times = np.array([self.clock.at(point[1]) for point in points], np.int64)
            curves[key] = Curve(at, np.array([point[2] for point in points]), times)
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
