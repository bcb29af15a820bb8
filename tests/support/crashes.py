"""Sweeps that are disturbed: started, killed, resumed, and looked at as a whole afterwards."""

import os
import resource
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from harness.store.results import Result, read_result
from harness.tracking.backend.uri import sqlite_uri
from tests.support import forks
from tests.support.commands import SHORT, Done, merged, variables

CALM = ("hydra.sweep.dir=here", "hydra.output_subdir=null", *SHORT)


class Disturbed:
    """One sweep in a folder of its own, with a store of its own, there or elsewhere."""

    def __init__(self, place: Path, *line: str, store: Path | None = None) -> None:
        place.mkdir()
        self.place, self.folder, self.store = place, place / "here", store or place / "mlflow.db"
        self.line = ("-m", *merged(*CALM, *line), f"tracking.uri={sqlite_uri(self.store)}")
        self.kept: dict[str, bytes] = {}  # whole results, which nothing may change any more

    def start(self, *before: Any) -> forks.Forked:
        """The command, or, once there is a manifest, its resumption."""
        planned = (self.folder / "manifest.json").exists()
        line = ("resume", str(self.folder)) if planned else self.line
        self.kept |= {path.name: path.read_bytes() for path in self.folder.glob("results/*.npz")}
        return forks.start(*line, cwd=self.place, env=variables(), before=before)

    def finish(self) -> Done:
        """Go on until it ends by itself."""
        going = self.start()
        return Done(going.wait(300), *going.said())

    def results(self) -> dict[str, Result]:
        """What is on disk, by fingerprint."""
        names = [path.stem for path in self.folder.glob("results/*.npz")]
        found = {name: read_result(self.folder, name) for name in names}
        return {name: result for name, result in found.items() if result is not None}

    def check(self, count: int, calm: dict[str, Result] | None = None) -> None:
        """Each run is there exactly once, on disk and in MLflow, with the bits of a calm sweep."""
        results = self.results()
        assert len(results) == count
        for name, content in self.kept.items():
            assert (self.folder / "results" / name).read_bytes() == content, "trained twice"
        for name in calm or ():
            assert alike(results[name], calm[name]), name
        assert [*self.place.rglob("*.tmp")] == []
        self._check_record(results)

    def states(self) -> list[str]:
        """What MLflow says of the sweep and its runs."""
        return [run.info.status for run in self._recorded()[1]]

    def _recorded(self) -> tuple[Any, list[Any]]:
        from mlflow import MlflowClient

        client = MlflowClient(sqlite_uri(self.store))
        ids = [experiment.experiment_id for experiment in client.search_experiments()]
        return client, client.search_runs(ids, max_results=1000)

    def _check_record(self, results: dict[str, Result]) -> None:
        client, runs = self._recorded()
        parents = [run for run in runs if run.data.tags["harness.role"] == "sweep"]
        children = [run for run in runs if run.data.tags["harness.role"] == "run"]
        assert Counter(run.data.tags["harness.fingerprint"] for run in children) == Counter(
            [*results]
        )
        assert [run.info.status for run in runs] == ["FINISHED"] * (len(results) + 1)
        for run in children:
            assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
            for key, curve in results[run.data.tags["harness.fingerprint"]].curves.items():
                points = client.get_metric_history(run.info.run_id, key)
                told = [(point.step, point.value) for point in points]
                assert told == [*zip(curve.steps, curve.values, strict=True)], key
        tables = {item.path for item in client.list_artifacts(parents[0].info.run_id)}
        assert {"leaderboard.csv", "leaderboard.json"} <= tables


def alike(a: Result, b: Result) -> bool:
    """Whether two results are the same to the bit, but for times."""
    same = a.outcome == b.outcome and a.curves.keys() == b.curves.keys()
    pairs = [*zip(a.weights, b.weights, strict=True)]
    pairs += [(a.curves[key].values, b.curves[key].values) for key in a.curves]
    return same and all(np.array_equal(left, right) for left, right in pairs)


def die_at_write(number: int, *more: str) -> list[int]:
    """In a program that begins: SIGKILL at its n-th sync, rename or commit, before it is done.

    `more` are further events of SQLAlchemy to count. What comes back is how many are left.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    left = [number]

    def count(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(call: Any) -> Any:
        def instead(*arguments: Any, **options: Any) -> Any:
            count()
            return call(*arguments, **options)

        return instead

    for name in ("fsync", "replace", "rename"):
        setattr(os, name, counted(getattr(os, name)))
    for name in ("commit", *more):
        event.listen(Engine, name, count)
    return left


def make_store(path: str, last: int = sys.maxsize) -> None:
    """In a program that begins: make an MLflow store and end; SIGKILL before its step `last`."""
    from harness.tracking.backend import sqlite

    left = die_at_write(last, "before_cursor_execute")
    sqlite.prepare_store(Path(path))
    print(last - left[0], flush=True)
    os._exit(0)


def be_nobody() -> None:
    """In a program that begins: be a user who may write only where all may."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def limit_files(size: int) -> None:
    """In a program that begins: no file may grow beyond `size` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
