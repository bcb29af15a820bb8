"""Sample results for the checks of figures: runs and sweeps that need no training."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from harness.contracts import Array, Arrays, Data, Hidden, Inside, RunResult, SweepResult

FAILED: dict[str, Any] = {
    "curves": {},
    "weights": [],
    "x": {},
    "y": {},
    "outcome": "failed",
    "best_epoch": -1,
}


def net(*widths: int) -> Arrays:
    """Return the weights of dense layers of these widths."""
    rng = np.random.default_rng(1)
    return [rng.normal(0, 1, (a + 1, b)) for a, b in pairwise(widths)]


def curve(decay: float = 80, epochs: int = 500, floor: float = 0.02) -> tuple[Array, Array]:
    """Return steps and values of a loss that falls exponentially."""
    steps = np.arange(0, epochs + 1, 2.0)
    return steps, 0.8 * np.exp(-steps / decay) + floor


def result(data: Data, **changes: Any) -> RunResult:
    """Return a run on this data: a half for training, a quarter each for validation and test."""
    n = len(data.x)
    cuts = {"train": slice(0, n // 2), "validation": slice(n // 2, 3 * n // 4)}
    cuts["test"] = slice(3 * n // 4, n)
    usual: dict[str, Any] = {
        "run_id": "r",
        "name": "activation=tanh seed=3",
        "outcome": "ok",
        "config": {},
        "params": {"loss": "mse", "activation": "sigmoid"},
        "curves": {"train/loss": curve(), "val/loss": curve(floor=0.04)},
        "metrics": {"val/best_loss": 0.041},
        "data": data,
        "x": {part: data.x[cut] for part, cut in cuts.items()},
        "y": {part: data.y[cut] for part, cut in cuts.items()},
        "best_epoch": 330,
        "fingerprint": "f",
        "directory": None,
    }
    return RunResult(**{**usual, **changes})


def trained(*widths: int) -> dict[str, Any]:
    """Return the fields of a RunResult that describe the training of a net."""
    weights, epoch = net(*widths), np.arange(1, 500, 16)
    falling = np.exp(-epoch / 100)[:, None] / np.arange(1, len(weights) + 1)
    z = np.random.default_rng(2).normal(0, 4, (widths[1], 40))
    h = 1 / (1 + np.exp(-z))
    inside = Inside([w / 10 for w in weights], weights, [Hidden(z, h, h * (1 - h))], 0.25)
    norms = {"gradient": falling, "change": falling / 20, "weights": 1 / falling, "epoch": epoch}
    return {"weights": weights, "norms": norms, "look": lambda: inside}


def regression(
    features: int = 2, targets: int = 1, codes: int = 0, n: int = 80, **changes: Any
) -> RunResult:
    """Return a run on y = sin x₁ + x₂ and multiples; the last `codes` features are 0 or 1."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (n, features))
    x[:, features - codes :] = x[:, features - codes :] > 1

    def predictor(x: Array) -> Array:
        second = x[:, 1] if features > 1 else 0
        return np.outer(np.sin(x[:, 0]) + second, np.arange(1, targets + 1))

    names = tuple(f"x{k}" for k in range(features)), tuple(f"y{k}" for k in range(targets))
    y = predictor(x) + rng.normal(0, 0.1, (n, targets))
    data = Data(x, y, "regression", *names, categorical=tuple(range(features))[features - codes :])
    usual = {"predictor": predictor, "weights": net(features, 4, targets)}
    return result(data, **{**usual, **changes})


def classification(classes: int = 2, features: int = 2, n: int = 120, **changes: Any) -> RunResult:
    """Return a run on blobs on a circle, whose distances give the probabilities."""
    rng = np.random.default_rng(0)
    codes = np.arange(n) % classes
    angle = 2 * np.pi * np.arange(classes) / classes
    centres = np.zeros((classes, features))
    centres[:, :2] = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = centres[codes] + rng.normal(0, 0.6, (n, features))

    def predictor(x: Array) -> Array:
        near = np.exp(-((x[:, None] - centres) ** 2).sum(axis=2)) + 1e-9
        return np.asarray(near / near.sum(axis=1, keepdims=True))

    names = tuple(f"x{k}" for k in range(features)), ("class",), tuple(map(str, range(classes)))
    data = Data(x, codes, "classification", *names)
    outputs = 1 if classes == 2 else classes
    usual = {"predictor": predictor, "weights": net(features, 32, outputs)}
    return result(data, **{**usual, **changes})


def runs() -> list[RunResult]:
    """Return runs of several tasks, among them a diverged and a failed one."""
    return [
        regression(),
        regression(1),
        classification(),
        classification(10, 64),
        regression(3, targets=2, codes=1, x={"train": np.eye(3)}, y={"train": np.eye(3, 2)}),
        regression(outcome="diverged", curves={"train/loss": ([0, 1, 2], [1.0, 1e200, np.nan])}),
        regression(**FAILED),
        regression(**trained(2, 4, 1)),
    ]


def sweeps() -> list[SweepResult]:
    """Return sweeps of many runs, of one run, and of a failed run."""
    widths, activations = (2, 4, 8, 16), ("relu", "swish", "tanh")
    many = [_member(s, width, a) for a in activations for s in (0, 1, 2) for width in widths]
    lost = _member(0, 32, "relu", outcome="diverged", metrics={})
    return [_sweep([*many, lost]), _sweep(many[:1]), _sweep([regression(**FAILED)])]


def _member(seed: int, width: int, activation: str, **changes: Any) -> RunResult:
    decay = 40 + 5 * seed + width
    params = {
        "seed": str(seed),
        "optimizer.learning_rate": str(width / 100),
        "activation": activation,
    }
    curves = {"train/loss": curve(decay), "val/loss": curve(decay, floor=0.04)}
    metrics = {"val/best_loss": decay / 1000, "val/r2": 1 - decay / 1000}
    name = f"learning_rate={width / 100} seed={seed}"
    usual = {"name": name, "params": params, "curves": curves, "metrics": metrics}
    return regression(**{**usual, **changes})


def _sweep(members: list[RunResult]) -> SweepResult:
    rows = [
        {"run_id": r.run_id, "name": r.name, "outcome": r.outcome, **r.params, **r.metrics}
        for r in members
    ]
    best = members[0] if members[0].outcome == "ok" else None
    return SweepResult("s", None, members, best, Path(), rows)
