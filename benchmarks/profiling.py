"""Measure where a run's time goes in a sweep: CPU milliseconds a run of each stage.

    python -m benchmarks.profiling [RUNS]

The functions of STAGES are wrapped in place. One that does not exist (any more) is an error: its
time would be counted as another stage's.
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
    "composing": (
        "harness.hydra_app.jobs:Jobs.compose",
        "harness.hydra_app.config_loader:FastLoader.load_sweep_config",
        "harness.hydra_app.config_loader:FastLoader.lend_sweep_config",
        "harness.config.record:record_config",
    ),
    "planning": ("harness.sweeps.plan:plan", "harness.sweeps.grouping:group_into_stacks"),
    "manifest": ("harness.store.manifest:write_manifest", "harness.store.manifest:read_manifest"),
    "training": ("harness.engines.worker:train_stack",),
    "result to disk": ("harness.store.results:write_result", "harness.store.results:read_result"),
    "figures": ("harness.figures:draw_all",),
    "publishing, our part": ("harness.tracking.publishing:Publishing._publish_end",),
    "end of the sweep": ("harness.tracking.publishing:Publishing._finish",),
    "MLflow create": ("mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.create_run",),
    "MLflow log": ("mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.log_batch",),
    "MLflow inputs": ("mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.log_inputs",),
    "MLflow end": ("mlflow.store.tracking.sqlalchemy_store:SqlAlchemyStore.update_run_info",),
    "artifacts": ("harness.tracking.backend.writer:Writer.save",),
}
OTHERS = "start-up and all else"
EQUAL = """A sweep of {runs} runs of the notebook's net, {epochs} epochs, with params, curve,
weights and loss plot a run, by thread CPU clocks around the functions that do each stage
(`benchmarks/profiling.py` names them), an inner stage's time not counted to the outer.
"{others}" is what is left of the CPU time of all processes: the interpreter, imports, MLflow's
store, Hydra. Medians of {repeats}.
"""


class Meter:
    """CPU seconds of each stage by thread; an inner stage's are not counted to the outer."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inside = threading.local()

    def clocked(self, stage: str, call: Callable[[], Any]) -> Any:
        """Call `call`, and add its CPU time to the stage."""
        outer, start = getattr(self._inside, "inner", 0.0), time.thread_time()
        self._inside.inner = 0.0
        try:
            return call()
        finally:
            spent = time.thread_time() - start
            self.seconds[stage] += spent - self._inside.inner
            self._inside.inner = outer + spent

    def wrap(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function, or generator function, whose CPU time is added to the stage."""

        @wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            return self.clocked(stage, partial(function, *arguments, **named))

        @wraps(function)
        def generated(*arguments: Any, **named: Any) -> Any:
            inner, end = function(*arguments, **named), object()
            while (value := self.clocked(stage, partial(next, inner, end))) is not end:
                yield value

        return generated if inspect.isgeneratorfunction(function) else called

    def save(self, folder: Path) -> None:
        """Write the seconds of this process to the folder."""
        (folder / f"{os.getpid()}.json").write_text(json.dumps(self.seconds))


def install(meter: Meter) -> None:
    """Wrap each function of STAGES, wherever in the harness it has been imported to."""
    for stage, names in STAGES.items():
        for name in names:
            owner, last, original = find_function(name)
            replace(owner, last, original, meter.wrap(stage, original))


def find_function(name: str) -> tuple[Any, str, Any]:
    """Return the owner, the last name and the function of `module:Class.method`.

    Raises ImportError or AttributeError if there is none.
    """
    module, _, path = name.partition(":")
    *outer, last = path.split(".")
    owner = reduce(getattr, outer, import_module(module))
    return owner, last, getattr(owner, last)


def replace(owner: Any, name: str, original: Any, wrapped: Any) -> None:
    """Put the wrapped function in the place of the original in all modules of the harness."""
    setattr(owner, name, wrapped)
    for module in [m for key, m in sys.modules.items() if key.startswith("harness")]:
        for key, value in list(vars(module).items()):
            if value is original:
                setattr(module, key, wrapped)


def program(folder: Path, arguments: list[str]) -> int:
    """Run the harness's command line, measured, and write the sums into the folder."""
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
    """Let a forked child write sums of its own when it ends."""
    meter.seconds.clear()
    multiprocessing.util.Finalize(None, meter.save, (folder,), exitpriority=1)


def measured(runs: int) -> dict[str, float]:
    """Return the CPU milliseconds a run of each stage."""
    lines = ["-m", f"seed=range({runs})", f"epochs={EPOCHS}", *PLAIN, "hydra.output_subdir=null"]
    with TemporaryDirectory() as name:
        times, work = Path(name, "times"), Path(name, "work")
        times.mkdir()
        work.mkdir()
        paths = os.pathsep.join(map(str, (measure.ROOT, measure.ROOT / "plugins")))
        env = measure.surroundings(XDG_CACHE_HOME=str(Path(name, "cache")), PYTHONPATH=paths)
        measure.run(["-m", "harness", "-m", "seed=range(2)", "epochs=1"], times, env)
        spent = measure.run(["-m", "benchmarks.profiling", "--in", str(times), *lines], work, env)
        if spent.code:
            raise RuntimeError(f"exit {spent.code}\n{spent.out[-2000:]}")
        sums: Counter[str] = Counter()
        for path in times.glob("[0-9]*.json"):
            sums.update(json.loads(path.read_text()))
    stages = {stage: 1000 * sums[stage] / runs for stage in STAGES if sums[stage]}
    return stages | {OTHERS: 1000 * spent.cpu / runs - sum(stages.values())}


def main(runs: int = 200, repeats: int = 3) -> None:
    """Measure a sweep several times, and write the medians into the report."""
    found = []
    for _ in range(repeats):
        found.append(measured(runs))
        print({stage: round(ms, 1) for stage, ms in found[-1].items()}, flush=True)
    rows = [{"CPU ms a run": stage, "now": ms} for stage, ms in medians(found).items()]
    text = EQUAL.format(runs=runs, epochs=EPOCHS, repeats=repeats, others=OTHERS)
    report.write("profiling", "Where a run's time goes", f"{text}\n{report.table(rows)}")


def medians(found: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each stage, and of the sums."""
    stages = {stage: median(one.get(stage, 0.0) for one in found) for stage in (*STAGES, OTHERS)}
    return stages | {"sum": median(sum(one.values()) for one in found)}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in"]:
        sys.exit(program(Path(sys.argv[2]), sys.argv[3:]))
    main(*map(int, sys.argv[1:]))
