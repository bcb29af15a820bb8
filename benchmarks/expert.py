"""A tracked sweep as an expert writes it by hand: the yardstick for a whole sweep of the harness.

N nets of the notebook (2-4-1, full batch, plain gradient descent) are one NumPy stack. A child
process trains them and draws their loss curves while this one imports MLflow and makes the
store. Each run is one `create_run`, one `log_batch` and one `set_terminated`; pictures are
written straight to the artifact folder.

    python benchmarks/expert.py [RUNS] [EPOCHS]        makes mlflow.db and mlartifacts here
"""

import multiprocessing
import os
import sys
import time
from pathlib import Path

import numpy as np

RATES, HIDDEN, SAMPLES, SCALE = (0.02, 0.05, 0.1, 0.2), 4, 200, 0.1


def train(runs: int, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the learning rate of each run, and its loss before training and after each epoch."""
    rng = np.random.default_rng(42)
    x1, x2 = rng.uniform(-2, 2, (2, SAMPLES))
    y = 1.2 * np.sin(x1) + 0.7 * x2 - 0.3 * x1 * x2 + rng.normal(0, 0.1, SAMPLES)
    x, y = np.column_stack([x1, x2, np.ones(SAMPLES)]), y[:, None]
    seeds = [np.random.default_rng(seed) for seed in range(runs)]
    first = np.stack([seed.normal(0, SCALE, (3, HIDDEN)) for seed in seeds])
    second = np.stack([seed.normal(0, SCALE, (HIDDEN + 1, 1)) for seed in seeds])
    rates = np.resize(RATES, runs)
    rate = rates[:, None, None]
    h = np.ones((runs, SAMPLES, HIDDEN + 1))
    losses = np.empty((epochs + 1, runs))
    for epoch in range(epochs + 1):
        h[..., :-1] = 1 / (1 + np.exp(-(x @ first)))
        error = h @ second - y
        losses[epoch] = 0.5 * np.mean(error**2, axis=(1, 2))
        delta = error / SAMPLES
        back = (delta @ second[:, :-1].mT) * (h * (1 - h))[..., :-1]
        second -= rate * (h.mT @ delta)
        first -= rate * (x.T @ back)
    return rates, losses.T


def pictures(losses: np.ndarray, names: list[str]):
    """Yield a PNG of each loss curve; axes, ticks and labels are drawn once."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(8, 5), dpi=100)
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    axes.set(xlabel="epoch", ylabel="loss", xlim=(0, losses.shape[1] - 1), ylim=(0, losses.max()))
    axes.grid(True)
    [line] = axes.plot(losses[0], animated=True)
    title = axes.set_title("", animated=True)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    for loss, name in zip(losses, names, strict=True):
        canvas.restore_region(still)
        line.set_ydata(loss)
        title.set_text(name)
        axes.draw_artist(line)
        axes.draw_artist(title)
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def work(pipe, runs: int, epochs: int, folder: Path) -> None:
    """Train, send the curves to the parent, and draw; this is the child process."""
    started = time.time()
    rates, losses = train(runs, epochs)
    pipe.send((rates, losses, started))
    folder.mkdir()
    names = [f"seed={i} rate={rate}" for i, rate in enumerate(rates)]
    for i, picture in enumerate(pictures(losses, names)):
        picture.save(folder / f"{i}.png", compress_level=1)


def settings(i: int, rate: float, epochs: int) -> dict[str, object]:
    """Return the parameters of a run."""
    return {
        "seed": i, "data_seed": 42, "epochs": epochs, "batch_size": None, "dtype": "float64",
        "validation": 0, "standardize": False, "dataset": "surface", "dataset.samples": SAMPLES,
        "dataset.noise": 0.1, "model": "mlp", "model.hidden": [HIDDEN], "activation": "sigmoid",
        "optimizer": "sgd", "optimizer.learning_rate": rate, "optimizer.momentum": 0.0,
        "loss": "mse", "initializer": "normal", "initializer.scale": SCALE, "schedule": "constant",
    }  # fmt: skip


def record(pipe, child, epochs: int, aside: Path) -> None:
    """Record a run for each curve, and move its picture to its artifacts; this is the parent."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def pragmas(connection, _record):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    client = MlflowClient(f"sqlite:///{Path('mlflow.db').absolute()}")
    experiment = client.create_experiment("expert", Path("mlartifacts").absolute().as_uri())
    parent = client.create_run(experiment, run_name="sweep").info.run_id
    rates, losses, started = pipe.recv()
    start, folders = int(started * 1000), []
    for i, (rate, loss) in enumerate(zip(rates, losses, strict=True)):
        tags, name = {"mlflow.parentRunId": parent}, f"seed={i} rate={rate}"
        run = client.create_run(experiment, start, tags, name).info
        params = [Param(k, str(v)) for k, v in settings(i, rate, epochs).items()]
        points = [Metric("train/loss", float(v), start + e, e) for e, v in enumerate(loss)]
        client.log_batch(run.run_id, points, params)
        client.set_terminated(run.run_id, "FINISHED", start + len(loss))
        folders.append(Path(run.artifact_uri.removeprefix("file://"), "plots"))
    client.set_terminated(parent)
    child.join()
    for i, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (aside / f"{i}.png").replace(folder / "loss.png")
    aside.rmdir()


def main() -> None:
    """Train and record the sweep."""
    runs, epochs = (int(a) for a in (*sys.argv[1:], 64, 200)[:2])
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    here, there = multiprocessing.Pipe()
    aside = Path("pictures")
    arguments = (there, runs, epochs, aside)
    child = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    child.start()
    record(here, child, epochs, aside)


if __name__ == "__main__":
    main()
