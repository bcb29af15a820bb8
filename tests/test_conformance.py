"""Every installed plugin keeps the contract; the decorator is what any author's test uses."""

from contextlib import suppress
from pathlib import Path

import pytest

from harness.checks import Skip, parametrize_checks
from harness.checks.running import instances
from harness.contracts import KINDS
from harness.registry import load, names

TABLE = str(Path(__file__).parent / "cities.csv")
# Besides each plugin with its defaults, settings that take another way through the code.
MORE = {
    "dataset/blobs": [{"samples": 7, "noise": 0.0, "classes": 5, "features": 3}],
    "dataset/csv": [{"path": TABLE, "target": "rent"}, {"path": TABLE, "target": "country"}],
    "dataset/surface": [{"samples": 1}],
    "model/mlp": [
        {"hidden": ()},
        {"hidden": (1,)},
        {"hidden": (5, 1, 3)},
        {"hidden": (3, 5), "dropout": 0.3, "layer_norm": True},
    ],
    "activation/leaky_relu": [{"slope": 0.3}, {"slope": 1.0}],
    "activation/swish": [{"beta": -2.5}, {"beta": 0.0}],
    "optimizer/adam": [{"learning_rate": 0.01, "beta1": 0.0, "beta2": 0.0, "epsilon": 1e-3}],
    "optimizer/sgd": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "loss/softmax_cross_entropy": [
        {"label_smoothing": 0.5},
        {"label_smoothing": 0.1, "class_weights": (0.5, 2.0, 3.0, 1.0)},
    ],
    "schedule/step": [{"every": 3, "factor": 0.9}],
    "schedule/warmup_cosine": [{"warmup": 0.0}],
}


def installed(kind):
    """All plugins of a kind; csv, which needs fields, with those given here."""
    for name in names(kind):
        with suppress(Skip):
            yield from instances(kind, name)
        yield from (load(kind, name)(**fields) for fields in MORE.get(f"{kind}/{name}", ()))


MARKS = [parametrize_checks(kind, *installed(kind)).mark for kind in KINDS]


@pytest.mark.parametrize("check", [case for mark in MARKS for case in mark.args[1]])
def test_contract(check):
    check()
