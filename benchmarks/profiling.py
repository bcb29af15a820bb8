"""Where a run's time goes in a sweep: CPU milliseconds a run of each stage, inner ones taken off.

    python -m benchmarks.profiling [RUNS]

Functions are wrapped where they stand; one that is not there (any more) is left out.
"""

import inspect
import io
import json
import multiprocessing.util
import os
import subprocess
import sys
import tarfile
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
        "harness.hydra_app.config_loader:FastLoader.load_sweep_config",
        "harness.recording:recorded",
    ),
    "planning": ("harness.sweeps.plan:plan", "harness.sweeps.execute:stacks"),
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
BEFORE = "fd75a5f"  # the commit before the work on the cost of a run
EQUAL = """A sweep of {runs} runs of the notebook's net, {epochs} epochs, with params, curve,
weights and loss plot a run, by thread CPU clocks around the functions that do each stage
(`benchmarks/profiling.py` names them), an inner stage's time not counted to the outer.
"{others}" is what is left of the CPU time of all processes: the interpreter, imports, MLflow's
store, Hydra. Medians of {repeats}. An earlier commit is measured in turn, where git has it.
"""


class Meter:
    """CPU seconds of each stage, thread by thread, an inner stage's not counted to the outer."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
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
            return self.clocked(stage, partial(function, *arguments, **named))

        @wraps(function)
        def generated(*arguments: Any, **named: Any) -> Any:
            inner, end = function(*arguments, **named), object()
            while (value := self.clocked(stage, partial(next, inner, end))) is not end:
                yield value

        return generated if inspect.isgeneratorfunction(function) else called

    def save(self, folder: Path) -> None:
        (folder / f"{os.getpid()}.json").write_text(json.dumps(self.seconds))


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
    multiprocessing.util.Finalize(None, meter.save, (folder,), exitpriority=1)


def measured(runs: int, checkout: Path = measure.ROOT) -> dict[str, float]:
    """CPU milliseconds a run of each stage, as some checkout has them."""
    lines = ["-m", f"seed=range({runs})", f"epochs={EPOCHS}", *PLAIN, "hydra.output_subdir=null"]
    with TemporaryDirectory() as name:
        told, work = Path(name, "told"), Path(name, "work")
        told.mkdir()
        work.mkdir()
        paths = [checkout, checkout / "plugins", measure.ROOT]
        cache, found_in = str(Path(name, "cache")), os.pathsep.join(map(str, paths))
        env = measure.surroundings(XDG_CACHE_HOME=cache, PYTHONPATH=found_in)
        measure.run(["-m", "harness", "-m", "seed=range(2)", "epochs=1"], told, env)
        spent = measure.run(["-m", "benchmarks.profiling", "--in", str(told), *lines], work, env)
        if spent.code:
            raise RuntimeError(f"exit {spent.code}\n{spent.out[-2000:]}")
        sums: Counter[str] = Counter()
        for path in told.glob("[0-9]*.json"):
            sums.update(json.loads(path.read_text()))
    stages = {stage: 1000 * sums[stage] / runs for stage in STAGES if sums[stage]}
    return stages | {OTHERS: 1000 * spent.cpu / runs - sum(stages.values())}


def checked_out(commit: str, folder: Path) -> bool:
    """Put the code of a commit into a folder; whether git has it."""
    command = ["git", "-C", str(measure.ROOT), "archive", commit]
    archive = subprocess.run(command, capture_output=True, check=False)
    if archive.returncode == 0:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as code:
            code.extractall(folder, filter="data")
    return archive.returncode == 0


def main(runs: int = 200, repeats: int = 3) -> None:
    with TemporaryDirectory() as earlier:
        checkouts = {"now": measure.ROOT}
        if checked_out(BEFORE, Path(earlier)):
            checkouts = {f"at {BEFORE}": Path(earlier), **checkouts}
        found: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
        for _ in range(repeats):
            for name, checkout in checkouts.items():
                found[name].append(measured(runs, checkout))
                print(name, {k: round(v, 1) for k, v in found[name][-1].items()}, flush=True)
    columns = {name: middle(each) for name, each in found.items()}
    rows = [
        {"CPU ms a run": stage, **{name: each[stage] for name, each in columns.items()}}
        for stage in (*STAGES, OTHERS, "sum")
    ]
    text = EQUAL.format(runs=runs, epochs=EPOCHS, repeats=repeats, others=OTHERS)
    report.write("profiling", "Where a run's time goes", f"{text}\n{report.table(rows)}")


def middle(each: list[dict[str, float]]) -> dict[str, float]:
    """The median of each stage, and of the sums."""
    stages = {stage: median(one.get(stage, 0.0) for one in each) for stage in (*STAGES, OTHERS)}
    return stages | {"sum": median(sum(one.values()) for one in each)}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in"]:
        sys.exit(program(Path(sys.argv[2]), sys.argv[3:]))
    main(*map(int, sys.argv[1:]))
