"""Which known name an unknown one may stand for."""

import pytest

from harness.errors import similar_names, unknown_name

KNOWN = ["seed", "batch_size", "epochs", "optimizer", "layer_norm", "leaky_relu", "relu", "selu"]
DOTTED = ["optimizer.learning_rate", "model.hidden", "model.layer_norm"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Relu", ["relu"]),
        ("LeakyReLU", ["leaky_relu"]),
        ("leaky-relu", ["leaky_relu"]),
        ("bs", ["batch_size"]),
        ("lr", ["leaky_relu", "optimizer.learning_rate"]),
        ("opt", ["optimizer"]),
        ("hid", ["model.hidden"]),
        ("rate", ["optimizer.learning_rate"]),
        ("layer_norm", ["layer_norm", "model.layer_norm"]),
        ("sed", ["seed", "selu"]),
        ("relu6", ["relu", "selu", "leaky_relu"]),
        ("ochs", ["epochs"]),
        ("bz", ["batch_size"]),
        ("zz", []),
        ("s", []),
        ("", []),
    ],
)
def test_the_likeliest_names_are_found(name, meant):
    assert similar_names(name, [*KNOWN, *DOTTED]) == meant


def test_names_elsewhere_are_suggested_and_not_listed():
    said = unknown_name("config", "hidden", ["seed"], DOTTED)
    assert said == "config: there is no 'hidden'. Did you mean model.hidden? Available: seed"
    assert unknown_name("kind", "x", []) == "kind: there is no 'x'. Available: none"
