"""Results made by hand, for the tests of figures: the predictor is a plain function."""

from itertools import pairwise
from typing import Any

import numpy as np

from harness.contracts import Data, RunResult


def net(*widths: int) -> list[np.ndarray]:
    """Weights of dense layers of these widths."""
    rng = np.random.default_rng(1)
    return [rng.normal(0, 1, (a + 1, b)) for a, b in pairwise(widths)]


def curve(decay: float = 80, epochs: int = 500, floor: float = 0.02):
    steps = np.arange(0, epochs + 1, 2.0)
    return steps, 0.8 * np.exp(-steps / decay) + floor


CURVES = {
    "linear": {"train/loss": curve(), "val/loss": curve(floor=0.05)},
    "logarithmic": {"train/loss": curve(floor=1e-6)},
    "one point": {"train/loss": ([0], [0.5])},
    "few points": {"val/loss": ([0, 1, 2], [3.0, 2.0, 2.5])},
    "negative": {"train/loss": ([0, 10], [-1.0, -5000.0])},
    "constant": {"train/loss": ([0, 10], [0.693, 0.693])},
    "zeros": {"train/loss": ([0, 10], [0.0, 0.0])},
    "enormous": {"train/loss": ([0, 1, 2, 3], [-1e199, 1e199, 1.7e308, np.inf])},
    "tiny": {"train/loss": ([0, 10], [5e-324, 1e-320])},
    "long": {"train/loss": ([0, 1234567], [1.0, 0.1])},
}


def result(data: Data, **changes: Any) -> RunResult:
    """A run on this data, half for training, a quarter each for validation and test."""
    n = len(data.x)
    cuts = {"train": slice(0, n // 2), "validation": slice(n // 2, 3 * n // 4)}
    cuts["test"] = slice(3 * n // 4, n)
    settled: dict[str, Any] = {
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
    return RunResult(**{**settled, **changes})


def regression(features: int = 2, targets: int = 1, codes: int = 0, n: int = 80, **changes: Any):
    """y = sin x₁ + x₂ and multiples of it, the last `codes` features 0/1 codes."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (n, features))
    x[:, features - codes :] = x[:, features - codes :] > 1

    def predictor(x: np.ndarray) -> np.ndarray:
        second = x[:, 1] if features > 1 else 0
        return np.outer(np.sin(x[:, 0]) + second, np.arange(1, targets + 1))

    names = tuple(f"x{k}" for k in range(features)), tuple(f"y{k}" for k in range(targets))
    y = predictor(x) + rng.normal(0, 0.1, (n, targets))
    data = Data(x, y, "regression", *names, categorical=tuple(range(features))[features - codes :])
    usual = {"predictor": predictor, "weights": net(features, 4, targets)}
    return result(data, **{**usual, **changes})


def classification(classes: int = 2, features: int = 2, n: int = 120, **changes: Any):
    """Blobs on a circle, and the probabilities that their distances give."""
    rng = np.random.default_rng(0)
    codes = np.arange(n) % classes
    angle = 2 * np.pi * np.arange(classes) / classes
    centres = np.zeros((classes, features))
    centres[:, :2] = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = centres[codes] + rng.normal(0, 0.6, (n, features))

    def predictor(x: np.ndarray) -> np.ndarray:
        near = np.exp(-((x[:, None] - centres) ** 2).sum(axis=2)) + 1e-9
        return near / near.sum(axis=1, keepdims=True)

    names = tuple(f"x{k}" for k in range(features)), ("class",), tuple(map(str, range(classes)))
    data = Data(x, codes, "classification", *names)
    outputs = 1 if classes == 2 else classes
    usual = {"predictor": predictor, "weights": net(features, 32, outputs)}
    return result(data, **{**usual, **changes})
