"""The settings that are no plugin's: their types and ranges."""

import dataclasses
import re

import pytest
import yaml

from harness.config.build import build, build_settings
from harness.config.settings import Settings
from harness.errors import UsageError
from harness.hydra_app.app import CONF
from tests.conftest import make_config

TYPES = [
    ({"epochs": "abc"}, "epochs=abc: int is expected"),
    ({"epochs": 1.5}, "epochs=1.5: int is expected"),
    ({"epochs": 2.0}, "epochs=2.0: int is expected"),
    ({"epochs": True}, "epochs=true: int is expected"),
    ({"epochs": None}, "epochs=null: int is expected"),
    ({"epochs": {"a": 1}}, "epochs={a: 1}: int is expected"),
    ({"epochs": float("inf")}, "epochs=inf: int is expected"),
    ({"data_seed": 1.5}, "data_seed=1.5: int is expected"),
    ({"batch_size": True}, "batch_size=true: int is expected"),
    ({"validation": True}, "validation=true: float is expected"),
    ({"validation": float("nan")}, "validation=nan: a number is expected"),
    ({"standardize": 1}, "standardize=1: bool is expected"),
    ({"rng": None}, "rng=null: one of split, single is expected"),
    ({"penalty": None}, "penalty=null: a mapping is expected"),
    ({"penalty": {"l1": 0.0}}, "penalty: l2 must be given"),
    ({"penalty": {"l1": 0.0, "l2": 0.0, "l3": 0.0}}, "penalty: there is no 'l3'. Did you mean"),
    ({"objective__direction": 1}, "objective.direction=1: "),
    ({"objective__direction": "up"}, "objective.direction: there is no 'up'"),
    ({"metrics": "r2"}, "metrics=r2: a list, as in [1, 2], is expected"),
    ({"metrics": ["acuracy"]}, "metrics: there is no 'acuracy'. Did you mean accuracy?"),
    ({"metrics": ["r2", "r2"]}, "metrics: r2 is there twice"),
    ({"metrics": [{"r2": {}, "mae": {}}]}, "metrics: {r2: {}, mae: {}} is neither a name nor"),
    ({"metrics": [{}]}, "metrics: {} is neither a name nor"),
    ({"metrics": [{"r2": 3}]}, "metrics: {r2: 3} is neither a name nor"),
    ({"metrics": [{"r2": {"a": 1}}]}, "metric r2: there is no 'a'"),
    ({"metrics": [1]}, "metrics: 1 is neither a name nor"),
    ({"figures__names": ["lss"]}, "figures: there is no 'lss'. Did you mean loss?"),
    ({"figures__members": None}, "figures.members=null: a list"),
    ({"tracking__tags": ["a"]}, "tracking.tags=[a]: a mapping is expected"),
    ({"tracking__uri": 3}, "tracking.uri=3: str is expected"),
    ({"tracking__log_every": 1.5}, "tracking.log_every=1.5: int is expected"),
]
RANGES = [
    ({"seed": -1}, "seed=-1: at least 0"),
    ({"epochs": 0}, "epochs=0: at least 1"),
    ({"epochs": 10**20}, f"epochs={10**20}: at most 1,000,000,000,000,000"),
    ({"batch_size": 0}, "batch_size=0: at least 1, or null for full batch"),
    ({"dtype": "float16"}, "dtype=float16: one of float64, float32 is expected"),
    ({"rng": "other"}, "rng=other: one of split, single is expected"),
    ({"rng": "single"}, "data_seed=null goes with it"),
    ({"data_seed": None}, "data_seed=null: at least 0"),
    ({"data_seed": -1}, "data_seed=-1: at least 0"),
    ({"validation": 1}, "validation=1.0: from 0 to below 1"),
    ({"test": -0.1}, "test=-0.1: from 0 to below 1"),
    ({"validation": 0.6, "test": 0.5}, "below 1, to leave a training part"),
    ({"penalty__l1": -1}, "penalty.l1=-1.0: finite, at least 0"),
    ({"penalty__l2": float("inf")}, "penalty.l2=inf: finite, at least 0"),
    ({"clip__value": 0}, "clip.value=0.0: finite, above 0, or null"),
    ({"clip__norm": float("nan")}, "clip.norm=nan: a number is expected"),
    ({"stopping__patience": 0}, "stopping.patience=0: above 0, or null"),
    ({"stopping__min_delta": -1}, "stopping.min_delta=-1.0: finite, at least 0"),
    ({"stopping__max_seconds": 0}, "stopping.max_seconds=0.0: finite, above 0, or null"),
    ({"objective__metric": "val/foo"}, "objective.metric: there is no 'val/foo'"),
    ({"objective__metric": "test/r2"}, "objective.metric: there is no 'test/r2'"),
    ({"objective__metric": ["val/r2", "val/mae"]}, "objective: 2 metrics and 1 directions"),
    ({"objective__metric": []}, "objective.metric=[]: at least one"),
    ({"objective": {"metric": ["val/r2"] * 2, "direction": ["minimize"] * 2}}, "one is twice"),
    ({"run__timeout": 0}, "run.timeout=0.0: finite, above 0, or null"),
    ({"run__timeout": float("inf")}, "run.timeout=inf: finite, above 0, or null"),
    ({"repeats": 0}, "repeats=0: at least 1"),
    ({"run__checkpoint_seconds": 0}, "run.checkpoint_seconds=0.0: finite, above 0, or null"),
    ({"figures__best": -1}, "figures.best=-1: at least 0"),
    ({"tracking__log_every": 0}, "tracking.log_every=0: above 0, or null"),
    ({"tracking__metrics_every": -1}, "tracking.metrics_every=-1: above 0, or null"),
    ({"tracking__model": "some"}, "tracking.model=some: one of all, best, none is expected"),
]


@pytest.mark.parametrize(("changes", "said"), TYPES + RANGES, ids=str)
def test_a_setting_of_another_type_or_out_of_range_is_refused(changes, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        build(make_config(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"validation": 0},
        {"rng": "single", "data_seed": None},
        {"seed": 2**70},
        {"batch_size": 7, "dtype": "float32", "standardize": True},
        {"penalty": {"l1": 1, "l2": 0}, "clip": {"value": 1, "norm": 0.5}},
        {"stopping": {"patience": 3, "min_delta": 0.1, "max_seconds": 1}},
        {"metrics": ["rmse", {"r2": {}}, {"mae": None}], "objective__metric": "val/mae"},
        {"metrics": [], "test": 0.2, "objective__metric": "test/loss"},
        {"figures__names": ["all"], "figures__members": ["loss"]},
        {"tracking__tags": {"a": [1, None]}, "tracking__run_name": "x"},
    ],
    ids=str,
)
def test_settings_within_their_ranges_are_taken(changes):
    assert build(make_config(**changes))


def test_without_validation_the_objective_is_of_the_training_part():
    for metric, meant in (("val/best_loss", "train/best_loss"), ("val/r2", "train/r2")):
        settings = build_settings(make_config(validation=0, objective__metric=metric))
        assert settings.objectives == [(meant, "minimize")]


def test_several_objectives_are_pairs_of_metric_and_direction():
    objective = {"metric": ["val/mae", "val/r2"], "direction": ["minimize", "maximize"]}
    settings = build_settings(make_config(objective=objective))
    assert settings.objectives == [("val/mae", "minimize"), ("val/r2", "maximize")]


def test_a_direction_of_null_stands_for_each_metric_without_one():
    several = {"metric": ["val/mae", "val/r2"]}
    for given, read in ((None, [None, None]), ([None, "minimize"], [None, "minimize"])):
        settings = build_settings(make_config(objective=several | {"direction": given}))
        assert settings.objectives == [*zip(several["metric"], read, strict=True)]


def test_a_number_from_the_environment_is_read_as_its_type_says(monkeypatch):
    monkeypatch.setenv("NUMBER", "3")
    monkeypatch.setenv("FLAG", "True")
    config = make_config(
        epochs="${oc.env:NUMBER}",
        standardize="${oc.env:FLAG}",
        optimizer__learning_rate="${oc.env:NUMBER}",
        tracking__run_name="${oc.env:NUMBER}",
    )
    member = build(config)
    assert (member.epochs, member.standardize) == (3, True)
    assert member.optimizer.learning_rate == 3.0
    assert build_settings(config).tracking.run_name == "3"


def test_a_value_from_the_environment_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv("WORD", "many")
    with pytest.raises(UsageError, match="epochs=many: int is expected"):
        build(make_config(epochs="${oc.env:WORD}"))


def test_the_config_file_gives_every_setting_and_no_other():
    file = yaml.safe_load((CONF / "config.yaml").read_text())
    given = {key: value for key, value in file.items() if key not in ("defaults", "hydra")}

    def names(cls):
        return {f.name: f.type for f in dataclasses.fields(cls)}

    assert list(given) == list(names(Settings))
    for key, kind in names(Settings).items():
        if dataclasses.is_dataclass(kind):
            assert list(given[key]) == list(names(kind))
