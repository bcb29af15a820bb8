"""Metrics of nets: on their way, and of each run's result."""

from collections.abc import Sequence

import numpy as np

from harness.contracts import Array, Metric
from harness.training.data import Prepared, decode
from harness.training.history import History, RunState
from harness.training.loop import broadcast_runs, predict, read_only
from harness.training.plugin_calls import calls_plugin, losses
from harness.training.stack import Group, Member, make_stack
from harness.training.weights import Shapes

Numbers = dict[str, float]


def evaluate(
    members: Sequence[Member], rows: Array, shapes: Shapes, prepared: Prepared
) -> list[Numbers]:
    """Return each run's metrics on its held-out parts (the training part if nothing is held out).

    `rows` (R, P) are the weights. Metrics are in the dataset's units.
    """
    together, numbers = make_stack(members), [Numbers() for _ in members]
    judged = ("validation", "val") if "validation" in prepared.rows else ("train", "train")
    for part, prefix in (judged, ("test", "test")):
        if part not in prepared.rows:
            continue
        x, y = prepared.ready(part, together.loss.task, members[0].dtype)
        outputs = predict(together, rows, shapes, x)
        if part == "test":
            test_losses = losses(together, outputs, broadcast_runs(y, len(rows)))
            for own, loss in zip(numbers, test_losses, strict=True):
                own["test/loss"] = float(loss)
        prediction = read_only(decode(outputs.astype(float), together.loss, prepared.scaling))
        truth = read_only(prepared.raw(part)[1])
        for name, metric in dict.fromkeys(asked for m in members for asked in m.metrics):
            values = _measure(metric, prediction, truth)
            for own, member, value in zip(numbers, members, values, strict=True):
                if (name, metric) in member.metrics:
                    own[f"{prefix}/{name}"] = float(value)
    return numbers


@calls_plugin("metric", "__call__")
def _measure(metric: Metric, prediction: Array, y: Array) -> Array:
    values = metric(prediction, y)
    if np.shape(values) != (len(prediction),):
        found = f"returned numbers of shape {np.shape(values)}"
        raise TypeError(f"metric.__call__ {found}, and {(len(prediction),)} is expected")
    return values


def final_metrics(
    members: Sequence[Member], state: RunState, rows: Array, prepared: Prepared, shapes: Shapes
) -> list[Numbers]:
    """Return the numbers that are recorded once of each run; `rows` (R, P) are its result."""
    prefix = "val" if "validation" in prepared.rows else "train"
    measured = evaluate(members, rows, shapes, prepared)
    for at, numbers in enumerate(measured):
        numbers[f"{prefix}/best_loss"] = float(state.best_loss[at])
        numbers[f"{prefix}/best_epoch"] = float(state.best_epoch[at])
        numbers["train/seconds"] = float(state.times[at, 1])
    return [{k: v for k, v in numbers.items() if np.isfinite(v)} for numbers in measured]


def note_metrics(
    history: History,
    runs: Array,
    group: Group,
    prepared: Prepared,
    shapes: Shapes,
    seconds: float,
) -> None:
    """Note the metrics of the runs whose `tracking.metrics_every` says that it is their turn."""
    every = np.array([member.metrics_every or 0 for member in group.stack.members])
    turn = np.flatnonzero((every > 0) & (group.number % np.maximum(every, 1) == 0))
    if not len(turn):
        return
    members = [group.stack.members[at] for at in turn]
    measured = evaluate(members, group.rows[turn], shapes, prepared)
    for key in dict.fromkeys(key for numbers in measured for key in numbers):
        values = np.array([numbers.get(key, np.nan) for numbers in measured])
        known = np.isfinite(values)
        if known.any() and not key.startswith("test/"):
            at = turn[known]
            history.note(key, seconds, runs[at], group.number[at], values[known])
