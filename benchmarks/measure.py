"""Measure whole programs: CPU of all their processes, wall time, memory, and recorded runs."""

import ctypes
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

ROOT = Path(__file__).parent.parent
PR_SET_CHILD_SUBREAPER = 36
LOOK_SECONDS = 0.2
PATIENCE = 60.0  # seconds that background processes of a program may take to end


class Spent(NamedTuple):
    """The cost of one program."""

    cpu: float  # seconds, user and system, of all its processes
    wall: float
    rss: float  # MB, the largest of its processes at its largest
    code: int
    out: str


class StoreContents(NamedTuple):
    """The numbers of runs, parameters, points and pictures in a folder's MLflow store."""

    runs: int
    params: int
    points: int
    pictures: int
    parents: int


def surroundings(**changes: str | None) -> dict[str, str]:
    """Return an environment for a child that finds this checkout; None removes a variable."""
    paths = [os.environ.get("PYTHONPATH", ""), str(ROOT)]
    found: dict[str, str | None] = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    found |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MPLBACKEND": "agg", "MLFLOW_TRACKING_URI": None}
    return {key: value for key, value in (found | changes).items() if value is not None}


def run(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> Spent:
    """Run a program until it and all processes that it started have ended."""
    _adopt_orphans()
    log, start = folder / "bench.log", time.perf_counter()
    with log.open("wb") as out:
        arguments = [sys.executable, *command]
        child = subprocess.Popen(
            arguments, cwd=folder, env=env or surroundings(), stdout=out, stderr=subprocess.STDOUT
        )
        with CPUWatch() as watch:
            _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall, all_used = time.perf_counter() - start, [used, *_orphans()]
    cpu = max(sum(each.ru_utime + each.ru_stime for each in all_used), watch.cpu)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    rss = max(each.ru_maxrss for each in all_used) / unit
    return Spent(cpu, wall, rss, child.returncode, log.read_text(errors="replace"))


class CPUWatch:
    """A thread that reads the CPU seconds of all descendants now and then.

    A program may have children that it never waits for; the system adds their time to nobody's.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, float], float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "CPUWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def cpu(self) -> float:
        """Return the CPU seconds read so far."""
        return sum(self._seen.values())

    def _look(self) -> None:
        here = psutil.Process()
        while not self._ended.wait(LOOK_SECONDS):
            for process in here.children(recursive=True):
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    self._seen[process.pid, process.create_time()] = times.user + times.system


def _adopt_orphans() -> None:
    """Become the parent of orphaned processes, so that their CPU time is counted (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _orphans():
    deadline = time.monotonic() + PATIENCE
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            pid, _, used = os.wait4(-1, os.WNOHANG)
            if pid:
                yield used
            else:
                time.sleep(0.05)


def in_an_empty_folder(
    command: Sequence[str], cache: Path | None = None
) -> tuple[Spent, StoreContents]:
    """Run a program that tracks runs; raise RuntimeError with its last lines if it fails."""
    with TemporaryDirectory() as name:
        folder = Path(name, "here")
        folder.mkdir()
        spent = run(
            command, folder, surroundings(XDG_CACHE_HOME=str(cache or Path(name, "cache")))
        )
        if spent.code:
            raise RuntimeError(f"{' '.join(command)}: exit {spent.code}\n{spent.out[-2000:]}")
        return spent, store_contents(folder)


def store_contents(folder: Path) -> StoreContents:
    """Count the runs (without parents), their params, points of curves and pictures."""
    base = folder / "mlflow.db"
    if not base.exists():
        return StoreContents(0, 0, 0, 0, 0)
    with closing(sqlite3.connect(base)) as store:
        runs, params, points = (_count(store, table) for table in ("runs", "params", "metrics"))
        parents = _count(store, "tags WHERE key = 'mlflow.parentRunId'", "DISTINCT value")
    pictures = [path for path in folder.rglob("*.png") if ".trash" not in path.parts]
    return StoreContents(runs - parents, params, points, len(pictures), parents)


def _count(store: sqlite3.Connection, table: str, what: str = "*") -> int:
    return int(store.execute(f"SELECT count({what}) FROM {table}").fetchone()[0])
