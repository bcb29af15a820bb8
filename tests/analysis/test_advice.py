"""Advice on real nets: each sentence is said of one that deserves it, and of no healthy one."""

import pytest

import harness
from harness.analysis.advice import advise
from tests.support.commands import closing_lines
from tests.support.commands import harness as called
from tests.support.recorded import QUIET as UNHEARD
from tests.support.recorded import client_and_runs

pytestmark = UNHEARD

QUIET = ["figures=none", "tracking.model=none"]
MOONS = ["dataset=moons", "loss=bce", "model.hidden=[64,64]", "activation=tanh"]
ADAM = ["optimizer=adam", "optimizer.learning_rate=0.02"]
ILL = {
    "it diverged after epoch 4: lower optimizer.learning_rate from 3 to 0.3": [
        "activation=relu", "optimizer.learning_rate=3", "model.hidden=[32]",
        "initializer.scale=1",
    ],
    "78 % of hidden units are saturated: lower initializer.scale or optimizer.learning_rate": [
        "model.hidden=[32]", "initializer.scale=6", "optimizer.learning_rate=0.5",
    ],
    "of hidden units are dead: lower optimizer.learning_rate, or take activation=leaky_relu": [
        "activation=relu", "initializer=zeros", "epochs=20",
    ],
    "gradients vanish: the first layer's is 5e-06 of the last one's: initializer=glorot": [
        "model.hidden=[8,8,8,8,8]", "epochs=50",
    ],
    "no step changes the weights by more than 6e-08 of their size: raise optimizer.learning": [
        "optimizer.learning_rate=1e-7",
    ],
    "steps are as large as the weights themselves: lower optimizer.learning_rate": [
        "optimizer.learning_rate=2", "epochs=20", "initializer.scale=0.001",
    ],
    "val/loss has risen since epoch 62, from 0.342 to 0.862: stopping.patience=30 ends such": [
        *MOONS, *ADAM, "dataset.noise=0.5", "initializer=glorot", "epochs=300",
    ],
    "val/loss is still falling, by 10 % in the last tenth: raise epochs or optimizer.learning": [
        "epochs=150",
    ],
}  # fmt: skip
WELL = [
    [],
    ["experiment=notebook"],
    ["experiment=moons"],
    ["experiment=iris"],
    ["experiment=diabetes"],
    ["experiment=spirals"],
    ["experiment=digits"],
    ["activation=relu"],
    ["model=rbf", "optimizer=adam", "optimizer.learning_rate=0.02"],
    ["model=linear"],
    [*MOONS, *ADAM, "dataset.noise=0.5", "initializer=glorot", "stopping.patience=30"],
]


@pytest.mark.parametrize("said", ILL)
def test_what_is_wrong_is_said(place, said):
    advice = advise(harness.run([*QUIET, *ILL[said]]))
    assert any(said in sentence for sentence in advice), advice
    assert all(len(sentence) < 200 for sentence in advice)


@pytest.mark.parametrize("line", WELL, ids=" ".join)
def test_nothing_is_said_of_a_training_that_goes_well(place, line):
    assert advise(harness.run([*QUIET, *line])) == []


def test_advice_is_printed_and_kept_with_the_run(place, store, capsys):
    line = [*QUIET, "optimizer.learning_rate=1e-7", "epochs=20", "hydra.run.dir=here"]
    said = closing_lines(called(capsys, *line).out)["advice"]
    assert said.startswith("no step changes the weights")
    _, [run] = client_and_runs(store, place / "here")
    assert run.data.tags["harness.advice"] == said
    assert run.data.tags["mlflow.note.content"] == f"- {said}"


def test_the_best_runs_of_a_sweep_are_advised_and_the_others_are_not(place, store, capsys):
    line = [*QUIET, "-m", "optimizer.learning_rate=1e-7,1e-8", "epochs=20", "figures.best=1"]
    assert "advice" not in closing_lines(called(capsys, *line, "hydra.sweep.dir=here").out)
    _, runs = client_and_runs(store, place / "here")
    assert len(runs) == 2
    assert sum("harness.advice" in run.data.tags for run in runs) == 1
