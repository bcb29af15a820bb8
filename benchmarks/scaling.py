"""Measure how a sweep's cost grows with its size: CPU a run, wall time and memory.

python -m benchmarks.scaling [SIZE ...]      default: 100 1000; 10000 takes many minutes
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import measure, report
from benchmarks.sweeps import EPOCHS, PLAIN, WAYS, command, harness

SIZES = (100, 1000)
EQUAL = """`harness -m 'seed=range(N)'`: the notebook's net, {epochs} epochs, each run with its
params, curve, weights and loss plot in MLflow (SQLite), and no more ({plain}). Peak memory is
that of the largest process. `marginal` figures are the difference to the size before, a run:
what one more run costs, start-up left out. One measurement each.
"""


def row(runs: int, spent: measure.Spent, before: dict[str, float] | None) -> dict[str, object]:
    """Return one size as a row of the table."""
    found: dict[str, object] = {
        "runs": runs,
        "CPU s": spent.cpu,
        "wall s": spent.wall,
        "CPU ms a run": 1000 * spent.cpu / runs,
        "peak MB": spent.rss,
        "marginal CPU ms": "",
        "marginal kB": "",
    }
    if before:
        more = runs - before["runs"]
        found["marginal CPU ms"] = 1000 * (spent.cpu - before["CPU s"]) / more
        found["marginal kB"] = 1024 * (spent.rss - before["peak MB"]) / more
    return found


def main(*sizes: int) -> None:
    """Measure each size, and write the section of RESULTS.md."""
    rows: list[dict[str, object]] = []
    lines = list(harness(*PLAIN, "hydra.output_subdir=null"))
    with TemporaryDirectory() as cache:
        measure.in_an_empty_folder(command(WAYS[0], 2), Path(cache))
        for runs in sorted(sizes or SIZES):
            asked = [part.replace("RUNS", str(runs)) for part in lines]
            spent, there = measure.in_an_empty_folder(asked, Path(cache))
            assert there.runs == runs, there
            rows.append(row(runs, spent, rows[-1] if rows else None))
            print(rows[-1], flush=True)
    text = EQUAL.format(epochs=EPOCHS, plain=f"`{' '.join(PLAIN)} hydra.output_subdir=null`")
    report.write("scaling", "Larger sweeps", f"{text}\n{report.table(rows)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
