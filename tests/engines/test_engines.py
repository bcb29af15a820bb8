"""Every engine for real: the same bits, and nothing lost with a worker that dies."""

import os
import signal
import sys
import time
from dataclasses import replace
from threading import Lock

import numpy as np
import psutil
import pytest

from harness.engines import Engine
from harness.engines.worker import Work, train_stack
from harness.errors import UsageError
from harness.sweeps.search.pruning import Pruning
from tests.conftest import make_config
from tests.support import forks
from tests.support.commands import SHORT, harness, manifest
from tests.support.processes import workers
from tests.support.strangers import strangers

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow",
    "ignore:::sqlalchemy",
    "ignore:::ray",
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
)
ENGINES = [
    Engine("processes", workers=2),
    Engine("ray", workers=2),
    Engine("submitit", workers=2, address="local"),
]
every_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.engine)
DEADLY = """
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

@dataclass(frozen=True)
class Deadly:
    mark: str = ""

    def __call__(self, z):
        if self.mark and not Path(self.mark).exists():
            Path(self.mark).touch()
            os.kill(os.getpid(), 9)
        if not self.mark and z.shape[1] == 4:
            os.kill(os.getpid(), 9)
        return np.tanh(z)

    def derivative(self, z, h):
        return 1 - h * h

@dataclass(frozen=True)
class OneThread:
    def __call__(self, z):
        threads = {pool["num_threads"] for pool in threadpool_info()}
        if threads != {1}:
            raise RuntimeError(f"threads: {threads}")
        return np.tanh(z)

    def derivative(self, z, h):
        return 1 - h * h
"""


@pytest.fixture
def deadly(tmp_path, monkeypatch):
    """A distribution with plugins that misbehave, for workers to find, too."""
    with strangers(tmp_path / "site-packages") as installed:
        installed.install("bad", DEADLY, activation__deadly="Deadly", activation__one="OneThread")
        others = os.environ.get("PYTHONPATH", "")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed.folder), others]))
        yield {"name": "deadly", "mark": str(tmp_path / "mark")}


def work(*configs):
    names = "".join(str(config["activation"]["name"]) for config in configs)
    return Work(tuple(f"{names}{i}" for i in range(len(configs))), tuple(configs))


def finals(came):
    """The results by fingerprint; each comes once."""
    ended = [r for results in came for r in results if r.outcome != "running"]
    assert len({r.fingerprint for r in ended}) == len(ended)
    return {r.fingerprint: r for r in ended}


def same(a, b):
    """Whether two results are the same to the bit, but for times."""
    assert a.curves.keys() == b.curves.keys()
    for key in a.curves:
        assert np.array_equal(a.curves[key].values, b.curves[key].values)
    assert all(np.array_equal(v, w) for v, w in zip(a.weights, b.weights, strict=True))
    timeless = [{k: v for k, v in r.metrics.items() if k != "train/seconds"} for r in (a, b)]
    return timeless[0] == timeless[1] and a.outcome == b.outcome


@pytest.mark.fault
@every_engine
def test_runs_have_the_same_bits_on_every_engine(engine, tmp_path):
    works = [
        work(*(make_config(seed=seed, epochs=30) for seed in range(3))),
        work(make_config(activation={"name": "tanh"}, dtype="float32", batch_size=16)),
        work(make_config(activation={"name": "relu"}, optimizer={"name": "adam"})),
    ]
    came = finals(engine.train(works, str(tmp_path)))
    alone = finals(r for each in works for r in train_stack(each.fingerprints, each.configs))
    assert came.keys() == alone.keys()
    assert all(same(came[name], alone[name]) for name in alone)


@pytest.mark.fault
@every_engine
def test_a_stack_whose_worker_dies_is_tried_once_more(engine, deadly, tmp_path):
    """What is lost for good says why: here by an error that is no run's."""
    works = [
        work(make_config(activation=deadly), make_config(activation=deadly, seed=1)),
        *(work(make_config(activation={"name": name})) for name in ("tanh", "relu")),
        replace(work(make_config()), pruning=Pruning("best", ())),
    ]
    came = finals(engine.train(works, str(tmp_path / "folder")))
    lost = came.pop("sigmoid0")
    assert [result.outcome for result in came.values()] == ["ok"] * 4
    assert lost.outcome == "failed"
    assert "the worker died, twice: " in lost.reason
    assert "UsageError: hydra.sweeper.pruner: there is no 'best'" in lost.reason


@pytest.mark.fault
def test_a_stack_that_cannot_be_sent_costs_other_workers_nothing(tmp_path):
    from harness.engines.processes import WorkerPool

    crew = WorkerPool(ENGINES[0], str(tmp_path))
    try:
        going = crew.submit(work(make_config(epochs=500)))
        lost = crew.wait([crew.submit(work(make_config(activation={"name": Lock()})))], None)
        assert "pickle" in lost.lost
        while not (came := crew.wait([going], None)).done:
            assert not came.lost
    finally:
        crew.close()


@pytest.mark.fault
def test_only_a_stack_that_is_lost_twice_fails(deadly, place, capsys):
    line = ["hydra.launcher.engine=processes", "hydra.launcher.workers=2", "hydra.sweep.dir=here"]
    sizes = "model.hidden=[3],[4],[5]"
    done = harness(capsys, "-m", *SHORT, "activation=deadly", sizes, *line)
    assert done.code == 3
    assert "runs: 2 finished, 0 diverged, 1 failed" in done.out
    assert "failed: model.hidden=[4]: the worker died, twice: " in done.err
    assert "Traceback" not in done.err


@pytest.mark.fault
@every_engine
def test_workers_have_one_thread(engine, deadly, tmp_path):
    came = finals(engine.train([work(make_config(activation={"name": "one"}))], str(tmp_path)))
    assert [(r.outcome, r.reason) for r in came.values()] == [("ok", "")]


@pytest.mark.fault
@pytest.mark.parametrize("engine", ENGINES[:2], ids=lambda engine: engine.engine)
def test_long_stacks_are_seen_before_they_end(engine, tmp_path):
    config = make_config(epochs=3000, tracking__log_every=None)
    outcomes = [r.outcome for results in engine.train([work(config)], "") for r in results]
    assert outcomes[0] == "running"
    assert outcomes[-1] == "ok"


@pytest.mark.fault
def test_an_engine_is_asked_for_more_only_when_a_worker_is_free(tmp_path):
    given = []

    def works():
        for name in ("tanh", "relu", "sigmoid", "swish"):
            given.append(name)
            yield work(make_config(activation={"name": name}))

    results = ENGINES[0].train(works(), str(tmp_path))
    first = next(results)
    assert len(given) == 2
    assert len(finals([first, *results])) == 4


@pytest.mark.parametrize(
    ("engine", "library", "install"),
    [
        ("processes", "loky.process_executor", "loky"),
        ("ray", "ray", "'numpy-harness[ray]'"),
        ("submitit", "submitit", "'numpy-harness[slurm]'"),
    ],
)
def test_an_engine_that_is_not_installed_says_what_to_install(
    engine, library, install, monkeypatch
):
    monkeypatch.setitem(sys.modules, library, None)
    module = engine if engine == "processes" else f"{engine}_engine"
    monkeypatch.delitem(sys.modules, f"harness.engines.{module}", raising=False)
    with pytest.raises(UsageError) as refusal:
        Engine(engine).check()
    assert str(refusal.value) == f"hydra.launcher.engine={engine}: pip install {install} first"


LONG = ["-m", "seed=1,2", "epochs=1000000", "figures=none", "hydra.sweep.dir=here"]
LONG += ["hydra.launcher.engine=processes", "hydra.launcher.workers=2"]


@pytest.mark.fault
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=str)
def test_workers_go_with_the_sweep_however_it_ends(place, number):
    sweep = forks.start(*LONG, cwd=place, env=dict(os.environ))
    for _ in range(600):
        at_work = workers(psutil.Process(sweep.pid))
        if len(at_work) == 2 and all(worker.cpu_times().user > 1.5 for worker in at_work):
            break
        time.sleep(0.1)
    assert len(at_work) == 2
    sweep.signal(number, group=number == signal.SIGINT)  # Ctrl-C is for all of them
    code = sweep.wait(10)
    assert code == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    _, alive = psutil.wait_procs(at_work, timeout=5)
    assert alive == []
    if number != signal.SIGKILL:
        assert f"to finish: harness resume {place}/here" in sweep.said()[1]
    assert len(manifest(place / "here")["runs"]) == 2
