"""Measure a whole tracked sweep: the notebook's net many times, by the harness and its peers.

python -m benchmarks.sweeps [RUNS] [REPEATS]
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks import measure, report

EPOCHS = 200
PLAIN = ("validation=0", "metrics=[]", "figures.names=[]", "figures.best=0", "tracking.model=none")
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")


class Way(NamedTuple):
    """One program that trains and records a sweep."""

    name: str
    command: tuple[str, ...]  # RUNS stands for how many
    missing: str = ""  # what it does not record of what is asked for
    needs: str = "mlflow"
    fewer: int = 1  # the runs are divided by this, where each takes long


def harness(*more: str) -> tuple[str, ...]:
    """Return the command of the harness."""
    return ("-m", "harness", "-m", "seed=range(RUNS)", f"epochs={EPOCHS}", *more)


def peer(name: str, *more: str) -> tuple[str, ...]:
    """Return the command of a peer's script."""
    return ("-m", f"benchmarks.peers.{name}", "RUNS", *more)


WAYS = (
    Way("harness -m", harness(), "nothing; also validation, metrics, figures of the best, model"),
    Way("harness -m, no more than the others", harness(*PLAIN), "nothing"),
    Way("the same, no `.hydra` folders", harness(*PLAIN, "hydra.output_subdir=null"), "nothing"),
    Way(
        "an expert's NumPy script",
        ("-m", "benchmarks.expert", "RUNS", str(EPOCHS)),
        "files of weights, config",
    ),
    Way(
        "the same, with JAX's vmap",
        peer("jax_vmap", str(EPOCHS)),
        "files of weights, config",
        "jax",
    ),
    Way("Optuna, log_batch", peer("optuna_study"), "files of weights, config", "optuna"),
    Way("Hydra basic, log_batch", peer("hydra_jobs", "batch"), "weights"),
    Way("Hydra basic, log each epoch", peer("hydra_jobs", "epoch"), "weights"),
    Way(
        "Hydra joblib, 2 jobs, log_batch",
        peer("hydra_jobs", "batch", *JOBLIB),
        "weights",
        "hydra_plugins.hydra_joblib_launcher",
    ),
    Way("GridSearchCV, autolog", peer("sklearn_grid"), "curves, pictures, weights", "sklearn"),
    Way("Ray Tune, its callback", peer("ray_tune"), "a parent, 9 of 10 points", "ray.tune", 4),
)
EQUAL = """{runs} runs of the notebook's net (2-4-1, 200 rows, full batch, {epochs} epochs),
each with its params, its curve of {epochs} points and a picture of it, under one parent, in
SQLite in an empty folder. CPU is that of all processes of the program from its start to its
end; medians of {repeats}, in turn, each in a process of its own. MLflow's migrated empty store,
which the harness keeps in the user's cache, is there from a sweep before (the first sweep on a
machine makes it: about 0.7 s more); the others make theirs anew. Ray Tune, being slow, makes a
quarter of the runs and reports each tenth epoch. What was found in each store and folder is
counted: parents, runs, params, points and pictures. The peers' scripts are in
`benchmarks/peers/`.
"""


def command(way: Way, runs: int) -> list[str]:
    """Return the command of a way for a number of runs."""
    return [part.replace("RUNS", str(max(1, runs // way.fewer))) for part in way.command]


def installed(name: str) -> bool:
    """Return True if a package is installed; a namespace's parent may be missing too."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def row(
    way: Way, runs: int, each: list[tuple[measure.Spent, measure.StoreContents]]
) -> dict[str, object]:
    """Return the medians of one way as a row of the table."""
    cpu, wall = (median(getattr(spent, key) for spent, _ in each) for key in ("cpu", "wall"))
    found = each[0][1]
    counted = (
        f"{found.parents} / {found.runs} / {found.params:,} / {found.points:,} / {found.pictures}"
    )
    return {
        "": way.name,
        "CPU s": cpu,
        "wall s": wall,
        "CPU ms a run": 1000 * cpu * way.fewer / runs,
        "parents / runs / params / points / pictures": counted,
        "does not record": way.missing,
    }


def main(runs: int = 64, repeats: int = 3) -> None:
    """Measure each way, and write the section of RESULTS.md."""
    ways = [way for way in WAYS if installed(way.needs)]
    found: dict[str, list[tuple[measure.Spent, measure.StoreContents]]] = {
        way.name: [] for way in ways
    }
    with TemporaryDirectory() as cache:
        measure.in_an_empty_folder(command(WAYS[0], 2), Path(cache))
        for _ in range(repeats):
            for way in ways:
                found[way.name].append(measure.in_an_empty_folder(command(way, runs), Path(cache)))
                spent, there = found[way.name][-1]
                print(
                    f"{way.name}: {spent.cpu:.1f} s CPU, {spent.wall:.1f} s, {there}", flush=True
                )
    rows = [row(way, runs, found[way.name]) for way in ways]
    text = EQUAL.format(runs=runs, epochs=EPOCHS, repeats=repeats)
    report.write("sweeps", "A whole tracked sweep", f"{text}\n{report.table(rows)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
