"""Plugins that never return: only the run at fault fails, and no process is left behind."""

import os
from pathlib import Path

import numpy as np
import pytest

from harness.engines import Engine
from harness.engines.worker import Work, train_stack
from harness.store.manifest import read_manifest
from harness.store.results import read_result
from tests.conftest import make_config
from tests.support.commands import SHORT, harness
from tests.support.processes import workers
from tests.support.strangers import strangers

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore:::ray", "ignore::ResourceWarning"
)
SLEEPY = """
import time
from dataclasses import dataclass

import numpy as np

@dataclass(frozen=True)
class Sleepy:
    awake: float = 1.0

    def __call__(self, z):
        while np.any(self.awake == 0):
            time.sleep(1)
        return np.tanh(self.awake * z)

    def derivative(self, z, h):
        return self.awake * (1 - h * h)
"""
SWEEP = ("-m", *SHORT, "activation=sleepy", "activation.awake=0,1,2,3,4,5", "hydra.sweep.dir=here")


@pytest.fixture
def sleepy(tmp_path, monkeypatch):
    """An activation that never returns where `awake` is 0, for workers to find, too."""
    with strangers(tmp_path / "site-packages") as installed:
        installed.install("night", SLEEPY, activation__sleepy="Sleepy")
        others = os.environ.get("PYTHONPATH", "")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed.folder), others]))
        yield


def test_a_run_that_hangs_fails_alone_and_the_others_keep_their_bits(sleepy, place, capsys):
    code, out, err = harness(capsys, *SWEEP, "run.timeout=4")
    assert code == 3
    assert "runs: 5 finished, 0 diverged, 1 failed" in out
    reason = "run.timeout=4: no epoch ended in that time, twice"
    assert f"failed: activation.awake=0: {reason}\n" in err
    assert workers() == []
    for run in read_manifest(Path("here")).runs:
        result = read_result(Path("here"), run.fingerprint)
        if result.outcome == "failed":
            assert (run.config["activation"]["awake"], result.reason) == (0, reason)
            continue
        alone = [*train_stack([run.fingerprint], [run.config])][-1][0]
        pairs = zip(result.weights, alone.weights, strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)


def test_a_run_that_hangs_on_ray_is_killed_too(sleepy, tmp_path):
    configs = [make_config(activation={"name": "sleepy", "awake": a}) for a in (0.0, 1.0)]
    work = Work(("asleep", "awake"), tuple(configs), timeout=3.0)
    came = [r for results in Engine("ray", workers=1).train([work], "") for r in results]
    ended = {r.fingerprint: r.outcome for r in came if r.outcome != "running"}
    assert ended == {"asleep": "failed", "awake": "ok"}


def test_a_run_that_takes_too_long_of_its_own_fails():
    config = make_config(epochs=10**9, run={"timeout": 4.0, "checkpoint_seconds": 30})
    work = Work(("long",), (config,), timeout=4.0)
    *_, last = Engine().train([work], "")
    assert last[0].outcome == "failed"
    assert last[0].reason.startswith("run.timeout=4: its time was over at epoch ")
    assert len(last[0].curves["train/loss"].steps) > 1
