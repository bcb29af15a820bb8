"""Launchers, sweepers and callbacks of Hydra's and of users, around our own or in their place."""

import sys

import pytest

from tests.support.commands import SHORT, harness, manifest
from tests.support.strangers import strangers

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
CALLBACK = """
from hydra.experimental.callback import Callback

TOLD = []

class Listener(Callback):
    def __getattribute__(self, name):
        if not name.startswith("on_"):
            return super().__getattribute__(name)

        def note(config, **more):
            number = config.hydra.job.get("num") if name.startswith("on_job") else None
            job = more.get("job_return")
            TOLD.append((name, number, config.hydra.mode.name, job and job.return_value))
        return note
"""
LISTEN = "+hydra.callbacks.mine._target_=listener.Listener"


@pytest.mark.parametrize(
    "others",
    [
        ["hydra/launcher=basic"],
        ["hydra/sweeper=basic"],
        ["hydra/launcher=basic", "hydra/sweeper=basic"],
        ["hydra/sweeper=basic", "hydra.sweeper.max_batch_size=1"],
    ],
    ids=str,
)
def test_hydras_own_launcher_and_sweeper_make_one_sweep_too(launched, place, others):
    folder = launched("-m", "seed=1,2", *others)
    made = manifest(folder)
    assert [run["jobs"] for run in made["runs"]] == [[0], [1]]
    assert (folder / "multirun.yaml").is_file()
    assert (folder / "1/.hydra/config.yaml").is_file()
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("harness").experiment_id
    of_this = f"tags.`harness.sweep` = '{made['sweep_id']}'"
    found = client.search_runs([experiment], of_this)
    assert [run.info.status for run in found] == ["FINISHED"] * 3
    assert sorted(run.data.tags["harness.role"] for run in found) == ["run", "run", "sweep"]


@pytest.fixture
def listener(place, monkeypatch):
    (place / "listener.py").write_text(CALLBACK)
    monkeypatch.syspath_prepend(place)
    sys.modules.pop("listener", None)
    yield lambda: sys.modules["listener"].TOLD
    sys.modules.pop("listener", None)


def test_callbacks_are_told_of_a_run(launched, listener):
    launched(LISTEN)
    names = [name for name, *_ in listener()]
    assert names == ["on_run_start", "on_job_start", "on_job_end", "on_run_end"]
    assert isinstance(listener()[2][3], float)


@pytest.mark.parametrize("others", [[], ["hydra/launcher=basic"]], ids=str)
def test_callbacks_are_told_of_each_job_and_of_the_sweep(launched, listener, others):
    launched("-m", "seed=1,2", LISTEN, *others)
    told = listener()
    assert told[0][0] == "on_multirun_start"
    assert told[-1][0] == "on_multirun_end"
    jobs = [each for each in told if each[0].startswith("on_job")]
    assert sorted((name, number) for name, number, *_ in jobs) == [
        ("on_job_end", 0),
        ("on_job_end", 1),
        ("on_job_start", 0),
        ("on_job_start", 1),
    ]
    values = {number: value for name, number, _, value in jobs if name == "on_job_end"}
    assert all(isinstance(value, float) for value in values.values())
    assert {mode for _, _, mode, _ in told} == {"MULTIRUN"}


RAISES = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Raises:
    def __call__(self, z):
        raise RuntimeError("no good")

    def derivative(self, z, h):
        return z
"""


@pytest.mark.parametrize(
    "others",
    [[], ["hydra/sweeper=basic"], ["hydra/launcher=basic"]],
    ids=str,
)
def test_a_run_that_fails_is_told_and_the_others_are_trained(place, capsys, others, tmp_path):
    with strangers(tmp_path / "site-packages") as installed:
        installed.install("bad", RAISES, activation__raises="Raises")
        code, out, err = harness(capsys, "-m", *SHORT, "activation=raises,tanh", *others)
    assert code == 3
    assert "runs: 1 finished, 0 diverged, 1 failed" in out
    assert "failed: activation=raises: activation plugin 'raises' (bad 1.2)" in err
    assert "RuntimeError: no good" in err
    assert "Traceback" not in err
