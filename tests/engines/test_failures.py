"""Faults of strangers' plugins: they fail their own run, are told by name, and hurt no other."""

import os
import signal

import numpy as np
import pytest
from mlflow import MlflowClient

from harness.config.build import build
from harness.engines.worker import DREW, Work, train_stack, train_work
from harness.tracking.backend.queries import experiment_ids
from tests.conftest import make_config
from tests.support.commands import SHORT, harness
from tests.support.strangers import strangers

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
BASES = {
    "activation": "activations.smooth.Tanh",
    "dataset": "datasets.generated.regression.Surface",
    "initializer": "initializers.Normal",
    "loss": "losses.MSE",
    "metric": "metrics.MAE",
    "model": "models.mlp.MLP",
    "optimizer": "optimizers.momentum.SGD",
    "schedule": "schedules.Constant",
}
HOOKS = [
    ("activation", "__call__"),
    ("activation", "derivative"),
    ("initializer", "__call__"),
    ("loss", "__call__"),
    ("metric", "__call__"),
    ("model", "init"),
    ("model", "forward"),
    ("model", "backward"),
    ("optimizer", "init"),
    ("optimizer", "update"),
    ("schedule", "__call__"),
]
SOURCE = """
import sys
from dataclasses import dataclass

import numpy as np
import harness_plugins.{module}

@dataclass(frozen=True)
class Mine(harness_plugins.{base}):
    temper: float = 1.0

    def {hook}(self, *given):
        came = super().{hook}(*given)
        if np.any(np.asarray(self.temper) < 0):
            {fault}
        return came
"""
RAISES = "raise ArithmeticError('I will not')"
RETURNED = {
    "nothing": "return None",
    "a list": "return ['no', 'no']",
    "another shape": "return came[..., None]",
}
EXITS = {
    "SystemExit": ("sys.exit(0)", "SystemExit: 0"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "GeneratorExit's like": ("raise type('Odd', (BaseException,), {})('oh')", "Odd: oh"),
    "recursion": ("return self(*given) if len(given) == 1 else None", "RecursionError: "),
}
WRITES = {
    ("loss", "with_gradient"): "given[1][:] = 0",
    ("model", "forward"): "given[0][0][:] = 0",
    ("model", "backward"): "given[1][:] = 0",
    ("optimizer", "update"): "given[2][:] = 0",
    ("metric", "__call__"): "given[1][:] = 0",
}


@pytest.fixture
def mine(tmp_path):
    """Installs a plugin that misbehaves in one hook where its temper is below 0."""
    with strangers(tmp_path / "site-packages") as installed:

        def install(kind, hook, fault):
            module = BASES[kind].rpartition(".")[0]
            source = SOURCE.format(module=module, base=BASES[kind], hook=hook, fault=fault)
            installed.install("moody", source, **{f"{kind}__mine": "Mine"})

        yield install


@pytest.fixture
def trained(mine):
    """Runs with such a plugin, a temper each: the results."""

    def train(kind, hook, fault, *tempers, **changes):
        mine(kind, hook, fault)
        given = [{"name": "mine", "temper": temper} for temper in tempers]
        if kind == "metric":
            given = [[{"mine": {"temper": temper}}] for temper in tempers]
        place = "metrics" if kind == "metric" else kind
        configs = [make_config(**{place: each}, **changes) for each in given]
        names = [str(temper) for temper in tempers]
        every = [r for results in train_stack(names, configs) for r in results]
        return [r for r in every if r.outcome != "running"]

    return train


def said(kind, hook):
    return f"{kind} plugin 'mine' (moody 1.2) failed in {hook}: "


@pytest.mark.parametrize(("kind", "hook"), HOOKS)
def test_what_a_plugin_raises_is_told_by_plugin_and_hook(trained, kind, hook):
    if kind == "model":  # its fields are the same in a stack
        [bad] = trained(kind, hook, RAISES, -1.0)
    else:
        fine, bad = trained(kind, hook, RAISES, 1.0, -1.0)
        [alone] = [*train_stack(["a"], [make_config()])][-1] if kind == "optimizer" else [fine]
        assert fine.outcome == "ok", fine.traceback
        assert all(np.array_equal(*each) for each in zip(fine.weights, alone.weights, strict=True))
    assert (bad.outcome, bad.reason) == (
        "failed",
        said(kind, hook) + "ArithmeticError: I will not",
    )
    assert "I will not" in bad.traceback


@pytest.mark.parametrize("what", RETURNED)
@pytest.mark.parametrize(("kind", "hook"), [each for each in HOOKS if each[1] != "init"])
def test_what_a_plugin_should_not_return_is_told_by_plugin_and_hook(trained, kind, hook, what):
    several = what == "another shape" and kind in ("model", "optimizer")
    fault = "return (came[0][:, :0], *came[1:])" if several else RETURNED[what]
    [bad] = trained(kind, hook, fault, -1.0)
    assert bad.outcome == "failed"
    assert bad.reason.startswith(said(kind, hook)), bad.reason


@pytest.mark.parametrize(
    ("kind", "hook", "fault"),
    [
        ("activation", "derivative", "return came[:, :1]"),
        ("activation", "derivative", "return came.mean(axis=-1, keepdims=True)"),
        ("model", "backward", "return [gradient.mT for gradient in came]"),
        ("model", "backward", "return came[::-1]"),
    ],
)
def test_a_wrong_shape_that_could_be_trained_with_is_told(trained, kind, hook, fault):
    [bad] = trained(kind, hook, fault, -1.0)
    assert bad.outcome == "failed"
    assert bad.reason.startswith(said(kind, hook) + "TypeError: "), bad.reason
    assert "is expected" in bad.reason


@pytest.mark.parametrize("what", EXITS)
def test_a_plugin_cannot_end_the_program(trained, what):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a worker
    try:
        fault, why = EXITS[what]
        fine, bad = trained("activation", "__call__", fault, 1.0, -1.0)
    finally:
        signal.signal(signal.SIGINT, before)
    assert fine.outcome == "ok"
    assert bad.reason.startswith(said("activation", "__call__") + why)


@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize(("kind", "hook"), WRITES)
def test_a_plugin_cannot_write_into_what_others_read(trained, kind, hook, batch_size):
    fault = WRITES[kind, hook]
    [bad] = trained(kind, hook, fault, -1.0, batch_size=batch_size)
    assert bad.outcome == "failed"
    assert "read-only" in bad.reason


def test_draws_from_the_global_generator_are_told_and_undone(mine):
    mine("activation", "__call__", "np.random.random()")
    fine, bad = ({"name": "mine", "temper": temper} for temper in (1.0, -1.0))
    state = np.random.get_state()[1:3]  # noqa: NPY002
    for config, reason in ((fine, ""), (bad, DREW)):
        [*_, results] = train_work(Work(("a",), (make_config(activation=config),)))
        assert [(r.outcome, r.reason) for r in results] == [("ok", reason)]
        assert all(map(np.array_equal, np.random.get_state()[1:3], state))  # noqa: NPY002


@pytest.mark.parametrize("loaded", [False, True])
def test_draws_while_the_data_are_loaded_are_told_and_undone(mine, loaded):
    mine("dataset", "load", "np.random.random()")
    config = make_config(dataset={"name": "mine", "temper": -1.0, "samples": 60})
    state = np.random.get_state()[1:3]  # noqa: NPY002
    if loaded:
        build(config)  # as a run that is planned
    [*_, results] = train_work(Work(("a",), (config,)))
    assert [(r.outcome, r.reason) for r in results] == [("ok", DREW)]
    assert all(map(np.array_equal, np.random.get_state()[1:3], state))  # noqa: NPY002


def test_a_fault_in_a_sweep_is_recorded_with_its_run_and_told_in_one_line(mine, place, capsys):
    mine("model", "backward", RAISES)
    swept = ("-m", *SHORT, "model=mine", "model.temper=1,-1", "hydra.sweep.dir=here")
    code, out, err = harness(capsys, *swept)
    why = said("model", "backward") + "ArithmeticError: I will not"
    assert code == 3
    assert "runs: 1 finished, 0 diverged, 1 failed" in out
    assert f"failed: model.temper=-1: {why}" in err
    assert "Traceback" not in err
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    runs = client.search_runs(
        experiment_ids(client), f"tags.`harness.folder` = '{place / 'here'}'"
    )
    named = {run.info.run_name: run for run in runs}
    bad, fine = named["model.temper=-1"], named["model.temper=1"]
    assert (bad.info.status, fine.info.status) == ("FAILED", "FINISHED")
    assert bad.data.tags["harness.reason"] == why
    files = {file.path for file in client.list_artifacts(bad.info.run_id)}
    assert {"traceback.txt", "config.yaml"} <= files


def test_numbers_that_are_not_finite_end_a_run_as_diverged(trained):
    nan = "return np.where(self.temper < 0, np.nan, came)"
    ended = trained("activation", "__call__", nan, 1.0, -1.0)
    assert {r.fingerprint: r.outcome for r in ended} == {"1.0": "ok", "-1.0": "diverged"}
