"""Grids: all combinations, pairs, and what is left out."""

from itertools import count

import pytest

from harness.hydra_app.sweepers import Preview
from tests.support.commands import SHORT, harness, listing, manifest, refused

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)


@pytest.fixture
def names(launched):
    """The names of the runs that a sweep makes."""

    folders = (f"sweep{number}" for number in count())

    def swept(*arguments):
        folder = launched("-m", *arguments, name=next(folders))
        return [run["name"] for run in manifest(folder)["runs"]]

    return swept


def test_paired_keys_take_their_values_together(names):
    zipped = "hydra.sweeper.zip=[[seed,optimizer.learning_rate]]"
    assert names(
        "seed=1,2", "activation=tanh,relu", "optimizer.learning_rate=0.1,0.2", zipped
    ) == [
        "seed=1 optimizer.learning_rate=0.1 activation=tanh",
        "seed=1 optimizer.learning_rate=0.1 activation=relu",
        "seed=2 optimizer.learning_rate=0.2 activation=tanh",
        "seed=2 optimizer.learning_rate=0.2 activation=relu",
    ]


def test_combinations_with_all_values_of_an_entry_are_left_out(names):
    excluded = "hydra.sweeper.exclude=[{activation:relu,optimizer.learning_rate:0.1},{seed:3}]"
    assert names("activation=tanh,relu", "optimizer.learning_rate=0.1,0.2", excluded) == [
        "activation=tanh optimizer.learning_rate=0.1",
        "activation=tanh optimizer.learning_rate=0.2",
        "activation=relu optimizer.learning_rate=0.2",
    ]


def test_an_exclusion_may_name_a_preset_a_default_or_a_field_that_not_all_have(names):
    both = ["optimizer=sgd,fast_adam", "activation=tanh,leaky_relu"]
    assert names(*both, "hydra.sweeper.exclude=[{optimizer:fast_adam}]") == [
        "activation=tanh",
        "activation=leaky_relu",
    ]
    assert len(names(*both, "hydra.sweeper.exclude=[{optimizer:adam}]")) == 2
    assert len(names(*both, "hydra.sweeper.exclude=[{activation.slope:0.01}]")) == 2


def test_null_is_a_value_that_a_key_may_have(names):
    swept = ["batch_size=null,32", "hydra.sweeper.exclude=[{batch_size:null}]"]
    assert len(names(*swept)) == 1
    assert len(names("seed=1,2", "hydra.sweeper.exclude=[{seed:null}]")) == 2


def test_an_entry_that_leaves_nothing_out_is_warned_of(place, capsys):
    done = harness(capsys, "-m", *SHORT, "seed=1,2", "hydra.sweeper.exclude=[{seed:7}]")
    assert done.code == 0
    assert "{seed: 7} leaves nothing out" in done.err + done.out


def test_a_plan_says_what_would_run_and_makes_nothing(workplace, capsys):
    asked = ["-m", "seed=1,2,1", "activation=tanh,relu", "epochs=5,0", "hydra.sweeper.plan=true"]
    excluded = "hydra.sweeper.exclude=[{seed:2,activation:relu}]"
    code, out, err = harness(capsys, *asked, excluded)
    assert (code, err) == (0, "")
    assert out.splitlines()[:5] == [
        "runs: 3",
        "stacks: 2",
        "duplicates: 2",
        "excluded: 2",
        "invalid: 5",
    ]
    assert "invalid: epochs=0: at least 1;  in job 1: seed=1 activation=tanh epochs=0" in out
    assert "run: seed=2 activation=tanh epochs=5" in out
    assert listing(workplace) == []


def test_a_plan_is_for_the_command_line(workplace):
    import harness

    with pytest.raises(Preview, match="runs: 2"):
        harness.sweep(["seed=1,2", "hydra.sweeper.plan=true"])


def test_no_combination_left_is_an_error(workplace, capsys):
    said = refused(capsys, "-m", "seed=1", "hydra.sweeper.exclude=[{seed:1}]")
    assert "the sweep has no runs" in said
