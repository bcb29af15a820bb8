"""harness inside other programs: many threads, and nothing of the process is changed."""

import asyncio
import gc
import locale
import logging
import os
import signal
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer
from threadpoolctl import threadpool_info

import harness
from harness.errors import UsageError
from harness.hydra_app.hydra_state import SINGLETONS
from harness.store.manifest import read_manifest
from tests.support.commands import SHORT
from tests.support.recorded import QUIET

pytestmark = QUIET
THREADS = 16


def check(seed, run):
    """Each record is that of its own run."""
    assert run.params["seed"] == str(seed)
    assert run.outcome == "ok"
    [planned] = read_manifest(run.directory).runs
    assert (planned.config["seed"], planned.overrides[-1]) == (seed, f"seed={seed}")
    assert run.fingerprint == planned.fingerprint
    loaded = harness.load(run.run_id)
    assert loaded.params["seed"] == str(seed)
    assert loaded.name.endswith(f"seed={seed}")
    assert np.array_equal(loaded.weights[0], run.weights[0])


def train(seed):
    return harness.run([*SHORT, f"seed={seed}"])


def test_runs_from_sixteen_threads_are_all_right(workplace):
    with ThreadPoolExecutor(THREADS) as pool:
        runs = [*pool.map(train, range(THREADS))]
    assert len({run.run_id for run in runs}) == THREADS
    assert len({str(run.directory) for run in runs}) == THREADS
    for seed in (0, 7, 15):
        check(seed, runs[seed])
    assert [run.params["seed"] for run in runs] == [*map(str, range(THREADS))]
    alone = train(7)
    assert np.array_equal(alone.weights[0], runs[7].weights[0])


def test_runs_from_asyncio_are_all_right_and_a_sweep_beside_them(workplace):
    async def together():
        jobs = [asyncio.to_thread(train, seed) for seed in range(4)]
        sweep = asyncio.to_thread(harness.sweep, [*SHORT, "seed=20,21"])
        return await asyncio.gather(*jobs, sweep)

    *runs, sweep = asyncio.run(together())
    for seed, run in enumerate(runs):
        check(seed, run)
    assert sorted(run.params["seed"] for run in sweep.runs) == ["20", "21"]


def state():
    """Return all that a process has once, and that a library may leave changed."""
    config, hydra = HydraConfig.instance().cfg, GlobalHydra.instance().hydra
    known = logging.root.manager.loggerDict
    loggers = {"": logging.root, **{k: v for k, v in known.items() if hasattr(v, "handlers")}}
    return {
        "hydra": {kind: Singleton._instances.get(kind) for kind in SINGLETONS},
        "hydra config": config,
        "hydra app": hydra,
        "resolvers": {**BaseContainer._resolvers},
        "environment": {**os.environ},
        "directory": Path.cwd(),
        "logging": {
            name: (each.level, [*each.handlers], each.propagate, each.disabled)
            for name, each in loggers.items()
        },
        "handlers": [(handler.level, handler.formatter) for handler in logging.root.handlers],
        "warnings": [*warnings.filters],
        "gc": (gc.isenabled(), gc.get_threshold()),
        "locale": locale.setlocale(locale.LC_ALL),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "matplotlib": (
            mpl.get_backend(auto_select=False),
            {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"},
        ),
        "numpy": (np.geterr(), np.getbufsize(), np.get_printoptions()),
        "blas": {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()},
        "random": str(np.random.get_state()),  # noqa: NPY002
    }


def broken():
    with suppress(UsageError):
        harness.run(["epochs=0"])
    with suppress(UsageError):
        harness.sweep(["epochs=1,0"])
    with suppress(UsageError):
        harness.load("nothing")


CALLS = {
    "run": lambda: harness.run([*SHORT, "figures.names=[loss]"]),
    "sweep": lambda: harness.sweep([*SHORT, "seed=1,2"]),
    "password": lambda: harness.run([*SHORT, "tracking.uri=http://a:b@127.0.0.1:9/?x=1"]),
    "foreign": lambda: harness.sweep([*SHORT, "hydra/launcher=basic", "seed=1,2"]),
    "search": lambda: harness.sweep(
        [*SHORT, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "activation=tanh,relu"]
    ),
    "error": broken,
}


@pytest.fixture
def theirs(workplace, monkeypatch, tmp_path):
    """A program with a state of its own in all of these places."""
    monkeypatch.setattr("harness.tracking.backend.connection.AWAY_SECONDS", 0.5)
    monkeypatch.setattr("harness.sweeps.execute.STORE_AWAY_SECONDS", 0.5)
    monkeypatch.setattr(warnings, "filters", [*warnings.filters])
    warnings.filterwarnings("ignore", "only theirs")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/own.yaml").write_text("a: 1\nb: ${mine:2}\n")
    OmegaConf.register_new_resolver("mine", lambda value: value + 1, replace=True)
    handler = logging.FileHandler(tmp_path / "theirs.log", mode="w")
    logging.root.addHandler(handler)
    with (
        initialize_config_dir(str(tmp_path / "theirs"), version_base="1.2"),
        np.errstate(all="raise"),
    ):
        yield
    logging.root.removeHandler(handler)
    handler.close()
    OmegaConf.clear_resolver("mine")


@pytest.mark.parametrize("name", [*CALLS, "load"])
def test_all_global_state_is_as_it_was(theirs, workplace, name):
    call = CALLS.get(name)
    if call is None:
        run = CALLS["run"]()
        call = lambda: harness.load(run.run_id)  # noqa: E731
    harness.run([*SHORT, "seed=99"])  # what is imported for the first time, is
    before = state()
    call()
    after = state()
    assert before.keys() == after.keys()
    for key, was in before.items():
        now = after[key]
        if key in ("logging", "blas"):  # what was imported in between is the library's own
            now = {name: each for name, each in now.items() if name in was}
        assert now == was, key
    assert compose("own").b == 3
    logging.getLogger("theirs").error("it still writes")
    assert "it still writes" in (workplace / "theirs.log").read_text()


@pytest.mark.parametrize("call", [harness.run, harness.sweep])
@pytest.mark.parametrize("overrides", ["epochs=3", [3], None, 5])
def test_overrides_that_are_no_list_of_texts_are_refused_in_a_line(workplace, call, overrides):
    with pytest.raises(UsageError) as raised:
        call(overrides)
    assert "a list of texts is expected" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert [*workplace.iterdir()] == []
