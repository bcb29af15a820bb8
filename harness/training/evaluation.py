"""What is measured of nets besides their loss: metrics on the way, and the numbers that remain."""

from collections.abc import Sequence

import numpy as np

from harness.contracts import Array
from harness.training.data import Prepared, decode
from harness.training.history import Ended
from harness.training.loop import broadcast_runs, predict
from harness.training.stack import Group, Member, Saved, make_stack
from harness.training.weights import Shapes

Numbers = dict[str, float]


def evaluate(
    members: Sequence[Member], rows: Array, shapes: Shapes, prepared: Prepared
) -> list[Numbers]:
    """Each run's metrics on its held-out parts (on the training part if nothing is held out)."""
    together, numbers = make_stack(members), [Numbers() for _ in members]
    judged = ("validation", "val") if "validation" in prepared.rows else ("train", "train")
    for part, prefix in (judged, ("test", "test")):
        if part not in prepared.rows:
            continue
        x, y = prepared.ready(part, together.loss.task, members[0].dtype)
        outputs = predict(together, rows, shapes, x)
        if part == "test":
            losses = together.loss(outputs, broadcast_runs(y, len(rows)))
            for own, loss in zip(numbers, losses, strict=True):
                own["test/loss"] = float(loss)
        said = decode(outputs.astype(float), together.loss, prepared.scaling)
        truth = prepared.raw(part)[1]
        said.setflags(write=False)
        truth.setflags(write=False)
        for name, metric in dict.fromkeys(asked for m in members for asked in m.metrics):
            values = metric(said, truth)
            if np.shape(values) != (len(rows),):
                came = f"returned numbers of shape {np.shape(values)}"
                raise TypeError(f"metric.__call__ {came}, and {(len(rows),)} is expected")
            for own, member, value in zip(numbers, members, values, strict=True):
                if (name, metric) in member.metrics:
                    own[f"{prefix}/{name}"] = float(value)
    return numbers


def final_metrics(
    members: Sequence[Member], ended: Sequence[Ended], prepared: Prepared, shapes: Shapes
) -> list[Numbers]:
    """What is recorded of each run once: of its result's weights, its best epoch, its time."""
    prefix = "val" if "validation" in prepared.rows else "train"
    measured = evaluate(members, np.stack([end.row for end in ended]), shapes, prepared)
    for numbers, end in zip(measured, ended, strict=True):
        numbers[f"{prefix}/best_loss"] = end.best_loss
        numbers[f"{prefix}/best_epoch"] = float(end.best_epoch)
        numbers["train/seconds"] = end.seconds
    return [{k: v for k, v in numbers.items() if np.isfinite(v)} for numbers in measured]


class MetricHistories:
    """The metrics of runs that ask for them on the way (`tracking.metrics_every`)."""

    def __init__(self, members: Sequence[Member], prepared: Prepared, shapes: Shapes) -> None:
        self._asked = any(member.metrics_every for member in members)
        self._prepared, self._shapes = prepared, shapes
        self.points: list[dict[str, list[tuple[int, float, float]]]] = [{} for _ in members]

    def saved(self, run: int) -> Saved:
        """The points of a run, by `metric` and its key."""
        return {f"metric {key}": np.array(noted) for key, noted in self.points[run].items()}

    def restore(self, run: int, saved: Saved) -> None:
        """The points that a run had before."""
        for name, noted in saved.items():
            if name.startswith("metric "):
                self.points[run][name.removeprefix("metric ")] = [*map(tuple, noted.tolist())]

    def see(self, runs: Array, group: Group, seconds: float) -> None:
        """Note (epoch, seconds, value) of each metric, for the runs whose turn it is."""
        if not self._asked:
            return
        every = np.array([member.metrics_every or 0 for member in group.stack.members])
        turn = np.flatnonzero((every > 0) & (group.number % np.maximum(every, 1) == 0))
        if not len(turn):
            return
        members = [group.stack.members[at] for at in turn]
        measured = evaluate(members, group.rows[turn], self._shapes, self._prepared)
        for at, numbers in zip(turn, measured, strict=True):
            for key, value in numbers.items():
                if not key.startswith("test/") and np.isfinite(value):
                    point = int(group.number[at]), seconds, value
                    self.points[runs[at]].setdefault(key, []).append(point)
