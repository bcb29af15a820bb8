"""Count the runs that a sweep keeps after a fault and a restart: the harness and a usual script.

The usual script is Hydra's launcher with MLflow's fluent calls in the task function. Each fault
really happens, and the runs are counted in the store.
"""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.measure import surroundings
from benchmarks.report import table, write

RUNS, EPOCHS = 8, 100
LONGEST = 180.0  # seconds after which a program is ended
QUERY = """
SELECT seed.value, runs.status, (SELECT count(DISTINCT step) FROM metrics AS point
  WHERE point.run_uuid = runs.run_uuid AND point.key = 'train/loss'
  AND NOT point.is_nan AND abs(point.value) < 1e300)
FROM runs JOIN params AS seed ON seed.run_uuid = runs.run_uuid AND seed.key = 'seed'
"""


class Way(NamedTuple):
    """A program that tracks a sweep, and the command that starts it again."""

    name: str
    start: tuple[str, ...]
    again: tuple[str, ...]


OURS = Way(
    "harness",
    (
        "-m", "harness", "-m", "seed=range({runs})", "validation=0", f"epochs={EPOCHS}",
        "tracking.log_every=1", "tracking.model=none", "hydra.sweep.dir=here",
    ),
    ("-m", "harness", "resume", "here"),
)  # fmt: skip
_SCRIPT = ("-m", "benchmarks.peers.hydra_jobs", "{runs}", "epoch", f"epochs={EPOCHS}")
USUAL = Way("Hydra + MLflow", _SCRIPT, _SCRIPT)
RATE = {OURS: "optimizer.learning_rate", USUAL: "learning_rate"}


class Place:
    """An empty folder with a store, in which programs are started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.base = folder, folder / "mlflow.db"
        self.env = surroundings(XDG_CACHE_HOME=str(folder / "cache"))

    def start(self, line: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        """Start a program in the folder."""
        words = [sys.executable, *(word.format(runs=RUNS) for word in line)]
        with (self.folder / "output").open("ab") as output:
            return subprocess.Popen(
                words, cwd=self.folder, env=self.env, stdout=output, stderr=output,
                start_new_session=True, **options,  # type: ignore[call-overload]
            )  # fmt: skip

    def rows(self) -> list[tuple[str, str, int]]:
        """Return seed, status and number of points of each recorded run."""
        with suppress(sqlite3.Error), closing(sqlite3.connect(self.base, timeout=30)) as store:
            return store.execute(QUERY).fetchall()
        return []

    def some_are_recorded(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until about half of the runs are in the store."""
        while process.poll() is None and len(self.rows()) < RUNS // 2:
            time.sleep(0.02)

    def describe(self) -> str:
        """Describe the recorded runs in words."""
        rows = self.rows()
        whole = [
            seed for seed, status, points in rows if status == "FINISHED" and points >= EPOCHS
        ]
        others = Counter(
            "FINISHED but not whole" if status == "FINISHED" else status
            for _, status, points in rows
            if status != "FINISHED" or points < EPOCHS
        )
        again = len(whole) - len(set(whole))
        found = [
            f"{len(set(whole))} of {RUNS} whole",
            *([f"{again} of them twice"] if again else []),
        ]
        return ", ".join([*found, *(f"{count} {status}" for status, count in others.items())])


def _signal(number: int) -> Callable[[Place, Way], int]:
    def fault(place: Place, way: Way) -> int:
        process = place.start(way.start)
        place.some_are_recorded(process)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        return ended(process)

    return fault


def full(place: Place, way: Way) -> int:
    """Stop all files from growing once the store is made."""
    process = place.start(way.start)
    while process.poll() is None and not place.rows():
        time.sleep(0.02)
    size = place.base.stat().st_size
    with suppress(ProcessLookupError):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    return ended(process)


def diverging(place: Place, way: Way) -> int:
    """Add one run whose learning rate is far too large."""
    return ended(place.start((*way.start, f"{RATE[way]}=0.05,1e200")))


def away(place: Place, way: Way) -> int:
    """Kill the server when half of the runs are recorded; start it again for the restart."""
    with server(place) as running:
        process = place.start(way.start)
        place.some_are_recorded(process)
        os.killpg(running.pid, signal.SIGKILL)
        return ended(process)


FAULTS = {
    "kill -9": _signal(signal.SIGKILL),
    "Ctrl-C": _signal(signal.SIGINT),
    "SIGTERM": _signal(signal.SIGTERM),
    "the disk is full": full,
    "the server is killed": away,
    "one run diverges": diverging,
}


def ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for a program and return its exit code; kill it after three minutes."""
    try:
        return process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


@contextmanager
def server(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """Context manager: run a tracking server on the place's store."""
    from harness.commands import ui
    from harness.tracking.backend.uri import sqlite_uri

    with ui.free_port(None) as free:
        port = place.env.get("PORT") or str(free)
    url = f"http://{ui.HOST}:{port}"
    place.env |= {"PORT": port, "MLFLOW_TRACKING_URI": url}
    os.environ.setdefault("MLFLOW_DEFAULT_ARTIFACT_ROOT", "mlflow-artifacts:/")
    with (
        (place.folder / "server").open("ab") as log,
        ui.running_server(sqlite_uri(place.base), int(port), log) as running,
    ):
        ui.wait_until_it_answers(running, url)
        yield running


def measure(name: str, way: Way) -> tuple[str, str]:
    """Describe the store of a way after a fault, and after the restart."""
    with TemporaryDirectory() as folder, ExitStack() as around:
        place = Place(Path(folder))
        code = FAULTS[name](place, way)
        left = f"exit {code}: {place.describe()}"
        if "MLFLOW_TRACKING_URI" in place.env:
            around.enter_context(server(place))
        ended(place.start(way.again))
        print(f"{name}, {way.name}: {left}; again: {place.describe()}", flush=True)
        return left, place.describe()


def main() -> None:
    """Write the section of RESULTS.md."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
    rows = []
    for name in FAULTS:
        usual, ours = measure(name, USUAL), measure(name, OURS)
        names = ("usual script", "started again", "harness", "resumed")
        rows.append({"fault": name, **dict(zip(names, (*usual, *ours), strict=True))})
    about = f"{RUNS} runs of {EPOCHS} epochs are asked for; a run is whole if it is FINISHED with "
    about += "every point of its curve, finite. The usual script logs with MLflow's fluent calls."
    write("faults", "Faults", f"{about}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
