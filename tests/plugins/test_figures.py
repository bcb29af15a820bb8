"""The built-in figures on results of every kind, and where they do not apply."""

import io
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from harness_plugins.figures.classification import Confusion, DecisionMap
from harness_plugins.figures.curves import LossCurve
from harness_plugins.figures.diagnostics import LAYERS, Diagnostics
from harness_plugins.figures.grid import typical
from harness_plugins.figures.network import Network
from harness_plugins.figures.regression import Prediction, ResponseCurve, ResponseSurface
from harness_plugins.figures.surface3d import Surface3D
from harness_plugins.figures.theme import colours, plain, shorten
from matplotlib.figure import Figure
from PIL import Image

from harness.figures import draw_all
from tests.support.results import CURVES, classification, net, regression, trained

FIGURES = {
    "loss": LossCurve(),
    "prediction": Prediction(),
    "surface": ResponseSurface(),
    "response": ResponseCurve(),
    "surface3d": Surface3D(),
    "decision_map": DecisionMap(),
    "confusion": Confusion(),
    "network": Network(),
    "diagnostics": Diagnostics(),
}
NAN = float("nan")


def broken_norms():
    """Of two layers: infinite, zero, and gone."""
    values = np.array([[np.inf, 0.0], [1e300, NAN]])
    return {"gradient": values, "change": values, "weights": values, "epoch": np.array([1, 2])}


def exploding(top=1e285, last=100):
    """The curves of a run whose loss grows by the same factor at each epoch."""
    steps = np.arange(0.0, last + 1)
    curve = steps, top ** (steps / last)
    return {"curves": {"train/loss": curve, "val/loss": curve}}


GONE = {"curves": {}, "weights": [], "x": {}, "y": {}, "outcome": "failed", "best_epoch": -1}
# A result, and the figures that can be drawn of it.
CASES = {
    "two features": (regression(), "loss prediction surface surface3d network"),
    "one feature": (regression(1), "loss prediction response network"),
    "many targets": (regression(3, targets=6), "loss prediction surface network"),
    "one quantity, two codes": (regression(3, codes=2), "loss prediction network"),
    "two quantities, a code": (regression(3, codes=1), "loss prediction surface network"),
    "two classes": (classification(), "loss decision_map surface3d confusion network"),
    "five classes": (classification(5), "loss decision_map surface3d confusion network"),
    "fifty classes": (classification(50, n=400), "loss decision_map surface3d confusion network"),
    "many features": (classification(10, 64), "loss confusion network"),
    "one class only": (classification(1), "loss decision_map surface3d confusion network"),
    "training part only": (
        regression(x={"train": np.eye(2)}, y={"train": np.array([[0.0], [1.0]])}),
        "loss prediction surface surface3d network",
    ),
    "predictions not finite": (
        regression(predictor=lambda x: np.full((len(x), 1), NAN)),
        "loss prediction surface surface3d network",
    ),
    "constant prediction and truth": (
        regression(
            x={"train": np.eye(2)},
            y={"train": np.ones((2, 1))},
            predictor=lambda x: np.ones((len(x), 1)),
        ),
        "loss prediction surface surface3d network",
    ),
    "diverged": (
        regression(outcome="diverged", curves={"train/loss": ([0, 1, 2], [1.0, 1e200, NAN])}),
        "loss prediction surface surface3d network",
    ),
    "a training that is known": (
        regression(**trained(2, 4, 1)),
        "loss prediction surface surface3d network diagnostics",
    ),
    "a deep net": (
        classification(5, **trained(2, *[8] * 20, 5)),
        "loss decision_map surface3d confusion network diagnostics",
    ),
    "norms not finite, and nothing to look into": (
        regression(**trained(2, 4, 1) | {"norms": broken_norms(), "look": None}),
        "loss prediction surface surface3d network diagnostics",
    ),
    "exploded": (
        regression(predictor=lambda x: 1e308 * x[:, :1], **exploding(), **trained(2, 4, 1)),
        "loss prediction surface surface3d network diagnostics",
    ),
    "failed at once": (regression(**GONE), ""),
    "no curve is finite": (regression(curves={"train/loss": ([0], [NAN])}, weights=[]), ""),
    "another kind of net": (
        regression(weights=[np.ones((2, 2, 2))]),
        "loss prediction surface surface3d",
    ),
}
NAMES = [
    "",
    "$a_{b}$ and $",
    "α=1 学習率 🦎",
    "x" * 500,
    "</script><b>&amp;",
    "a\nb\x00\ud800c",
    r"\frac{",
]


def texts(plugin, result):
    """Every text that a plugin puts on its figure."""
    figure = Figure()
    plugin.draw(result, figure)
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


@pytest.mark.parametrize("case", CASES)
def test_what_applies_is_drawn(case):
    result, expected = CASES[case]
    assert {n for n, figure in FIGURES.items() if figure.applies(result)} == set(expected.split())
    files, failed = draw_all(FIGURES, result)
    assert not failed
    assert {name.split(".")[0] for name in files} == set(expected.split())
    for name, content in files.items():
        if name.endswith(".png"):
            image = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            assert image.shape[0] >= 400
            assert (image != 255).any(axis=2).mean() > 0.01, "blank"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [regression, classification])
def test_odd_names_are_drawn_as_they_are(make, name):
    run = make(name=name)
    names = dict.fromkeys(("feature_names", "target_names", "class_names"), (name, name))
    run.data = run.data._replace(**names)
    files, failed = draw_all(FIGURES, run)
    assert not failed
    assert len(files) >= 4


def test_each_class_is_in_the_legend_whatever_its_name():
    run, names = classification(4), ("_hidden", "$x_1$ and $", "", "__")
    run.data = run.data._replace(class_names=names)
    figure = Figure()
    DecisionMap().draw(run, figure)
    listed = [text.get_text() for text in figure.legends[0].get_texts()]
    assert listed[-4:] == [plain(name) for name in names]


def test_dollars_and_long_names_are_made_fit_to_print():
    assert plain("$a$ b\n") == r"\$a\$ b "
    assert shorten("learning_rate=0.1 " * 9 + "seed=7", 30).endswith("seed=7")
    assert len(shorten("x" * 99, 30)) == 30
    assert len(shorten("学" * 99, 30)) <= 16


def test_colours_are_all_different():
    assert len(set(colours(60))) == 60


def test_the_loss_axis_is_logarithmic_where_that_shows_more():
    scales = {name: LossCurve().backdrop(regression(curves=c)).log for name, c in CURVES.items()}
    assert [name for name, log in scales.items() if log] == ["logarithmic", "tiny"]
    assert LossCurve(log=True).backdrop(regression()).log
    assert not LossCurve(log=True).backdrop(regression(curves=CURVES["negative"])).log


@pytest.mark.parametrize("top", [1e120, 1e200, 1e285, 1.7e308, 1e-300])
def test_the_loss_axis_holds_all_of_a_curve_however_far_it_goes(top):
    figure = Figure()
    LossCurve().draw(regression(**exploding(top)), figure)
    [axes], curve = figure.axes, exploding(top)["curves"]["train/loss"]
    for (low, high), values in zip((axes.get_xlim(), axes.get_ylim()), curve, strict=True):
        assert low <= values.min() < values.max() <= high
    assert 3 <= len(axes.get_yticks()) <= 9


def test_the_epochs_of_a_loss_that_is_no_number_are_on_the_axis():
    backdrop = LossCurve().backdrop(regression(curves={"train/loss": ([0, 50, 100], [1, 2, NAN])}))
    assert backdrop.last == 100


def test_a_very_bad_fit_is_said_in_few_characters():
    run = regression(predictor=lambda x: 1e150 * x[:, :1])
    assert max(map(len, texts(Prediction(), run))) < 30


def test_the_best_epoch_is_told_unless_a_run_diverged():
    assert "○ best 0.041 at epoch 330" in texts(LossCurve(), regression())
    assert "diverged" in texts(LossCurve(), regression(outcome="diverged"))


def test_other_features_are_held_at_something_typical():
    run = regression(4, codes=2)
    x = run.x["train"]
    rows, counts = np.unique(x[:, 2:], axis=0, return_counts=True)
    assert np.allclose(typical(run), [*x[:, :2].mean(axis=0), *rows[counts.argmax()]])


def test_the_network_shows_shapes_and_abbreviates_what_is_wide():
    gain = np.ones((2, 64))
    first, second = net(2, 64, 1)
    shown = texts(Network(), regression(weights=[first, gain, second]))
    assert {"W₁  3 × 64", "W₂  65 × 1", "⋮", "2 features", "64 sigmoid", "1 output"} <= set(shown)
    assert not Network().applies(regression(weights=[first, first]))


def test_the_network_is_drawn_by_its_weights_and_by_its_gradient():
    run = regression(**trained(2, 4, 1))
    figure = Figure()
    Network().draw(run, figure)
    weights, gradient = ([*axes.get_lines()] for axes in figure.axes)
    assert len(weights) == len(gradient)
    assert "gradient of the training loss: ∂L/∂W" in texts(Network(), run)
    run.look = None
    del run.inside
    Network().draw(run, alone := Figure())
    assert len(alone.axes) == 1


def test_confusion_is_of_the_held_out_part_if_there_is_one():
    run = classification()
    assert any(text.startswith("validation") for text in texts(Confusion(), run))
    alone = replace(run, x={"train": run.x["train"]}, y={"train": run.y["train"]})
    assert any(text.startswith("train") for text in texts(Confusion(), alone))


def test_diagnostics_show_units_and_a_choice_of_many_layers():
    shown = texts(Diagnostics(), regression(**trained(2, *[8] * 20, 1)))
    named = {text for text in shown if text.startswith("W")}
    assert len(named) == LAYERS
    assert {"W₁", "W₂₁"} <= named
    assert "layer 1" in shown
