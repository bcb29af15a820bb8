"""Searches: what is asked, what the study is told, and that none is lost or done twice."""

import os
import sys

import optuna
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from harness.sweeps.search.space import Dimension
from tests.support.commands import closing_lines, harness, merged, refused
from tests.support.searches import OPTUNA, RATE, journal, search
from tests.support.strangers import strangers

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow",
    "ignore:::sqlalchemy",
    "ignore:::optuna",
    "ignore::ResourceWarning",
)


def study(url, name="mine"):
    return optuna.load_study(study_name=name, storage=url)


def test_the_space_is_hydras_and_a_field_is_asked_for_only_if_it_is_there(place):
    slope, hidden = "activation.slope=interval(0.1,0.5)", "model.hidden=[4],[3,2]"
    swept = [RATE, "activation=tanh,leaky_relu", slope, hidden, "seed=range(0,50,5)"]
    frame = search(*swept, "hydra.sweeper.n_trials=24").frame
    assert len(frame) == 24
    assert frame["optimizer.learning_rate"].between(1e-3, 1).all()
    assert (frame["optimizer.learning_rate"] < 0.03).any()  # of a uniform draw three in a hundred
    assert set(frame["activation"]) == {"tanh", "leaky_relu"}
    leaky = frame["activation"] == "leaky_relu"
    assert frame["activation.slope"][leaky].between(0.1, 0.5).all()
    assert frame["activation.slope"][~leaky].isna().all()
    assert {tuple(widths) for widths in frame["model.hidden"]} == {(4,), (3, 2)}
    assert set(frame["seed"]) <= {*range(0, 50, 5)}


def test_trials_are_children_and_the_best_is_written_as_hydras_users_expect(place):
    result = search(RATE, "hydra.sweeper.n_trials=5", "hydra.sweeper.n_jobs=2")
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("harness").experiment_id
    runs = client.search_runs([experiment], f"tags.`harness.sweep` = '{result.sweep_id}'")
    parents = [run for run in runs if run.data.tags["harness.role"] == "sweep"]
    children = [run for run in runs if run.data.tags["harness.role"] == "run"]
    assert [parent.info.run_id for parent in parents] == [result.parent_run_id]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {result.parent_run_id}
    assert len(children) == 5
    said = yaml.safe_load((result.directory / "optimization_results.yaml").read_text())
    best = result.frame.iloc[0]
    assert said["best_value"] == best["val/best_loss"]
    assert said["best_params"] == {"optimizer.learning_rate": best["optimizer.learning_rate"]}


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes", "nsga2", "qmc", "brute_force"])
def test_samplers_go_by_name(place, sampler):
    space = [RATE, "penalty.l2=interval(0.0,0.1)"]
    if sampler == "brute_force":
        space = ["seed=1,2,3", "activation=tanh,relu"]
    asked = [f"hydra.sweeper.sampler={sampler}", "hydra.sweeper.n_trials=4", "tracking.uri=null"]
    assert len(search(*space, *asked).frame) == 4


def test_a_sampler_may_have_options(place):
    options = "hydra.sweeper.sampler={name:tpe,n_startup_trials:2}"
    assert len(search(RATE, options, "hydra.sweeper.n_trials=4").frame) == 4


def test_the_same_seed_asks_for_the_same(place):
    frames = [
        search(RATE, f"hydra.sweep.dir={name}", "hydra.sweeper.n_trials=6").frame
        for name in ("one", "two")
    ]
    rates = [sorted(frame["optimizer.learning_rate"]) for frame in frames]
    assert rates[0] == rates[1]


WAITS = 2  # its place among the choices
WAITER = """
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

@dataclass(frozen=True)
class Waiter:
    results: str = "here/results"

    def __call__(self, z):
        for _ in range(2400):
            if len([*Path(self.results).glob("*.npz")]) >= 3:
                return np.tanh(z)
            time.sleep(0.05)
        raise TimeoutError("the others were not trained meanwhile")

    def derivative(self, z, h):
        return 1 - h * h
"""


@pytest.mark.fault
def test_there_is_no_barrier(place, monkeypatch):
    """One run goes on until three others have ended: they must be asked for meanwhile."""
    with strangers(place / "site-packages") as installed:
        installed.install("slow", WAITER, activation__waiter="Waiter")
        monkeypatch.setenv("PYTHONPATH", str(installed.folder), prepend=os.pathsep)
        engine = ["hydra.launcher.engine=processes", "hydra.launcher.workers=2"]
        order = ["hydra.sweeper.sampler=brute_force", "seed=0"]
        amount = ["hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2"]
        result = search("activation=tanh,relu,waiter,swish", *engine, *order, *amount)
    assert {*result.frame["outcome"]} == {"ok"}
    entries = journal(result.directory)
    asked = [place for place, entry in enumerate(entries) if entry["op_code"] == 4]
    waiter = next(e["trial_id"] for e in entries if e.get("param_value_internal") == WAITS)
    told = [place for place, entry in enumerate(entries) if entry["op_code"] == 6]
    own = [place for place in told if entries[place]["trial_id"] == waiter]
    assert waiter < 2
    assert len(asked) == 4
    assert max(asked) < own[0] == max(told)


def test_several_objectives_have_a_front_and_the_first_one_ranks(place):
    several = "objective={metric:[val/mae,val/r2],direction:[minimize,maximize]}"
    result = search(RATE, several, "hydra.sweeper.n_trials=8", "epochs=50")
    said = yaml.safe_load((result.directory / "optimization_results.yaml").read_text())
    assert all(len(solution["values"]) == 2 for solution in said["solutions"])
    assert result.best.metrics["val/mae"] == result.frame["val/mae"].min()


def test_repeats_are_runs_of_their_own_and_a_trial_is_worth_their_mean(place):
    url = f"sqlite:///{place}/studies.db"
    named = [f"hydra.sweeper.storage='{url}'", "hydra.sweeper.study_name=mine"]
    frame = search(RATE, "repeats=3", "hydra.sweeper.n_trials=4", *named).frame
    assert len(frame) == 12
    assert frame["seed"].nunique() == 3
    means = frame.groupby("optimizer.learning_rate")["val/best_loss"].mean()
    for trial in study(url).get_trials():
        rate = trial.params["optimizer.learning_rate"]
        assert trial.value == pytest.approx(means[rate], rel=1e-12)


def test_a_combination_that_cannot_be_fails_alone_and_is_said(place, capsys):
    space = ["dataset=surface,moons", "loss=mse,bce", "dataset.samples=40"]
    done = harness(capsys, *merged("-m", *OPTUNA, *space, "hydra.sweeper.n_trials=12"))
    assert done.code == 0
    assert "a trial cannot be, and counts as failed: loss=" in done.out + done.err
    assert closing_lines(done.out)["runs"][1:] == " finished, 0 diverged, 0 failed"
    assert (
        len([*(place / "here/results").iterdir()]) == int(closing_lines(done.out)["runs"][0]) <= 2
    )


def test_a_setting_that_diverges_is_worst_but_does_not_end_the_search(place, capsys):
    rate = "optimizer.learning_rate=0.1,1e200"
    done = harness(capsys, "-m", *OPTUNA, rate, "seed=range(20)", "hydra.sweeper.n_trials=8")
    assert done.code == 3
    assert ", 0 failed" in done.out
    assert "diverged: optimizer.learning_rate=1e+200" in done.err
    assert "best: val/best_loss=" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("seed=1", "nothing to search: give a key several values, or an interval"),
        (f"{RATE} hydra.sweeper.n_trials=0", "hydra.sweeper.n_trials=0: a whole number, at least"),
        (f"{RATE} hydra.sweeper.sampler=tp", "hydra.sweeper.sampler: there is no 'tp'. Did you"),
        (f"{RATE} hydra.sweeper.sampler=[tpe]", "hydra.sweeper.sampler: there is no \"['tpe']\""),
        (f"{RATE} hydra.sweeper.pruner=best", "hydra.sweeper.pruner: there is no 'best'"),
        (f"{RATE} hydra.sweeper.sampler={{name:tpe,foo:1}}", "hydra.sweeper.sampler=tpe: "),
        (f"{RATE} hydra.sweeper.pruner=percentile", "hydra.sweeper.pruner=percentile: "),
        ("optimizer.learning_rate=interval(1,0.1)", "from a number to a greater one"),
        ("penalty.l2=tag(log,interval(0,1))", "log needs numbers above 0"),
        ("optimizer.momntum=interval(0,1)", "there is no 'momntum'. Did you mean momentum"),
        ("optimizer=adam,adamw optimizer.momentum=interval(0,1)", "there is no 'momentum'"),
        ("activation=tanh,tnah", "activation: there is no 'tnah'. Did you mean tanh"),
        ("epochs=-1,0", "epochs=-1: at least 1"),
        (f"{RATE} hydra/launcher=basic", "it needs hydra/launcher=stack"),
        (
            f"{RATE} hydra.sweeper.pruner=median objective.metric=[val/mae,val/r2] "
            "objective.direction=[minimize,maximize]",
            "hydra.sweeper.pruner: for one objective",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(workplace, capsys, arguments, said):
    assert said in refused(capsys, "-m", "hydra/sweeper=optuna", *arguments.split(" "))


def test_shuffled_choices_are_the_same_ones_for_every_trial():
    [override] = OverridesParser.create().parse_overrides(["a=shuffle(1,2,3,4,5,6,7,8,9)"])
    assert Dimension("a", False, override).ends == [*"123456789"]


def test_a_search_without_optuna_says_what_to_install(workplace, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    said = refused(capsys, "-m", "hydra/sweeper=optuna", RATE)
    assert said == "harness: hydra/sweeper=optuna: pip install 'numpy-harness[optuna]' first\n"


def test_runs_are_pruned_by_numbers_from_the_environment(place, monkeypatch):
    monkeypatch.setenv("LONG", "40")
    asked = ["epochs=${oc.env:LONG}", "hydra.sweeper.pruner=median", "hydra.sweeper.n_trials=2"]
    assert {run.outcome for run in search(RATE, *asked).runs} == {"ok"}


@pytest.mark.parametrize(
    ("pruner", "engine"),
    [
        ("median", "serial"),
        ("successive_halving", "serial"),
        pytest.param("median", "processes", marks=pytest.mark.fault),
    ],
)
def test_what_is_not_worth_going_on_with_is_pruned(place, capsys, pruner, engine):
    pruning = [f"hydra.sweeper.pruner={pruner}", f"hydra.launcher.engine={engine}"]
    amount = ["hydra.sweeper.n_trials=30", "hydra.sweeper.n_jobs=4", "epochs=100"]
    amount += ["dataset.samples=150", "initializer=glorot", "activation=tanh"]
    rates = "optimizer.learning_rate=tag(log,interval(1e-5,0.5))"
    result = search(rates, "hydra.sweeper.sampler=random", *pruning, *amount)
    ends = {run.outcome: run for run in result.runs}
    assert {"ok", "pruned"} == {*ends}
    ended = result.frame["outcome"].value_counts()
    assert ends["ok"].curves["val/loss"][0][-1] == 100
    last = ends["pruned"].curves["val/loss"][0][-1]
    assert last < 100
    assert last % 5 == 0
    assert result.best.outcome == "ok"
    worst = result.frame[result.frame["outcome"] == "ok"]["val/best_loss"].max()
    assert result.best.metrics["val/best_loss"] < worst
    from mlflow import MlflowClient

    assert MlflowClient().get_run(ends["pruned"].run_id).info.status == "FINISHED"
    parent = MlflowClient().get_run(result.parent_run_id).data
    counts = f"{ended['ok']} finished, 0 diverged, 0 failed, {ended['pruned']} pruned"
    assert counts in parent.tags["mlflow.note.content"]
    assert parent.metrics["sweep/pruned"] == ended["pruned"]
    code, out, _ = harness(capsys, "reproduce", ends["pruned"].run_id)
    assert (code, closing_lines(out)["verdict"]) == (0, "same (bits)")
