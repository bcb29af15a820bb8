"""Long runs that are killed go on from their checkpoints, as the same runs, to the same bits."""

import os
import signal
from functools import partial

import psutil
import pytest

from harness.engines.worker import train_stack
from harness.store.manifest import read_manifest
from harness.store.results import read_result
from harness.tracking.backend.name_limits import Fit
from harness.tracking.entities import metric_points
from harness.training.checkpoints import unpack_checkpoint
from tests.support import forks
from tests.support.commands import merged, variables
from tests.support.processes import workers
from tests.support.recorded import client_and_runs
from tests.support.slow import slow_in, store_made, until
from tests.support.stacks import assert_same, last

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
LINE = ("epochs=300", "model.dropout=0.2", "tracking.log_every=1", "run.checkpoint_seconds=0.2")
LINE += ("figures=none", "tracking.model=none", "activation.seconds=0.1")
SWEEP = ("-m", "seed=1,2", "hydra.launcher.engine=processes", "hydra.launcher.workers=2")
OFTEN = ("tests.support.slow:show_often",)
LINES = {"run": (), "worker": SWEEP, "sweep": SWEEP}


@pytest.fixture
def slow(tmp_path):
    with slow_in(tmp_path) as slow:
        yield slow


def checkpoints(folder):
    """What is kept of each run, once there is something of all of them."""
    paths = [*(folder / "checkpoints").glob("*.npz")]
    if not (folder / "manifest.json").exists() or not paths:
        return {}
    kept = {path.stem: unpack_checkpoint(path.read_bytes()) for path in paths}
    return kept if {*kept} == {run.fingerprint for run in read_manifest(folder).runs} else {}


def recorded(uri, folder):
    """The runs in the store by their fingerprint, once all are there."""
    _, runs = client_and_runs(uri, folder)
    found = {run.data.tags["harness.fingerprint"]: run.info for run in runs}
    assert len(found) == len(runs)
    return found if len(found) == len(read_manifest(folder).runs) else {}


def killed(process, victim):
    """SIGKILL to one worker, or to all there is."""
    if victim == "worker":
        os.kill(workers(psutil.Process(process.pid))[0].pid, signal.SIGKILL)
    else:
        process.signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize("victim", LINES)
def test_what_is_killed_goes_on_from_its_checkpoint(victim, slow, place):
    uri, folder = store_made(), place / "here"
    line = merged(*LINE, *LINES[victim], *slow.line, "hydra.run.dir=here", "hydra.sweep.dir=here")
    env = variables(MLFLOW_TRACKING_URI=uri)
    process = forks.start(*line, cwd=place, env=env)
    before = until(lambda: checkpoints(folder))
    there = until(lambda: recorded(uri, folder))
    killed(process, victim)
    slow.hurry()
    if victim != "worker":
        (folder / "checkpoints" / "x.npz.7.tmp").write_bytes(b"half")
        process = forks.start("resume", "here", cwd=place, env=env)
    assert process.wait() == 0, process.said()
    check_files(folder, before)
    check_record(uri, folder, there)


def check_files(folder, before):
    """Each went on from its checkpoint, has its bits, and left nothing else."""
    for run in read_manifest(folder).runs:
        result, (saved, seconds) = read_result(folder, run.fingerprint), before[run.fingerprint]
        assert saved["group.number"] > 0
        assert result.started == int(saved["state.began"] * 1000)
        curve = result.curves["train/loss"]
        known = curve.times[curve.steps < saved["group.number"]]
        assert (known <= seconds * 1000).all(), "trained twice"
        config = run.config | {"run": {"timeout": None, "checkpoint_seconds": None}}
        assert_same(result, last(train_stack([run.fingerprint], [config]))[0])
    assert not (folder / "checkpoints").exists()
    assert not [*folder.rglob("*.tmp")]


def check_record(uri, folder, there):
    """Each is the run in MLflow that it was, with each point once."""
    client, runs = client_and_runs(uri, folder)
    assert {run.info.run_id for run in runs} == {info.run_id for info in there.values()}
    assert len(runs) == len(there)
    for run in runs:
        assert run.info.status == "FINISHED"
        curves = read_result(folder, run.data.tags["harness.fingerprint"]).curves
        for key, curve in curves.items():
            points = sorted(client.get_metric_history(run.info.run_id, key), key=at)
            told = [(point.step, point.value) for point in points]
            assert told == [*zip(curve.steps, curve.values, strict=True)]
            assert sorted(point.timestamp for point in points) == [p.timestamp for p in points]


def at(point):
    return point.step


def points(uri, folder):
    """All points of the one run in the store but its seconds, and the tag `harness.epoch`."""
    client, [run] = client_and_runs(uri, folder)
    found = [p for k in run.data.metrics for p in client.get_metric_history(run.info.run_id, k)]
    return numbers(found), int(run.data.tags["harness.epoch"])


def further(uri, folder, count):
    found, epoch = points(uri, folder)
    return epoch > 20 and len(found) > count


def numbers(metrics):
    return sorted((m.key, m.step, m.value) for m in metrics if m.key != "train/seconds")


def test_a_run_has_the_points_of_the_run_alone_however_it_was_published_and_ended(slow, place):
    uri, folder = store_made(), place / "here"
    line = [*LINE, *slow.line, "tracking.log_every=7", "tracking.metrics_every=5"]
    line += ["activation.seconds=0.03", "hydra.run.dir=here"]
    shown = {"env": variables(MLFLOW_TRACKING_URI=uri), "before": OFTEN, "cwd": place}
    process = forks.start(*line, **shown)
    until(lambda: (folder / "manifest.json").exists() and client_and_runs(uri, folder)[1])
    [run] = read_manifest(folder).runs
    config = run.config | {"run": {"timeout": None, "checkpoint_seconds": None}}
    seen = []
    for ending in (signal.SIGTERM, signal.SIGKILL):
        until(partial(further, uri, folder, len(seen) + 9))
        process.signal(ending)
        process.wait()
        seen, epoch = points(uri, folder)
        if ending == signal.SIGTERM:  # MLflow writes points before tags: a kill may come between
            assert epoch >= max(step for _, step, _ in seen)
        process = forks.start("resume", "here", **shown)
        if ending == signal.SIGKILL:
            slow.hurry()
    assert process.wait() == 0, process.said()
    [alone] = last(train_stack([run.fingerprint], [config]))
    expected = numbers(metric_points(alone, Fit(), {}))
    assert points(uri, folder) == (expected, 300)
    assert {*seen} < {*expected}
