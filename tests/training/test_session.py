"""One stack of runs: who fails, fails alone; what they leave."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
from harness_plugins.activations.smooth import Sigmoid

from harness.config import registry
from harness.engines.worker import train_stack
from harness.training.session import Clock
from tests.conftest import make_config


@dataclass(frozen=True)
class Touchy(Sigmoid):
    """Sigmoid that raises where its hyperparameter is negative."""

    temper: float = 1.0

    def __call__(self, z):
        if np.any(self.temper < 0):
            raise ArithmeticError("I will not")
        return super().__call__(z)


@pytest.fixture
def touchy(monkeypatch):
    """The plugin registered beside the installed ones."""
    entry = registry.Origin("activation", "touchy", f"{__name__}:Touchy", "tests", "0")
    with_it = {**registry.plugin_table(), "activation": {"touchy": (entry,)}}
    monkeypatch.setattr(registry, "plugin_table", lambda: with_it)
    assert __name__ in sys.modules
    registry.load_plugin.cache_clear()
    registry.plugin_provenance.cache_clear()
    yield
    registry.load_plugin.cache_clear()
    registry.plugin_provenance.cache_clear()


def test_a_plugin_that_raises_fails_its_own_run_and_no_other(touchy):
    tempers = [1.0, -1.0, 2.0]
    configs = [make_config(activation={"name": "touchy", "temper": t}) for t in tempers]
    results = [one for some in train_stack(["a", "b", "c"], configs) for one in some]
    good, bad, fine = (r for r in results if r.outcome != "running")
    assert (good.outcome, bad.outcome, fine.outcome) == ("ok", "failed", "ok")
    assert bad.reason.endswith(" failed in __call__: ArithmeticError: I will not")
    assert "in __call__" in bad.traceback
    assert bad.weights == []
    alone = [*train_stack(["a"], configs[:1])][-1][0]
    assert alone.curves["val/loss"].values.tolist() == good.curves["val/loss"].values.tolist()


def test_a_diverged_run_says_when_and_keeps_finite_numbers():
    configs = [make_config(optimizer__learning_rate=rate, epochs=30) for rate in (0.1, 1e200)]
    fine, wild = [*train_stack(["a", "b"], configs)][-1]
    assert (fine.outcome, wild.outcome) == ("ok", "diverged")
    assert wild.reason.startswith("loss or weights not finite at epoch ")
    assert all(np.isfinite(layer).all() for layer in wild.weights)
    assert all(np.isfinite(curve.values).all() for curve in wild.curves.values())
    assert all(np.isfinite(value) for value in wild.metrics.values())


def test_finals_name_what_they_are_of():
    held_out, all_of_it = (
        [*train_stack(["a"], [make_config(validation=v, test=0.2)])][-1][0].metrics
        for v in (0.2, 0.0)
    )
    parts = {"test/loss", "test/r2", "test/rmse", "test/mae", "train/seconds"}
    numbers = ("best_loss", "best_epoch", "r2", "rmse", "mae")
    assert set(held_out) == parts | {f"val/{n}" for n in numbers}
    assert set(all_of_it) == parts | {f"train/{n}" for n in numbers}


def test_weights_are_as_the_model_made_them():
    config = make_config(model={"name": "mlp", "hidden": [3]}, dtype="float32")
    result = [*train_stack(["a"], [config])][-1][0]
    assert [layer.shape for layer in result.weights] == [(3, 3), (4, 1)]
    assert {layer.dtype for layer in result.weights} == {np.dtype("float32")}


def test_a_long_stack_shows_snapshots_on_the_way(monkeypatch):
    monkeypatch.setattr("harness.training.session.SNAPSHOT_SECONDS", 0.0)
    first, *snapshots, final = train_stack(["a"], [make_config(epochs=5)])
    assert (first[0].outcome, first[0].curves) == ("running", {})  # before the first epoch
    assert {results[0].outcome for results in snapshots} == {"running"}
    lengths = [len(results[0].curves["train/loss"].steps) for results in snapshots]
    assert lengths == sorted(lengths)
    assert final[0].outcome == "ok"
    first = snapshots[-1][0].curves["train/loss"]
    whole = final[0].curves["train/loss"]
    assert first.times.tolist() == whole.times.tolist()[: len(first.times)]


def test_a_snapshot_has_the_points_that_the_finished_curve_will_have_and_no_others(monkeypatch):
    changes = {"tracking__log_every": 4, "tracking__metrics_every": 3, "epochs": 22}
    rates = {"fine": 0.1, "wild": 1e200}
    configs = [make_config(**changes, optimizer__learning_rate=rate) for rate in rates.values()]
    alone = {r.fingerprint: r for r in [*train_stack([*rates], configs)][-1]}
    monkeypatch.setattr("harness.training.session.SNAPSHOT_SECONDS", 0.0)
    for result in (one for some in train_stack([*rates], configs) for one in some):
        whole = alone[result.fingerprint].curves
        for key, curve in result.curves.items():
            due = whole[key].steps <= result.last_epoch
            assert curve.steps.tolist() == whole[key].steps[due].tolist(), (result.outcome, key)


def test_a_run_that_raises_keeps_the_points_that_it_had(touchy, monkeypatch):
    def worn(self, z, h):
        if len(calls := vars(Touchy).get("calls")) > 12:
            raise ArithmeticError("worn out")
        calls.append(None)
        return Sigmoid.derivative(self, z, h)

    monkeypatch.setattr(Touchy, "calls", [], raising=False)
    monkeypatch.setattr(Touchy, "derivative", worn, raising=False)
    config = make_config(activation={"name": "touchy"}, tracking__log_every=4, epochs=40)
    [result] = [*train_stack(["a"], [config])][-1]
    assert (result.outcome, result.last_epoch) == ("failed", 12)
    assert result.curves["train/loss"].steps.tolist() == [0, 4, 8, 12]


def test_times_go_forward_though_the_clock_is_set_back(monkeypatch):
    clock = Clock()
    before = clock.seconds()
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert clock.seconds() >= before


@pytest.mark.parametrize(
    ("dtype", "said"),
    [
        (
            "float32",
            "activation.__call__ returned float64 (1, 4, 3), and float32 (1, 4, 3) is expected",
        ),
        ("float64", None),
    ],
)
def test_a_plugin_that_changes_the_dtype_is_told(touchy, monkeypatch, dtype, said):
    monkeypatch.setattr(Touchy, "__call__", lambda self, z: np.tanh(z.astype(float)))
    config = make_config(activation={"name": "touchy"}, dtype=dtype)
    result = [*train_stack(["a"], [config])][-1][0]
    assert result.outcome == ("failed" if said else "ok")
    assert said is None or said in result.reason
