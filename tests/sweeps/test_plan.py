"""Fingerprints, names and duplicates of what is planned."""

import pytest

from harness.config.build import forget_builds
from harness.contracts import DataError
from harness.errors import UsageError
from harness.sweeps.plan import plan, requested_run
from tests.conftest import make_config


def planned(*jobs):
    """A manifest of (overrides, changes) jobs."""
    every = [
        requested_run(i, tuple(lines), make_config(**changes))
        for i, (lines, changes) in enumerate(jobs)
    ]
    return plan(every, command=("a=1,2", "b=3"), single=False)


def fingerprint(**changes):
    return planned(((), changes)).runs[0].fingerprint


def test_a_run_is_named_by_the_overrides_that_vary():
    runs = planned(
        (["seed=1", "epochs=10"], {"seed": 1}), (["seed=2", "epochs=10"], {"seed": 2})
    ).runs
    assert [run.name for run in runs] == ["seed=1", "seed=2"]
    assert planned((["seed=1", "epochs=10"], {})).runs[0].name == "seed=1 epochs=10"
    assert planned(([], {})).runs[0].name == "surface"


def test_a_name_of_ones_own_is_for_a_single_run_or_a_whole_sweep():
    config = make_config(tracking__run_name="mine")
    job = requested_run(0, ("seed=1", "tracking.run_name=mine"), config)
    alone = plan([job], command=job.overrides, single=True)
    assert (alone.name, alone.runs[0].name) == ("mine", "mine")
    sweep = planned((["seed=1"], {"tracking__run_name": "mine"}), (["seed=2"], {"seed": 2}))
    assert (sweep.name, sweep.runs[0].name) == ("mine", "seed=1")


def test_duplicates_are_one_run_that_knows_all_its_jobs():
    runs = planned((["seed=0"], {}), (["seed=1"], {"seed": 1}), (["seed=0"], {})).runs
    assert [run.jobs for run in runs] == [(0, 2), (1,)]


@pytest.mark.parametrize(
    "aside",
    [
        {"tracking__run_name": "other"},
        {"tracking__tags": {"a": 1}},
        {"figures__best": 3},
        {"objective__metric": "val/r2"},
    ],
    ids=str,
)
def test_what_is_only_recorded_does_not_make_another_run(aside):
    assert fingerprint(**aside) == fingerprint()


@pytest.mark.parametrize(
    "essential",
    [
        {"seed": 1},
        {"epochs": 11},
        {"optimizer__learning_rate": 0.06},
        {"penalty__l2": 0.1},
        {"dataset__noise": 0.2},
        {"metrics": ["mae"]},
        {"activation": {"name": "tanh"}},
    ],
    ids=str,
)
def test_what_changes_the_numbers_makes_another_run(essential):
    assert fingerprint(**essential) != fingerprint()


def test_a_changed_file_makes_another_run(tmp_path):
    path = tmp_path / "d.csv"
    dataset = {"name": "csv", "path": str(path), "target": "y"}
    path.write_text("a,y\n" + "".join(f"{i},{i}\n" for i in range(20)))
    before = fingerprint(dataset=dataset)
    path.write_text("a,y\n" + "".join(f"{i},{i + 1}\n" for i in range(20)))
    forget_builds()  # as each launch does
    assert fingerprint(dataset=dataset) != before


def test_the_parts_of_the_data_have_digests_of_their_own():
    inputs = planned(([], {"test": 0.2})).runs[0].inputs
    assert [part["context"] for part in inputs] == ["train", "validation", "test"]
    assert [part["rows"] for part in inputs] == [36, 12, 12]
    assert len({part["digest"] for part in inputs}) == 3


def test_the_first_job_that_cannot_be_is_told_with_its_overrides():
    with pytest.raises(UsageError, match=r"epochs=0: at least 1\n  in job 1: epochs=0"):
        planned((["epochs=5"], {"epochs": 5}), (["epochs=0"], {"epochs": 0}))


def test_data_errors_come_before_anything_is_trained(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("a,y\n1,2\n3,x\n")
    dataset = {"name": "csv", "path": str(path), "target": "y"}
    with pytest.raises(DataError) as error:
        planned(([], {"dataset": dataset}))
    assert (error.value.line, error.value.column) == (3, "y")


def test_the_objective_follows_the_data_where_nothing_is_held_out():
    assert planned(([], {})).objective["metric"] == "val/best_loss"
    assert planned(([], {"validation": 0.0})).objective["metric"] == "train/best_loss"


def test_what_the_bits_depend_on_is_written_down():
    numerics = planned(([], {})).numerics
    assert set(numerics) == {"harness", "numpy", "blas", "core", "threads", "dtype"}
    assert numerics["threads"] == 1


def test_ranking_by_a_metric_the_wrong_way_round_is_warned_of(caplog):
    planned(([], {"objective": {"metric": "val/r2", "direction": "minimize"}}))
    assert "val/r2 is better when it is greater" in caplog.text
    caplog.clear()
    planned(([], {"objective": {"metric": "val/r2", "direction": "maximize"}}))
    planned(([], {"objective": {"metric": "val/rmse", "direction": "minimize"}}))
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("metric", "direction", "found"),
    [
        ("val/r2", None, "maximize"),
        ("test/mae", None, "minimize"),
        ("val/best_loss", None, "minimize"),
        ("train/seconds", None, "minimize"),
        ("val/r2", "minimize", "minimize"),
        (["val/r2", "val/mae"], None, "maximize"),
        (["val/mae", "val/r2"], ["minimize", None], "minimize"),
    ],
)
def test_without_a_direction_a_metric_says_which_way_is_better(metric, direction, found):
    about = {"metric": metric, "direction": direction}
    config = {"objective": about, "test": 0.2, "metrics": ["r2", "mae"]}
    objective = planned(([], config)).objective
    assert objective["direction"] == found
    if found == "minimize" and direction is not None and len(metric) == 2:
        assert objective["others"] == [("val/r2", "maximize")]


def test_what_a_sweep_goes_by_is_read_and_where_it_is_recorded_is_not(monkeypatch):
    values = {"BEST": "1", "MUST": "false", "KEPT": "all", "STORE": "sqlite:///kept.db"}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    asked = {
        f"tracking__{key}": f"${{oc.env:{name}}}"
        for key, name in (("required", "MUST"), ("model", "KEPT"), ("uri", "STORE"))
    }
    made = planned(([], asked | {"figures__best": "${oc.env:BEST}"}))
    assert made.figures["best"] == 1
    assert (made.tracking["required"], made.tracking["model"]) == (False, "all")
    assert made.tracking["uri"] == "${oc.env:STORE}"
