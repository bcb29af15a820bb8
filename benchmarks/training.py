"""Measure training speed: epochs x runs in a CPU second, as multiples of the notebook's loop.

python -m benchmarks.training [REPEATS]
"""

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from benchmarks import measure, report
from benchmarks.tasks import CASES, Case, loss, starts
from benchmarks.trainers.numpy_loops import hand


class Way(NamedTuple):
    """One way to train: a function in benchmarks/trainers, and its arguments."""

    name: str
    function: str
    runs: int | None = 1  # None: as many as the harness puts in one stack
    dtype: str = "float64"
    validation: float = 0.0
    fewer: int = 1  # the epochs of a task are divided by this, where many runs take long
    needs: str = "numpy"


WAYS = (
    Way("harness, one run", "numpy_loops:harness"),
    Way("harness, one run, validation 0.2", "numpy_loops:harness", validation=0.2),
    Way("harness, one run", "numpy_loops:harness", dtype="float32"),
    Way("harness, a stack", "numpy_loops:harness", None),
    Way("harness, a stack, validation 0.2", "numpy_loops:harness", None, validation=0.2),
    Way("harness, a stack", "numpy_loops:harness", None, dtype="float32"),
    Way("PyTorch, eager", "pytorch:eager", needs="torch"),
    Way("PyTorch, eager", "pytorch:eager", dtype="float32", needs="torch"),
    Way("PyTorch, vmap", "pytorch:stacked", 256, fewer=10, needs="torch"),
    Way("PyTorch, vmap", "pytorch:stacked", 256, "float32", fewer=10, needs="torch"),
    Way("JAX, jit(vmap(scan))", "jax_scan:stacked", needs="jax"),
    Way("JAX, jit(vmap(scan))", "jax_scan:stacked", 64, fewer=5, needs="jax"),
    Way("JAX, jit(vmap(scan))", "jax_scan:stacked", 64, "float32", fewer=5, needs="jax"),
    Way("scikit-learn MLP", "sklearn_mlp:fit", needs="sklearn"),
)
EQUAL = """A row's figure is epochs x runs per CPU second (all threads), divided by that of the
notebook's loop (`benchmarks/notebook.py`: plain NumPy by hand, one net, float64), which is
timed in the same process just before; the median of {repeats}, each in a fresh process, in
turn. Equal for all but scikit-learn: the data, the first weights of each run, the order of its
batches, the arithmetic. `deviation` is the relative difference of the final loss from the
notebook's, after the same epochs (rows with validation report another epoch's weights).
scikit-learn has the same net, data, batch size and epochs, with first weights and order of its
own. The harness is measured from configs to results, all costs of a run included; a stack holds
as many runs as `grouping.largest` chooses. With validation it trains on 80 % of the rows and
looks at the others at each epoch; the notebook's loop trains on the same 80 % and looks at
nothing. JAX compiles before the clock starts: `compiling` says for how many CPU seconds. NumPy
and PyTorch have one thread, JAX as many as it likes. `speed` is in epochs x runs per CPU
second. Where many runs are many seconds, fewer epochs are measured.
"""


def compare(case: Case, way: Way, epochs: int) -> dict[str, Any]:
    """Compare one way with the notebook's loop, in this process."""
    module, name = way.function.split(":")
    with threadpool_limits(limits=1, user_api="blas"):
        base = hand(case, 1, case.epochs, "float64", way.validation)
        same = base if epochs == case.epochs else hand(case, 1, epochs)
        train = getattr(import_module(f"benchmarks.trainers.{module}"), name)
        trained = train(case, way.runs, epochs, way.dtype, way.validation)
    found = {
        "ratio": trained.speed / base.speed,
        "speed": trained.speed,
        "runs": trained.runs,
        "epochs": trained.epochs,
        "compiling": trained.compiling,
        "deviation": None,
        "blas": report.blas_here(),
    }
    if trained.weights is not None and not way.validation:
        [start] = starts(case, 1)
        reached, right = (loss(case, start, each.weights or []) for each in (trained, same))
        found["deviation"] = abs(reached - right) / right
    return found


def child(case: str, number: int) -> dict[str, Any]:
    """Run `compare` in a process of its own."""
    command = ["-m", "benchmarks.training", "--one", case, str(number)]
    with TemporaryDirectory() as folder:
        env = measure.surroundings(OPENBLAS_CORETYPE=None)
        spent = measure.run(command, Path(folder), env)
    if spent.code:
        raise RuntimeError(f"{' '.join(command)}: exit {spent.code}\n{spent.out[-2000:]}")
    found: dict[str, Any] = json.loads(spent.out.splitlines()[-1])
    return found


def row(way: Way, each: list[dict[str, Any]]) -> dict[str, object]:
    """Return the medians of one way as a row of the table."""
    first = each[0]
    deviation = first["deviation"]
    return {
        "": way.name,
        "dtype": way.dtype,
        "runs": first["runs"],
        "epochs": first["epochs"],
        "x notebook": median(one["ratio"] for one in each),
        "speed": median(one["speed"] for one in each),
        "deviation": "" if deviation is None else float(deviation),
        "compiling": median(one["compiling"] for one in each) or "",
    }


def main(repeats: int = 3) -> None:
    """Measure each way, and write the section of RESULTS.md."""
    parts, blas = [EQUAL.format(repeats=repeats)], ""
    for name, case in CASES.items():
        ways = [(i, way) for i, way in enumerate(WAYS) if find_spec(way.needs)]
        found: dict[int, list[dict[str, Any]]] = {i: [] for i, _ in ways}
        for _ in range(repeats):
            for number, way in ways:
                found[number].append(child(name, number))
                one = found[number][-1]
                blas = one["blas"]
                print(name, way.name, way.dtype, json.dumps(one), flush=True)
        rows = [row(way, found[number]) for number, way in ways]
        parts.append(f"**{name}**: {case.about}.\n\n{report.table(rows)}")
    report.write("training", "Training speed", "\n\n".join(parts), blas)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        chosen, asked = CASES[sys.argv[2]], WAYS[int(sys.argv[3])]
        print(json.dumps(compare(chosen, asked, max(1, chosen.epochs // asked.fewer))))
    else:
        main(*map(int, sys.argv[1:]))
