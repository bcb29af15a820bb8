"""A study over several searches: what it looks for, its space, and how many trials it has."""

from dataclasses import replace

import optuna
import pytest

from harness.store.manifest import read_manifest, write_manifest
from harness.store.trials import read_trial_runs
from harness.training.data import derived_seed
from tests.support.commands import SHORT, closing_lines, harness, listing, merged, refused
from tests.support.searches import OPTUNA, RATE, search

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow",
    "ignore:::sqlalchemy",
    "ignore:::optuna",
    "ignore::ResourceWarning",
)


def study(url, name="mine"):
    return optuna.load_study(study_name=name, storage=url)


def test_without_a_direction_the_metric_says_which_way_a_search_goes(place):
    url = f"sqlite:///{place}/studies.db"
    named = [f"hydra.sweeper.storage='{url}'", "hydra.sweeper.study_name=mine"]
    more = ["objective.metric=val/r2", "hydra.sweeper.n_trials=6", "epochs=50"]
    result = search(RATE, *named, *more)
    assert result.best.metrics["val/r2"] == result.frame["val/r2"].max()
    assert study(url).best_value == result.frame["val/r2"].max()
    assert result.objective == ("val/r2", "maximize")


def test_the_direction_that_is_recorded_stands_when_a_search_is_resumed(place, capsys):
    kept = f"hydra.sweeper.storage='sqlite:///{place}/studies.db'", "hydra.sweeper.study_name=mine"
    least = "objective.direction=minimize"  # the default of version 0.1.0
    line = [*OPTUNA, RATE, *kept, "objective.metric=val/r2", "hydra.sweeper.n_trials=3", least]
    before = harness(capsys, "-m", *line)
    made = read_manifest(place / "here")
    write_manifest(place / "here", replace(made, overrides=tuple(line[:-1])))
    done = harness(capsys, "resume", str(place / "here"))
    assert done.code == 0, done.err
    assert closing_lines(done.out)["best"] == closing_lines(before.out)["best"]
    assert read_manifest(place / "here").objective == made.objective


def test_a_study_goes_on_by_its_name_in_any_database(place):
    url = f"sqlite:///{place}/studies.db"
    named = [RATE, f"hydra.sweeper.storage='{url}'", "hydra.sweeper.study_name=mine"]
    assert len(search(*named, "hydra.sweeper.n_trials=4").frame) == 4
    assert len(search(*named, "hydra.sweeper.n_trials=7", "hydra.sweep.dir=more").frame) == 3
    assert search(*named, "hydra.sweeper.n_trials=7", "hydra.sweep.dir=none").best is None
    told = study(url).get_trials()
    assert [trial.state.name for trial in told] == ["COMPLETE"] * 7
    assert len({trial.params["optimizer.learning_rate"] for trial in told}) == 7


@pytest.mark.parametrize(
    ("first", "then", "before", "now"),
    [
        ("activation=tanh,relu", "activation=tanh,gelu", "tanh,relu", "tanh,gelu"),
        ("penalty.l2=interval(0,1)", "penalty.l2=0.1,0.2", "interval(0.0,1.0)", "0.1,0.2"),
        (
            "penalty.l2=tag(log,interval(1e-3,1))",
            "penalty.l2=interval(1e-3,1)",
            "tag(log,interval(0.001,1.0))",
            "interval(0.001,1.0)",
        ),
        (
            "penalty.l2=range(0,3)",
            "penalty.l2=interval(0.5,1)",
            "int(interval(0,2))",
            "interval(0.5,1.0)",
        ),
    ],
)
def test_a_study_of_other_values_is_refused(place, capsys, first, then, before, now):
    kept = f"hydra.sweeper.storage='sqlite:///{place}/s.db'", "hydra.sweeper.study_name=mine"
    more = [*kept, "hydra/sweeper=optuna", *merged(*SHORT, "dataset.samples=30")]
    assert harness(capsys, "-m", *more, first, "hydra.sweeper.n_trials=2").code == 0
    made = listing(place)
    key = first.partition("=")[0]
    said = refused(capsys, "-m", *more, then, "hydra.sweeper.n_trials=4")
    assert f"study mine: it searches {key}={before}, and this search {key}={now}\n" in said
    assert listing(place) == made
    assert [t.state.name for t in study(kept[0].partition("'")[2][:-1]).trials] == ["COMPLETE"] * 2


def test_a_preset_that_changed_is_refused_when_a_search_is_resumed(place, capsys):
    preset = place / "conf/sweep/wide.yaml"
    preset.parent.mkdir(parents=True)
    text = "# @package _global_\nhydra: {{sweeper: {{params: {{activation: '{}'}}}}}}\n"
    preset.write_text(text.format("tanh,relu"))
    line = ["-m", *OPTUNA, "sweep=wide", "hydra.sweeper.n_trials=2"]
    assert harness(capsys, *line).code == 0
    preset.write_text(text.format("tanh,gelu"))
    (place / "here/optimization_results.yaml").unlink()
    done = harness(capsys, "resume", str(place / "here"))
    assert (done.code, done.out) == (2, "")
    assert "it searches activation=tanh,relu, and this search activation=tanh,gelu" in done.err


def test_a_study_that_has_all_its_trials_says_how_to_ask_for_more(place, capsys):
    kept = f"hydra.sweeper.storage='sqlite:///{place}/s.db'", "hydra.sweeper.study_name=mine"
    line = ["-m", *kept, "hydra/sweeper=optuna", *SHORT, RATE, "hydra.sweeper.n_trials=2"]
    for number in range(2):
        done = harness(capsys, *line, f"hydra.sweep.dir=sweep{number}")
        said = "study mine has its 2 trials already: a greater hydra.sweeper.n_trials adds more"
        assert done.code == 0
        assert (said in done.out + done.err) == (number == 1)


def test_a_search_that_0_1_0_planned_goes_on_with_its_seeds(place, capsys):
    line = ["-m", *OPTUNA, RATE, "seed=1", "repeats=3", "hydra.sweeper.n_trials=1"]
    assert harness(capsys, *line).code == 0
    assert [run.config["seed"] for run in read_trial_runs(place / "here")] == [3, 4, 5]
    made = read_manifest(place / "here")
    old = {"numerics": made.numerics | {"harness": "0.1.0"}}
    old["search"] = made.search | {"n_trials": 2}
    write_manifest(place / "here", replace(made, **old))
    done = harness(capsys, "resume", str(place / "here"), "--accept-drift")
    assert done.code == 0, done.err
    seeds = [run.config["seed"] for run in read_trial_runs(place / "here")]
    assert seeds[3:] == [derived_seed(1, number) for number in range(3)]
