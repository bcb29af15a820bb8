"""A study over several searches: what it looks for, its space, and how many trials it has."""

from dataclasses import replace

import optuna
import pytest

from harness.store.manifest import read_manifest, write_manifest
from tests.support.commands import closing_lines, harness
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
