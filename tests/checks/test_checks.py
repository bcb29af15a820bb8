"""The conformance kit: each check catches a bad plugin, with numbers and a place in the docs."""

import re
import subprocess
import sys

import pytest

from harness.checks import Failure, Skip, checks_of, figure, parametrize_checks, variants
from harness.checks.kit import plain_numbers, varied
from harness.checks.running import outcome
from harness.config.registry import load_plugin
from harness.contracts import KINDS
from tests.support import ROOT
from tests.support.planted import TABLE
from tests.support.planted.making import bad

LeakyReLU, Swish = load_plugin("activation", "leaky_relu"), load_plugin("activation", "swish")
MLP, MSE, SGD = (
    load_plugin("model", "mlp"),
    load_plugin("loss", "mse"),
    load_plugin("optimizer", "sgd"),
)
Glorot = load_plugin("initializer", "glorot")

PAGE = ROOT / "docs" / "plugins.md"


def by_function(kind):
    """The checks of a kind by the names of their functions."""
    return {getattr(c, "func", c).__name__: c for c in checks_of(kind).values()}


def test_every_check_has_a_planted_plugin():
    assert set(TABLE) == {name for kind in KINDS for name in by_function(kind)}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.filterwarnings("ignore")
def test_a_planted_plugin_is_caught(name, monkeypatch):
    monkeypatch.setattr(figure, "SECONDS", 0.1)
    kind, plugin = TABLE[name]
    with pytest.raises(Failure) as caught:
        by_function(kind)[name](plugin)
    said = re.fullmatch(
        r"expected: (.+)\nactual: (.+)\ncontract: docs/plugins.md, '(.+)'",
        str(caught.value),
        re.DOTALL,
    )
    assert said, caught.value
    assert re.search(rf"^#+ {said[3]}$", PAGE.read_text(), re.MULTILINE), said[3]


def test_float_fields_are_varied_within_what_a_plugin_accepts():
    assert len({like.slope for like in varied(LeakyReLU(1.0))}) == 4
    assert all(like.momentum < 1 for like in varied(SGD(momentum=0.99)))
    assert varied(SGD(0.3, nesterov=True))[0] == SGD(0.3, nesterov=True)
    assert varied(MSE()) == [MSE()] * 4


def test_bools_and_choices_make_variants():
    assert variants(MLP()) == [MLP(), MLP(layer_norm=True)]
    assert variants(Glorot()) == [Glorot(), Glorot("uniform")]
    assert variants(Swish()) == [Swish()]


def test_ids_of_an_authors_tests_are_sentences():
    mark = parametrize_checks("activation", Swish(), Swish(beta=2.5)).mark
    ids = [case.id for case in mark.args[1]]
    assert "swish-leaves_its_inputs_alone" in ids
    assert "swish-beta=2.5-derivative_is_its_slope" in ids
    assert len(ids) == 2 * len(checks_of("activation"))


def test_what_a_plugin_does_not_offer_is_skipped():
    with pytest.raises(Skip, match="no probabilities"):
        checks_of("loss")["probabilities_sum_to_one"](MSE())


def test_the_kit_comes_without_what_it_does_not_need():
    heavy = "hydra omegaconf mlflow matplotlib pytest rich sklearn"
    script = f"import sys, harness.checks; print(set('{heavy}'.split()) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


RETURNS = [
    ("optimizer", "sgd", "update", "update returns (change, state)"),
    ("model", "mlp", "forward", "forward returns (prediction, cache)"),
    ("model", "mlp", "backward", "backward returns a list of arrays"),
    ("loss", "mse", "gradient", "gradient(prediction, y) returns an array"),
    ("loss", "bce", "probabilities", "probabilities(prediction) returns an array"),
    ("initializer", "glorot", "__call__", "__call__(rng, 5, 4) returns an array"),
    ("schedule", "cosine", "__call__", "__call__(step, total_steps) returns an array"),
    ("dataset", "moons", "load", "load returns Data("),
    ("figure", "loss", "draw", "draw returns None, or an HTML page"),
]


@pytest.mark.parametrize(("kind", "name", "method", "said"), RETURNS)
def test_every_check_says_what_a_method_is_expected_to_return(kind, name, method, said):
    plugin = bad(load_plugin(kind, name), **{method: lambda self, *given: 0.5})
    shown = [outcome(check, plugin, kind)[1] for check in checks_of(kind).values()]
    assert any(said in detail for detail in shown)
    assert [detail for detail in shown if "raised" in detail] == []


def test_numbers_are_plain():
    assert plain_numbers("np.float64(0.5), [np.True_, np.int32(3)]") == "0.5, [True, 3]"
