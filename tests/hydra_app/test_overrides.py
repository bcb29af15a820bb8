"""A key that is given twice: a sweep is refused, a single run takes the last value and says so."""

import pytest

import harness as harness_api
from harness.errors import UsageError
from tests.support.commands import SHORT, harness_process, manifest, refused

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
RATES = ("optimizer.learning_rate=0.1", "optimizer.learning_rate=0.2")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (RATES, "optimizer.learning_rate is given twice: "),
        (RATES, "optimizer.learning_rate=0.1 and optimizer.learning_rate=0.2\n"),
        (RATES, "  to sweep over all of them: optimizer.learning_rate=0.1,0.2\n"),
        (("seed=1", "epochs=3", "seed=1"), "seed is given twice: seed=1 and seed=1"),
        (("seed=1,2", "++seed=3,4", "seed=5"), "seed is given 3 times: "),
        (("activation=tanh", "activation=relu"), "activation=tanh,relu"),
        (("hydra.sweep.dir=a", "hydra.sweep.dir=b"), "hydra.sweep.dir is given twice"),
        (("+tracking.tags.a=1", "+tracking.tags.a=2"), "tracking.tags.a is given twice"),
        (("seed=1,2", "repeats=2", "repeats=3"), "repeats is given twice"),
    ],
    ids=str,
)
def test_a_sweep_is_given_each_key_once(workplace, capsys, given, said):
    assert said in refused(capsys, "-m", *given)


@pytest.mark.parametrize("sweeper", ["grid", "optuna", "basic"])
def test_so_it_is_for_every_sweeper_and_in_python(workplace, sweeper):
    with pytest.raises(UsageError, match="learning_rate is given twice"):
        harness_api.sweep([f"hydra/sweeper={sweeper}", *RATES])
    assert [*workplace.iterdir()] == []


def test_a_sweep_that_the_config_asks_for_is_one_too(workplace, capsys):
    assert "seed is given twice" in refused(capsys, "repeats=2", "seed=1", "seed=2")
    assert "seed is given twice" in refused(capsys, "hydra.mode=MULTIRUN", "seed=1", "seed=2")


def test_a_single_run_takes_the_last_value_and_says_so_in_one_line(place, caplog):
    line = (*SHORT, "hydra.run.dir=here", *RATES)
    done = harness_process(*line, cwd=place)
    both = "optimizer.learning_rate=0.1 and optimizer.learning_rate=0.2"
    said = f"optimizer.learning_rate is given twice: {both}; the last one counts\n"
    assert (done.code, done.err) == (0, said)
    assert manifest(place / "here")["runs"][0]["config"]["optimizer"]["learning_rate"] == 0.2
    assert harness_api.run([*SHORT, *RATES]).config["optimizer"]["learning_rate"] == 0.2
    assert f"{caplog.messages[0]}\n" == said


def test_what_is_merged_or_taken_away_is_not_given_twice(place, caplog):
    merged = ("optimizer=adam", "optimizer={beta1: 0.8}", "optimizer={beta2: 0.9}")
    run = harness_api.run([*SHORT, *merged, "~experiment"])
    assert (run.config["optimizer"]["beta1"], run.config["optimizer"]["beta2"]) == (0.8, 0.9)
    assert caplog.messages == []
