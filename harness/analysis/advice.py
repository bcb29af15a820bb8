"""Advice on a run: one sentence on the problem and its cure for each threshold it crosses."""

from collections.abc import Iterator

import numpy as np

from harness.contracts import Array, Inside, RunResult
from harness.errors import is_interruption

IDLE = 0.5  # the share of saturated or dead hidden units that calls for advice
APART = 1e4  # the ratio of the gradients of the first and the last layer, per weight
SMALL, LARGE = 1e-5, 0.5  # the size of a step, relative to the weights
FALLING = 0.1  # the relative fall of the loss in the last tenth of the epochs
RISEN = 1.25  # the loss over its lowest value, which lies before the last third of the epochs
EARLY = 0.1  # a run that diverges within this share of its epochs diverges early


def advise(result: RunResult) -> list[str]:
    """Return one sentence for each threshold that the run crosses; for most runs none."""
    if result.outcome == "diverged":
        return [_diverged(result)]
    if result.outcome != "ok" or not result.curves:
        return []
    rules = (_units, _layers, _steps, _curve)
    with np.errstate(all="ignore"):
        return [sentence for rule in rules for sentence in rule(result)]


def _rate(result: RunResult, factor: float | None = None) -> str:
    """Return the learning rate's name, and with a factor its present and its better value."""
    known = result.params.get("optimizer.learning_rate")
    if known is None or factor is None:
        return "optimizer.learning_rate"
    return f"optimizer.learning_rate from {float(known):g} to {float(known) * factor:g}"


def _diverged(result: RunResult) -> str:
    steps = result.curves["train/loss"][0] if "train/loss" in result.curves else [0]
    last = int(steps[-1]) if len(steps) else 0
    early = last <= EARLY * float(result.params.get("epochs", "0"))
    return f"it diverged after epoch {last}: lower {_rate(result, 0.1 if early else 0.3)}"


def _units(result: RunResult) -> Iterator[str]:
    inside = _inside(result)
    states = inside.states() if inside is not None else []
    units = sum(sum(layer.values()) for layer in states)
    scale = "initializer.scale or " if "initializer.scale" in result.params else ""
    cures = {
        "saturated": f"lower {scale}{_rate(result)}",
        "dead": f"lower {_rate(result)}, or take activation=leaky_relu",
    }
    for state, cure in cures.items():
        share = sum(layer[state] for layer in states) / max(units, 1)
        if share >= IDLE:
            yield f"{share:.0%} of hidden units are {state}: {cure}".replace("%", " %")


def _inside(result: RunResult) -> Inside | None:
    """Return the inside of the net, or None if its model or activation raises an error."""
    try:
        return result.inside
    except BaseException as error:
        if is_interruption(error):
            raise
        return None


def _layers(result: RunResult) -> Iterator[str]:
    inside = _inside(result)
    if not result.norms or inside is None or len(inside.hidden) < 2:
        return
    sizes = np.sqrt([np.size(array) for array in result.weights])
    first, *_, last = result.norms["gradient"][0] / sizes  # later all may be near 0
    ratio = float(first / last)
    if ratio < 1 / APART:
        cure = "initializer=glorot (he with relu), another activation, or fewer layers"
        yield f"gradients vanish: the first layer's is {ratio:.0e} of the last one's: {cure}"
    elif ratio > APART:
        yield f"gradients explode: the first layer's is {ratio:.0e} of the last one's: lower " + (
            "initializer.scale" if "initializer.scale" in result.params else "clip.norm"
        )


def _steps(result: RunResult) -> Iterator[str]:
    if not result.norms:
        return
    ratio: Array = (result.norms["change"] / result.norms["weights"]).max(axis=1)
    if ratio.max() < SMALL:
        problem = f"no step changes the weights by more than {ratio.max():.0e} of their size"
        yield f"{problem}: raise {_rate(result)}"
    elif np.median(ratio) > LARGE:
        yield f"steps are as large as the weights themselves: lower {_rate(result)}"


def _curve(result: RunResult) -> Iterator[str]:
    key = "val/loss" if "val/loss" in result.curves else "train/loss"
    steps, values = (np.asarray(part, float) for part in result.curves[key])
    if len(steps) < 10 or not np.isfinite(values).all():
        return
    end, lowest = steps[-1], values.min()
    before = np.interp(0.9 * end, steps, values)
    stops = result.config.get("stopping", {}).get("patience") is not None
    since = int(steps[values.argmin()])
    if not stops and since < end * 2 / 3 and values[-1] > RISEN * lowest > 0:
        stop = f"stopping.patience={max(10, int(end) // 10)} ends such a run"
        cure = stop if since else f"lower {_rate(result)}"
        problem = f"{key} has risen since epoch {since}, from {lowest:.3g} to {values[-1]:.3g}"
        yield f"{problem}: {cure}"
    elif not stops and values[-1] == lowest and before - values[-1] > FALLING * before > 0:
        fallen = (before - values[-1]) / before
        problem = f"{key} is still falling, by {fallen:.0%} in the last tenth".replace("%", " %")
        yield f"{problem}: raise epochs or {_rate(result)}"
