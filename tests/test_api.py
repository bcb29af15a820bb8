"""Runs and sweeps from Python, recorded in a real MLflow store."""

import doctest

import numpy as np
import pytest

import harness
from harness import api
from harness.checks import running
from harness.errors import UsageError

FAST = ["figures=none", "tracking.model=none", "epochs=20"]


@pytest.fixture
def place(workplace):
    return workplace


@pytest.mark.filterwarnings("ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning")
class TestRecorded:
    def test_a_run_comes_back_with_all_that_is_known_of_it(self, place):
        asked = [*FAST, "test=0.1", "activation=leaky_relu", "activation.slope=0.2"]
        result = harness.run(asked)
        assert result.outcome == "ok"
        assert result.name == " ".join(asked)
        assert result.params["activation"] == "leaky_relu"
        assert result.params["activation.slope"] == "0.2"
        assert result.config["epochs"] == 20
        assert result.curves["val/loss"][0][-1] == 20
        assert {part: x.shape for part, x in result.x.items()} == {
            "train": (140, 2),
            "validation": (40, 2),
            "test": (20, 2),
        }
        assert {p: v.shape[1] for p, v in result.prediction.items()} == dict.fromkeys(result.x, 1)
        residual = result.prediction["validation"] - result.y["validation"]
        assert np.sqrt((residual**2).mean()) == pytest.approx(
            result.metrics["val/rmse"], rel=1e-12
        )
        assert result.directory.is_relative_to(place)

    def test_a_recorded_run_is_loaded_from_mlflow_alone(self, place):
        ran = harness.run([*FAST, "dataset=iris", "loss=softmax_cross_entropy", "batch_size=16"])
        for path in ran.directory.rglob("*"):
            if path.is_file():
                path.unlink()
        loaded = harness.load(ran.run_id)
        assert loaded.config == ran.config
        assert loaded.params == ran.params
        assert loaded.name == ran.name
        assert loaded.outcome == "ok"
        assert loaded.metrics == ran.metrics
        assert loaded.best_epoch == ran.best_epoch
        assert loaded.fingerprint == ran.fingerprint
        assert all(np.array_equal(a, b) for a, b in zip(ran.weights, loaded.weights, strict=True))
        for key, (steps, values) in ran.curves.items():
            assert np.array_equal(loaded.curves[key][0], steps)
            assert np.array_equal(loaded.curves[key][1], values)
        x = ran.x["validation"]
        assert np.array_equal(loaded.predict(x), ran.predict(x))
        assert np.allclose(loaded.predict(x).sum(axis=1), 1)

    def test_a_sweep_is_a_table_best_run_first(self, place):
        swept = harness.sweep([*FAST, "optimizer.learning_rate=0.01,0.1,1e200", "seed=1,2"])
        frame = swept.frame
        assert list(frame.columns[:3]) == ["run_id", "name", "outcome"]
        assert len(frame) == len(swept.runs) == 6
        assert frame["outcome"].tolist() == ["ok"] * 4 + ["diverged"] * 2
        good = frame["val/best_loss"][:4].tolist()
        assert good == sorted(good)
        assert swept.best.run_id == frame["run_id"][0] == swept.runs[0].run_id
        assert swept.best.metrics["val/best_loss"] == good[0]
        assert sorted(set(frame["optimizer.learning_rate"])) == [0.01, 0.1, 1e200]
        assert swept.parent_run_id not in frame["run_id"].tolist()

    def test_the_weights_of_a_sweep_are_those_of_single_runs(self, place):
        swept = harness.sweep([*FAST, "seed=3,4"])
        for run in swept.runs:
            alone = harness.run([*FAST, f"seed={run.config['seed']}"])
            for a, b in zip(alone.weights, run.weights, strict=True):
                assert np.array_equal(a, b)

    def test_a_run_that_is_not_there_is_told(self, place):
        harness.run(FAST)
        with pytest.raises(UsageError, match="nothing-like-it"):
            harness.load("nothing-like-it")

    @pytest.mark.parametrize("module", [api, running], ids=lambda module: module.__name__)
    def test_the_examples_of_docstrings_run(self, module, place):
        examples = doctest.testmod(module)
        assert examples.attempted
        assert not examples.failed


def test_a_wrong_setting_creates_nothing(place):
    with pytest.raises(UsageError, match="epochs=0"):
        harness.run(["epochs=0"])
    with pytest.raises(UsageError, match="in job 1"):
        harness.sweep(["epochs=1,0"])
    assert [*place.iterdir()] == []
