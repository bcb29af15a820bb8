"""Where a run's time goes in a sweep: CPU milliseconds a run of each stage, inner ones taken off.

    python -m benchmarks.profiling [RUNS]

Functions are wrapped where they stand; one that is not there (any more) is left out.
"""

import inspect
import json
import multiprocessing.util
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial, reduce, wraps
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import measure, report
from benchmarks.sweeps import EPOCHS, PLAIN

STAGES = {
    "composing": ("harness.jobs:Jobs._compose",),
    "planning": ("harness.planning:plan", "harness.sweeping:plan", "harness.sweeps:stacks"),
    "manifest": ("harness.store:write_manifest", "harness.store:read_manifest"),
    "training": ("harness.runs:train_stack",),
    "result to disk": ("harness.store:write_result", "harness.store:read_result"),
    "figures": ("harness.figures:draw_all",),
    "publishing, our part": (
        "harness.publishing:Publishing._publish_end",
        "harness.publishing:Publishing._publish_batch",
    ),
    "end of the sweep": ("harness.publishing:Publishing._finish",),
    "MLflow create": ("mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.create_run",),
    "MLflow log": ("mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.log_batch",),
    "MLflow inputs": ("mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.log_inputs",),
    "MLflow end": ("mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.update_run_info",),
    "artifacts": (
        "mlflow.store.artifact.local_artifact_repo:LocalArtifactRepository.log_artifact",
        "mlflow.store.artifact.local_artifact_repo:LocalArtifactRepository.log_artifacts",
    ),
}
OTHERS = "start-up and all else"
BEFORE_AT = "at fd75a5f"
BEFORE = {
    "composing": 7.56,
    "planning": 3.27,
    "manifest": 0.70,
    "training": 4.06,
    "result to disk": 1.36,
    "figures": 21.02,
    "publishing, our part": 11.86,
    "end of the sweep": 0.20,
    "MLflow create": 9.88,
    "MLflow log": 43.11,
    "MLflow inputs": 5.52,
    "MLflow end": 4.64,
    OTHERS: 30.60,
}
EQUAL = """A sweep of {runs} runs of the notebook's net, {epochs} epochs, with params, curve,
weights and loss plot a run, by thread CPU clocks around the functions that do each stage
(`benchmarks/profiling.py` names them), an inner stage's time not counted to the outer.
"{others}" is what is left of the CPU time of all processes: the interpreter, imports, MLflow's
store, Hydra. Medians of {repeats}. The first column of figures was measured on the same kind of
machine at an earlier commit, once.
"""


class Meter:
    """CPU seconds of each stage, thread by thread, an inner stage's not counted to the outer."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._inside = threading.local()

    def clocked(self, stage: str, call: Callable[[], Any]) -> Any:
        """Do it; what it takes is its stage's."""
        outer, start = getattr(self._inside, "inner", 0.0), time.thread_time()
        self._inside.inner = 0.0
        try:
            return call()
        finally:
            spent = time.thread_time() - start
            self.seconds[stage] += spent - self._inside.inner
            self._inside.inner = outer + spent

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, or generator function, on the clock."""

        @wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            self.calls[stage] += 1
            return self.clocked(stage, partial(function, *arguments, **named))

        @wraps(function)
        def generated(*arguments: Any, **named: Any) -> Any:
            self.calls[stage] += 1
            inner, end = function(*arguments, **named), object()
            while (value := self.clocked(stage, partial(next, inner, end))) is not end:
                yield value

        return generated if inspect.isgeneratorfunction(function) else called

    def save(self, folder: Path) -> None:
        told = {"seconds": self.seconds, "calls": self.calls}
        (folder / f"{os.getpid()}.json").write_text(json.dumps(told))


def install(meter: Meter) -> None:
    """Wrap what STAGES names, wherever in the harness it has been imported to."""
    for stage, names in STAGES.items():
        for name in names:
            try:
                owner, last, original = found(name)
            except (ImportError, AttributeError):
                continue
            replace(owner, last, original, meter.wrap(stage, original))


def found(name: str) -> tuple[Any, str, Any]:
    """`module:Class.method` as its owner, its last name, and the function itself."""
    module, _, path = name.partition(":")
    *outer, last = path.split(".")
    owner = reduce(getattr, outer, import_module(module))
    return owner, last, getattr(owner, last)


def replace(owner: Any, name: str, original: Any, wrapped: Any) -> None:
    setattr(owner, name, wrapped)
    for module in [m for key, m in sys.modules.items() if key.startswith("harness")]:
        for key, value in list(vars(module).items()):
            if value is original:
                setattr(module, key, wrapped)


def program(folder: Path, arguments: list[str]) -> int:
    """The harness's command line, on the clock; the sums go to the folder."""
    from harness.cli import main as harness

    meter = Meter()
    install(meter)
    os.register_at_fork(after_in_child=partial(forked, meter, folder))
    sys.argv = ["harness", *arguments]
    try:
        return harness() or 0
    finally:
        meter.save(folder)


def forked(meter: Meter, folder: Path) -> None:
    """A forked child's sums are its own."""
    meter.seconds.clear()
    meter.calls.clear()
    multiprocessing.util.Finalize(None, meter.save, (folder,), exitpriority=1)


def measured(runs: int) -> tuple[dict[str, float], measure.Spent]:
    """CPU milliseconds a run of each stage, and what the whole sweep cost."""
    lines = ["-m", f"seed=range({runs})", f"epochs={EPOCHS}", *PLAIN, "hydra.output_subdir=null"]
    with TemporaryDirectory() as name:
        told, work = Path(name, "told"), Path(name, "work")
        told.mkdir()
        work.mkdir()
        env = measure.surroundings(XDG_CACHE_HOME=str(Path(name, "cache")))
        measure.run(["-m", "harness", "-m", "seed=range(2)", "epochs=1"], told, env)
        spent = measure.run(["-m", "benchmarks.profiling", "--in", str(told), *lines], work, env)
        if spent.code:
            raise RuntimeError(f"exit {spent.code}\n{spent.out[-2000:]}")
        sums: Counter[str] = Counter()
        for path in told.glob("[0-9]*.json"):
            sums.update(json.loads(path.read_text())["seconds"])
    stages = {stage: 1000 * sums[stage] / runs for stage in STAGES if sums[stage]}
    return stages | {OTHERS: 1000 * spent.cpu / runs - sum(stages.values())}, spent


def main(runs: int = 200, repeats: int = 3) -> None:
    all_of_them = [measured(runs)[0] for _ in range(repeats)]
    now = {stage: median(each.get(stage, 0.0) for each in all_of_them) for stage in all_of_them[0]}
    rows = [
        {"CPU ms a run": stage, BEFORE_AT: BEFORE.get(stage, ""), "now": now.get(stage, "")}
        for stage in dict.fromkeys([*BEFORE, *now])
    ]
    whole = {"CPU ms a run": "sum", BEFORE_AT: sum(BEFORE.values()), "now": sum(now.values())}
    text = EQUAL.format(runs=runs, epochs=EPOCHS, repeats=repeats, others=OTHERS)
    report.write("profiling", "Where a run's time goes", f"{text}\n{report.table([*rows, whole])}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in"]:
        sys.exit(program(Path(sys.argv[2]), sys.argv[3:]))
    main(*map(int, sys.argv[1:]))
