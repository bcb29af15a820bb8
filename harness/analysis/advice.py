"""A sentence of advice on a run where a threshold is crossed: what is wrong, what to change."""

from collections.abc import Iterator

import numpy as np

from harness.contracts import Array, Inside, RunResult
from harness.errors import is_interruption

IDLE = 0.5  # of all hidden units, from which on it is said that they are saturated, or dead
APART = 1e4  # between the gradients of the first and the last layer, by weight
SMALL, LARGE = 1e-5, 0.5  # of a step, relative to the weights
FALLING = 0.1  # of the loss, in the last tenth of the epochs
RISEN = 1.25  # times its lowest value, which was before the last third of the epochs
EARLY = 0.1  # of the epochs


def advise(result: RunResult) -> list[str]:
    """One sentence for each threshold that is crossed; most often none."""
    if result.outcome == "diverged":
        return [_diverged(result)]
    if result.outcome != "ok" or not result.curves:
        return []
    rules = (_units, _layers, _steps, _curve)
    with np.errstate(all="ignore"):
        return [said for rule in rules for said in rule(result)]


def _rate(result: RunResult, factor: float | None = None) -> str:
    """The learning rate, and what a factor makes of it."""
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
    """A look inside the net, if its model and activation allow one."""
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
    first, *_, last = result.norms["gradient"][0] / sizes  # later they may all have come to rest
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
        told = f"no step changes the weights by more than {ratio.max():.0e} of their size"
        yield f"{told}: raise {_rate(result)}"
    elif np.median(ratio) > LARGE:
        yield f"steps are as large as the weights themselves: lower {_rate(result)}"


def _curve(result: RunResult) -> Iterator[str]:
    key = "val/loss" if "val/loss" in result.curves else "train/loss"
    steps, values = (np.asarray(part, float) for part in result.curves[key])
    if len(steps) < 10 or not np.isfinite(values).all():
        return
    end, lowest = steps[-1], values.min()
    before = np.interp(0.9 * end, steps, values)
    asked = result.config.get("stopping", {}).get("patience")
    if asked is None and steps[values.argmin()] < end * 2 / 3 and values[-1] > RISEN * lowest > 0:
        since = int(steps[values.argmin()])
        stop = f"stopping.patience={max(10, int(end) // 10)} ends such a run"
        cure = stop if since else f"lower {_rate(result)}"
        told = f"{key} has risen since epoch {since}, from {lowest:.3g} to {values[-1]:.3g}"
        yield f"{told}: {cure}"
    elif asked is None and values[-1] == lowest and before - values[-1] > FALLING * before > 0:
        fallen = (before - values[-1]) / before
        told = f"{key} is still falling, by {fallen:.0%} in the last tenth".replace("%", " %")
        yield f"{told}: raise epochs or {_rate(result)}"
