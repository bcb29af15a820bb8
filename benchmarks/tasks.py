"""The three tasks for measuring training speed: their nets, data and random numbers."""

from typing import Any, NamedTuple

import numpy as np
from hydra.types import RunMode

from benchmarks import notebook
from harness.config.build import build
from harness.config.record import record_config
from harness.hydra_app.app import open_composer
from harness.training.data import prepare_for, random_stream
from harness.training.stack import Member


class Case(NamedTuple):
    """One task, for the harness and for the notebook's loop."""

    about: str
    overrides: tuple[str, ...]
    task: notebook.Task
    epochs: int


class Start(NamedTuple):
    """The start of a run of the harness; the others start from the same data and weights."""

    x: np.ndarray  # (N, features)
    y: np.ndarray  # (N, outputs)
    weights: list[np.ndarray]  # a layer (fan_in + 1, fan_out) each, the last row its biases
    batches: np.random.Generator  # each epoch takes a permutation of N


SURFACE = ("dataset=surface", "dataset.samples=2000", "model.hidden=[32,32]", "batch_size=32")
DIGITS = ("dataset=digits", "loss=softmax_cross_entropy", "model.hidden=[128]", "batch_size=64")
ADAM = ("activation=tanh", "optimizer=adam", "initializer=glorot")
CASES = {
    "T1": Case(
        "the notebook's net 2-4-1, sigmoid, 200 rows, full batch, gradient descent",
        ("dataset=surface", "optimizer.learning_rate=0.05"),
        notebook.Task((2, 4, 1), "sigmoid", "mse", "sgd", None, 0.05),
        epochs=200,
    ),
    "T2": Case(
        "2-32-32-1, tanh, 2,000 rows, batches of 32, Adam",
        (*SURFACE, *ADAM),
        notebook.Task((2, 32, 32, 1), "tanh", "mse", "adam", 32, 0.001),
        epochs=10,
    ),
    "T3": Case(
        "64-128-10, tanh, softmax, the 1,797 digits, batches of 64, Adam",
        (*DIGITS, *ADAM),
        notebook.Task((64, 128, 10), "tanh", "softmax", "adam", 64, 0.001),
        epochs=10,
    ),
}


def configs(
    case: Case, runs: int, epochs: int, dtype: str = "float64", validation: float = 0.0
) -> list[dict[str, Any]]:
    """Compose the configs of runs that differ in their seed."""
    lines = [*case.overrides, f"epochs={epochs}", f"dtype={dtype}", f"validation={validation}"]
    with open_composer() as hydra:
        cfg = hydra.compose_config("config", lines, RunMode.RUN, with_log_configuration=False)
        config = record_config(cfg)
    return [config | {"seed": seed} for seed in range(runs)]


def member(config: dict[str, Any]) -> Member:
    """Build the member of a config."""
    return build(config)


def starts(case: Case, runs: int, dtype: str = "float64", validation: float = 0.0) -> list[Start]:
    """Return data, initial weights and batch order of runs, as the harness has them."""
    made = [member(config) for config in configs(case, runs, case.epochs, dtype, validation)]
    x, y = prepare_for(made[0]).ready("train", made[0].loss.task, dtype)
    return [Start(x, y, first_weights(m, x, y), random_stream(m.seed, "batches")) for m in made]


def first_weights(run: Member, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Return the initial weights of a run."""
    rng = random_stream(run.seed, "weights")
    layers = run.model.init(rng, run.initializer, x.shape[1], y.shape[1])
    return [np.array(layer, run.dtype) for layer in layers]


def orders(start: Start, epochs: int) -> np.ndarray:
    """Return the order of examples in each epoch (epochs, N), from the run's own generator."""
    return np.stack([start.batches.permutation(len(start.x)) for _ in range(epochs)])


def loss(case: Case, start: Start, weights: list[np.ndarray]) -> float:
    """Return the loss of weights on all of the data, in the same way for all."""
    layers = [np.asarray(layer, np.float64) for layer in weights]
    x, y = start.x.astype(np.float64), start.y.astype(np.float64)
    return float(notebook.step(case.task, layers, x, y)[0])
