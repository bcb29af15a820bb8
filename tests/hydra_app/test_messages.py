"""Errors of Hydra are said in plain words, with what is meant and a spelling that works."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from harness.hydra_app.messages import for_shell, quoted
from tests.support.commands import refused

RAW = ("mismatched", "extraneous", "viable", "EOF", "LexerNo", "NoneType", "ListConfig")
VALUES = [
    "data (1).csv", "epoch=999.csv", "a&b", "it's", 'say "hi"', "hi!", "ünï", "a, (b",
    "C:\\x (1)\\", 'x\\"y', "test(1)", "'", '"', "$HOME (x)", "{", "a]", "x{y}=z", "`ls` #1",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_the_spelling_that_is_shown_for_a_value_works(workplace, capsys, value):
    def read(text):
        [argument] = shlex.split(text)
        return OverridesParser.create().parse_override(argument).value()

    assert read(for_shell(f"dataset.path={quoted(value)}")) == value
    said = refused(capsys, f"tracking.run_name={value}", "epochs=0")
    if "quote a value" in said:
        shown = said.partition("plain word: ")[2].partition(" (one value)")[0]
        assert read(shown.strip()) == value
    assert not [raw for raw in RAW if raw in said]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dataset=csv", "dataset.path=data (1).csv"], "'dataset.path=\"data (1).csv\"'\n"),
        (["dataset=csv", "dataset.path=epoch=999.csv"], "'dataset.path=\"epoch=999.csv\"'\n"),
        (["-m", "dataset.path=a (1).csv,b"], 'or \'dataset.path="a (1).csv","b"\' (several)'),
        (["seed=1,"], "seed=1,: a value is missing beside a comma; several are written without"),
        (["-m", "optimizer.learning_rate=0.1,", "0.2"], "as in optimizer.learning_rate=1,2"),
        (["optimizer.learning_rate=0.1, 0.2"], "to sweep over these add -m"),
        (["model.hidden=[1,2"], "model.hidden=[1,2: close the brackets, as in [1,2]"),
        (["model={hidden=3}"], "as in {a:1}"),
        (["model.hidden=(8,8)"], "a list is written [1,2]"),
        (["activation = relu"], "no space may stand before the =, as in activation=relu"),
        (["seed=range(a)"], "seed=range(a): mismatch type argument start"),
        (["=3"], "=3: a key is expected before the ="),
        (["==3"], "==3: a key is expected before the ="),
    ],
    ids=str,
)
def test_a_line_that_cannot_be_read_is_explained(workplace, capsys, arguments, said):
    assert said in refused(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("lr=0.1", "config: there is no 'lr'. Did you mean optimizer.learning_rate? "),
        ("+lr=0.1", "Did you mean optimizer.learning_rate? "),
        ("-m lr=0.1,0.2", "Did you mean optimizer.learning_rate? "),
        ("hidden=8", "Did you mean model.hidden? "),
        ("model=linear hidden=8", "Did you mean model.hidden? "),
        ("slope=1", "Did you mean activation.slope? "),
        ("patience=3", "Did you mean stopping.patience? "),
        ("Seed=1", "Did you mean seed? "),
        ("optimizer.lr=0.1", "optimizer: there is no 'lr'. Did you mean learning_rate? "),
        ("++optimizer.LR=0.1", "Did you mean learning_rate? "),
        ("model.hidden=8", "model.hidden=8: a list is expected. Did you mean model.hidden=[8]?"),
        ("model=linear model.hidden=8", "'hidden'. Available: none; model=mlp has it"),
        ("model=linear ++model.hidden=8", "'hidden'. Available: none; model=mlp has it"),
        ("optimizer=adam optimizer.momentum=0", "; optimizer=rmsprop or optimizer=sgd has it"),
        ("activation.slop=0.1", "Did you mean activation.slope? "),
        ("activation=Relu", "Did you mean relu? Available: "),
        ("activation=LeakyReLU", "Did you mean leaky_relu? Available: "),
        ("metrics=[R2]", "Did you mean r2? Available: "),
        ("hydra.sweeper.pramas=1", "Did you mean params? Available: params, zip, "),
        ("ls", "command: there is no 'ls'. Did you mean plugins? "),
        ("activation=null", "activation=null: choose one of elu, gaussian, "),
        ("-m activation=tanh,null", "activation=null: choose one of elu, gaussian, "),
        ("experiment=null", "; ~experiment for none"),
        ("dataset=3", "dataset: there is no '3'. Available: blobs, "),
        ("+experiment=moons", "experiment has a choice already: write experiment=moons without +"),
        ("++activation=tanh", "++activation=tanh: write activation=tanh, without ++"),
    ],
)
def test_a_name_that_is_not_there_leads_to_the_one_that_is_meant(
    workplace, capsys, arguments, said
):
    given = refused(capsys, *arguments.split(" "))
    assert said in given
    assert not [raw for raw in RAW if raw in given]
