"""A stranger's activation that takes its time, and says when each epoch began and ended."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.tracking.backend import sqlite
from harness.tracking.backend.uri import database_file
from harness.training import session
from tests.support.strangers import strangers

SOURCE = '''
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

@dataclass(frozen=True)
class Slow:
    """tanh; until somebody says `go` each epoch takes its time, the first one another."""

    folder: str
    seconds: float = 0.0
    first: float = 0.0
    busy: bool = False

    def __call__(self, z):
        return np.tanh(z)

    def derivative(self, z, h):
        if 3 in z.shape:  # a trial of a few examples is no epoch
            return 1 - h * h
        first = not Path(self.folder, "ended").exists()
        seconds = float(np.max(self.first if first else self.seconds))
        if not Path(self.folder, "go").exists():
            self.note("begun")
            self.take(seconds)
            self.note("ended")
        return 1 - h * h

    def note(self, what):
        with Path(self.folder, what).open("a") as file:
            file.write(f"{time.time()}\\n")

    def take(self, seconds):
        end = time.monotonic() + seconds
        while self.busy and time.monotonic() < end:
            np.linalg.inv(np.eye(300))
        time.sleep(max(0.0, end - time.monotonic()))
'''


class Slow:
    """A folder where `activation=slow` says how far it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.line = ("activation=slow", f"activation.folder={folder}")

    def times(self, what: str) -> list[float]:
        """When epochs have begun or ended."""
        path = self.folder / what
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def hurry(self) -> None:
        """From now on it takes no time."""
        (self.folder / "go").touch()


@contextmanager
def slow_in(folder: Path) -> Iterator[Slow]:
    """Meanwhile it is installed, here and in processes that are started from here."""
    with strangers(folder / "site-packages") as installed, pytest.MonkeyPatch.context() as patch:
        installed.install("slow-dist", SOURCE, activation__slow="Slow")
        others = os.environ.get("PYTHONPATH", "")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(installed.folder), others]))
        yield Slow(folder)


def store_made() -> str:
    """The address of the store, which is there from now on: whoever looks at it makes none."""
    uri = os.environ["MLFLOW_TRACKING_URI"]
    path = database_file(uri)
    assert path is not None
    sqlite.prepare_store(path)
    return uri


def until(found: Any, seconds: float = 60.0) -> Any:
    """What `found()` gives when it gives something."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return value


def show_often() -> None:
    """Let every epoch of this process be followed by a snapshot."""
    session.SNAPSHOT_SECONDS = 0.0
