"""What is measured of a net besides its loss: metrics on the way, and the numbers that remain."""

from collections.abc import Sequence

import numpy as np

from harness.contracts import Array
from harness.data import Prepared, decode
from harness.stack import Member, Stack, stack
from harness.stopping import Watch
from harness.training import for_all, predict
from harness.weights import Shapes


def evaluate(alone: Stack, row: Array, shapes: Shapes, prepared: Prepared) -> dict[str, float]:
    """One run's metrics on its held-out parts (on the training part if nothing is held out)."""
    member, numbers = alone.members[0], {}
    judged = ("validation", "val") if "validation" in prepared.rows else ("train", "train")
    for part, prefix in (judged, ("test", "test")):
        if part not in prepared.rows:
            continue
        x, y = prepared.ready(part, member.loss.task, member.dtype)
        outputs = predict(alone, row, shapes, x)
        if part == "test":
            numbers["test/loss"] = float(alone.loss(outputs, for_all(y, 1))[0])
        said = decode(outputs.astype(float), alone.loss, prepared.scaling)
        for name, metric in member.metrics:
            numbers[f"{prefix}/{name}"] = float(metric(said, prepared.raw(part)[1])[0])
    return numbers


def finals_of(
    members: Sequence[Member], watch: Watch, prepared: Prepared, shapes: Shapes
) -> list[dict[str, float]]:
    """What is recorded of each run once: of its result's weights, its best epoch, its time."""
    prefix = "val" if "validation" in prepared.rows else "train"
    out = []
    for r, member in enumerate(members):
        numbers = evaluate(stack([member]), watch.rows[r : r + 1], shapes, prepared)
        numbers[f"{prefix}/best_loss"] = float(watch.best_loss[r])
        numbers[f"{prefix}/best_epoch"] = float(watch.best_epoch[r])
        numbers["train/seconds"] = float(watch.seconds[r]) / len(members)
        out.append({key: value for key, value in numbers.items() if np.isfinite(value)})
    return out


class Histories:
    """The metrics of runs that ask for them on the way (`tracking.metrics_every`)."""

    def __init__(self, members: Sequence[Member], prepared: Prepared, shapes: Shapes) -> None:
        self._every = [m.metrics_every for m in members]
        self._asked = any(self._every)
        self._prepared, self._shapes = prepared, shapes
        self.points: list[dict[str, list[tuple[int, float, float]]]] = [{} for _ in members]

    def see(self, index: int, who: Array, alive: Stack, rows: Array, seconds: float) -> None:
        """Note (epoch, seconds, value) of each metric, for the runs whose turn it is."""
        if not self._asked:
            return
        for i, r in enumerate(who):
            every = self._every[r]
            if not every or index % every:
                continue
            alone = stack([alive.members[i]])
            numbers = evaluate(alone, rows[i : i + 1], self._shapes, self._prepared)
            for key, value in numbers.items():
                if not key.startswith("test/") and np.isfinite(value):
                    self.points[r].setdefault(key, []).append((index, seconds, value))
