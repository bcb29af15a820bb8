"""Manifests and results made by hand for the tests of tracking, and what MLflow then has."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.store.manifest import Manifest, Planned, read_manifest
from harness.store.npz import pack_weights
from harness.store.results import Curve, Result

# What MLflow's own code warns of when it is used as documented.
QUIET = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Operation with range:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning"),
]
START = int(time.time() * 1000) - 60_000
PARAMS = {"activation": "tanh", "optimizer.learning_rate": "0.1", "seed": "0"}
OBJECTIVE = {"metric": "val/best_loss", "direction": "minimize"}


def planned(number: int, **changes: Any) -> Planned:
    inputs = tuple(
        {"name": "surface", "digest": f"{part}-digest", "rows": rows, "features": 2}
        | {"context": part, "source": "harness://dataset/surface"}
        for part, rows in (("train", 160), ("validation", 40))
    )
    plugins = (
        {"kind": "activation", "name": "tanh", "distribution": "numpy-harness", "version": "1"},
    )
    run = Planned(
        (number,),
        f"print{number}",
        f"seed={number}",
        ("a=1", f"seed={number}"),
        {},
        inputs,
        plugins,
    )
    return replace(run, **changes)


def manifest(directory: Path, count: int = 3, single: bool = False, **changes: Any) -> Manifest:
    sweep = Manifest(
        sweep_id=f"sweep-{directory.name}-{count}",
        single=single,
        created=START,
        cwd=str(directory),
        tracking_uri="",
        experiment="trying",
        name="the whole sweep",
        overrides=("-m", "seed=range(3)"),
        objective=OBJECTIVE,
        tracking={},
        figures={},
        numerics={"numpy": np.__version__},
        runs=tuple(planned(number) for number in range(count)),
    )
    return replace(sweep, **changes)


def result(run: Planned, outcome: str = "ok", points: int = 5, seconds: int = 0) -> Result:
    """A run with two curves; `seconds` later than the first attempt at it."""
    steps = np.arange(points) * 10
    times = START + 1000 * seconds + steps
    losses = 1 / (1 + steps) + 0.01 * run.jobs[0]
    return Result(
        run.fingerprint,
        outcome,
        started=START,
        ended=int(times[-1]) + 5,
        curves={
            "train/loss": Curve(steps, losses, times),
            "val/loss": Curve(steps, losses + 0.1, times),
        },
        metrics={"val/best_loss": float(losses[-1]) + 0.1, "val/r2": 0.5, "train/seconds": 0.5},
        weights=[np.arange(12.0).reshape(3, 4), np.ones((5, 1))],
        best_epoch=int(steps[-1]),
        last_epoch=int(steps[-1]),
    )


def files(made: Result) -> dict[str, bytes]:
    return {
        "config.yaml": b"seed: 0\n",
        "weights.npz": pack_weights(made.weights),
        "plots/loss.png": b"\x89PNG a picture",
    }


def client_and_runs(uri, folder, role="run"):
    from mlflow import MlflowClient

    client, sweep = MlflowClient(uri), read_manifest(folder).sweep_id
    wanted = f"tags.`harness.sweep` = '{sweep}' and tags.`harness.role` = '{role}'"
    experiments = [e.experiment_id for e in client.search_experiments()]
    return client, client.search_runs(experiments, wanted)


def client_of(uri):
    from mlflow import MlflowClient

    return MlflowClient(uri)


def runs_of(client, experiment="harness"):
    """The parents and the children of an experiment."""
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id], max_results=1000)
    by_role = {"sweep": [], "run": []}
    for run in runs:
        by_role[run.data.tags["harness.role"]].append(run)
    return by_role["sweep"], by_role["run"]
