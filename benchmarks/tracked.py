"""Compare the cost of a whole tracked sweep with an expert's script that does the same by hand.

Each way runs in a process and an empty folder of its own; CPU is that of the whole process tree,
start-up included. `cold` has an empty user cache too, so that MLflow's store is migrated anew.

    python benchmarks/tracked.py [RUNS] [REPEATS]      the median of each; ratios to the expert
"""

import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

EPOCHS = 200
LEAN = ["hydra.output_subdir=null"]  # without a `.hydra` folder for each run
EQUAL = ["validation=0", "metrics=[]", "figures.names=[]", "figures.best=0", "tracking.model=none"]


class Measured(NamedTuple):
    """One whole program, and the contents of its store."""

    cpu: float  # seconds, of all processes
    wall: float
    left: str


def ways(runs: int) -> dict[str, list[str]]:
    """Return the commands to compare: each makes the same runs, the last ones more of each."""
    expert = [sys.executable, str(Path(__file__).with_name("expert.py")), str(runs), str(EPOCHS)]
    harness = [sys.executable, "-m", "harness", "-m", f"seed=range({runs})", f"epochs={EPOCHS}"]
    return {
        "expert": expert,
        "harness, the same, lean": [*harness, *EQUAL, *LEAN],
        "harness, the same, lean, cold": [*harness, *EQUAL, *LEAN],
        "harness, the same": [*harness, *EQUAL],
        "harness, defaults, lean": [*harness, *LEAN],
        "harness, defaults": harness,
    }


def measure(command: Sequence[str], cache: Path | None) -> Measured:
    """Run a command to its end in an empty folder; raise CalledProcessError if it fails."""
    with TemporaryDirectory() as folder:
        surroundings = os.environ | {"XDG_CACHE_HOME": str(cache or Path(folder, "cache"))}
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=folder, env=surroundings, check=True, capture_output=True)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Measured(cpu, wall, left(Path(folder)))


def left(folder: Path) -> str:
    """Describe the store's runs, and count the pictures beside it."""
    tables = ("runs", "params", "metrics", "tags", "inputs")
    with closing(sqlite3.connect(folder / "mlflow.db")) as base:
        counts = [base.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    files = sum(path.is_file() for path in (folder / "mlartifacts").rglob("*"))
    pictures = len([*(folder / "mlartifacts").rglob("*.png")])
    return "".join(f"{count:9}" for count in (*counts, files, pictures))


def main() -> None:
    """Measure each way, and print the medians."""
    runs, repeats = (int(a) for a in (*sys.argv[1:], 64, 3)[:2])
    found: dict[str, list[Measured]] = {}
    with TemporaryDirectory() as cache:
        measure(ways(2)["harness, the same"], Path(cache))  # fills it
        for _ in range(repeats):  # in turn, for the machine's mood changes
            for name, command in ways(runs).items():
                warm = None if "cold" in name else Path(cache)
                found.setdefault(name, []).append(measure(command, warm))
    columns = ["runs", "params", "points", "tags", "inputs", "files", "pictures"]
    print(f"{'':30}   CPU s  wall s   ratio" + "".join(f"{column:>9}" for column in columns))
    reference = median(each.cpu for each in found["expert"])
    for name, each in found.items():
        cpu, wall = median(m.cpu for m in each), median(m.wall for m in each)
        print(f"{name:30}{cpu:8.2f}{wall:8.2f}{cpu / reference:8.2f}{each[0].left}")


if __name__ == "__main__":
    main()
