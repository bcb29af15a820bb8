"""The net that the peers' scripts share: the notebook's, trained by hand, with its loss curve."""

import numpy as np
from matplotlib.figure import Figure

from benchmarks import notebook

EPOCHS = 200
SETTINGS = {
    "seed": 0, "data_seed": 42, "epochs": EPOCHS, "batch_size": None, "dtype": "float64",
    "validation": 0, "standardize": False, "dataset": "surface", "samples": 200, "noise": 0.1,
    "model": "mlp", "hidden": 4, "dropout": 0.0, "activation": "sigmoid", "optimizer": "sgd",
    "learning_rate": 0.05, "momentum": 0.0, "loss": "mse", "initializer": "normal", "scale": 0.1,
}  # fmt: skip


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return x (200, 2) and y (200, 1), as the notebook makes them."""
    rng = np.random.default_rng(int(SETTINGS["data_seed"]))
    x1, x2 = rng.uniform(-2, 2, (2, 200))
    y = 1.2 * np.sin(x1) + 0.7 * x2 - 0.3 * x1 * x2 + rng.normal(0, 0.1, 200)
    return np.column_stack([x1, x2]), y[:, None]


def train(seed: int, rate: float, epochs: int = EPOCHS) -> list[float]:
    """Train one net, and return its loss at each epoch."""
    rng, (x, y) = np.random.default_rng(seed), data()
    weights = [rng.normal(0, 0.1, shape) for shape in ((3, 4), (5, 1))]
    task = notebook.Task((2, 4, 1), "sigmoid", "mse", "sgd", None, rate)
    return notebook.train(task, weights, x, y, epochs, rng)


def plot(losses: list[float]) -> Figure:
    """Draw the loss curve, without pyplot's global list of figures."""
    figure = Figure()
    axes = figure.subplots()
    axes.plot(losses)
    axes.set(xlabel="epoch", ylabel="loss")
    return figure
