"""The built-in figures on results of every kind, and the room that owns and saves them."""

import gc
import io
import subprocess
import sys
import weakref
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
import pytest
from harness_plugins.figures.classification import Confusion, DecisionMap
from harness_plugins.figures.curves import LossCurve
from harness_plugins.figures.grid import typical
from harness_plugins.figures.look import colours, plain, shorten
from harness_plugins.figures.network import Network
from harness_plugins.figures.regression import Prediction, ResponseSurface
from harness_plugins.figures.surface3d import Surface3D
from matplotlib.figure import Figure
from PIL import Image

from harness.figures import draw, draw_all, fast
from harness.figures import plain as plain_path
from harness.figures.png import encode
from tests.results import classification, curve, net, regression

FIGURES = {
    "loss": LossCurve(),
    "prediction": Prediction(),
    "surface": ResponseSurface(),
    "surface3d": Surface3D(),
    "decision_map": DecisionMap(),
    "confusion": Confusion(),
    "network": Network(),
}
NAN = float("nan")
GONE = {"curves": {}, "weights": [], "x": {}, "y": {}, "outcome": "failed", "best_epoch": -1}
# A result, and the figures that can be drawn of it.
CASES = {
    "two features": (regression(), "loss prediction surface surface3d network"),
    "one feature": (regression(1), "loss prediction network"),
    "many targets": (regression(3, targets=6), "loss prediction surface network"),
    "one quantity, two codes": (regression(3, codes=2), "loss prediction network"),
    "two quantities, a code": (regression(3, codes=1), "loss prediction surface network"),
    "two classes": (classification(), "loss decision_map confusion network"),
    "five classes": (classification(5), "loss decision_map confusion network"),
    "fifty classes": (classification(50, n=400), "loss decision_map confusion network"),
    "many features": (classification(10, 64), "loss confusion network"),
    "one class only": (classification(1), "loss decision_map confusion network"),
    "training part only": (
        regression(x={"train": np.eye(2)}, y={"train": np.ones((2, 1))}),
        "loss prediction surface surface3d network",
    ),
    "predictions not finite": (
        regression(predictor=lambda x: np.full((len(x), 1), NAN)),
        "loss prediction surface surface3d network",
    ),
    "constant prediction and truth": (
        regression(y={"train": np.ones((40, 1))}, predictor=lambda x: np.ones((len(x), 1))),
        "loss prediction surface surface3d network",
    ),
    "diverged": (
        regression(outcome="diverged", curves={"train/loss": ([0, 1, 2], [1.0, 1e200, NAN])}),
        "loss prediction surface surface3d network",
    ),
    "failed at once": (regression(**GONE), ""),
    "no curve is finite": (regression(curves={"train/loss": ([0], [NAN])}, weights=[]), ""),
    "another kind of net": (
        regression(weights=[np.ones((2, 2, 2))]),
        "loss prediction surface surface3d",
    ),
}
for case in ("training part only", "constant prediction and truth"):
    run = CASES[case][0]
    run.x = {"train": run.x["train"][: len(run.y["train"])]}
CURVES = {
    "linear": {"train/loss": curve(), "val/loss": curve(floor=0.05)},
    "logarithmic": {"train/loss": curve(floor=1e-6)},
    "one point": {"train/loss": ([0], [0.5])},
    "few points": {"val/loss": ([0, 1, 2], [3.0, 2.0, 2.5])},
    "negative": {"train/loss": ([0, 10], [-1.0, -5000.0])},
    "constant": {"train/loss": ([0, 10], [0.693, 0.693])},
    "zeros": {"train/loss": ([0, 10], [0.0, 0.0])},
    "enormous": {"train/loss": ([0, 1, 2], [-1.7e308, 1.7e308, np.inf])},
    "tiny": {"train/loss": ([0, 10], [5e-324, 1e-320])},
    "long": {"train/loss": ([0, 1234567], [1.0, 0.1])},
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


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


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
            image = pixels(content)
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


def test_dollars_and_long_names_are_made_fit_to_print():
    assert plain("$a$ b\n") == r"\$a\$ b "
    assert shorten("learning_rate=0.1 " * 9 + "seed=7", 30).endswith("seed=7")
    assert len(shorten("x" * 99, 30)) == 30
    assert len(shorten("学" * 99, 30)) <= 16


def test_colours_are_all_different():
    assert len(set(colours(60))) == 60


@pytest.mark.parametrize("name", CURVES)
def test_the_fast_path_paints_the_same_pixels_as_the_plain_one(name):
    run = regression(curves=CURVES[name])
    expected = plain_path.paint(LossCurve(), run)
    for _ in range(2):  # a backdrop just made, and one kept
        assert fast.paint(LossCurve(), run) == expected


def test_runs_of_a_sweep_share_their_backdrop():
    runs = [regression(curves={"train/loss": curve(decay)}) for decay in np.linspace(40, 90, 30)]
    assert len({LossCurve().backdrop(run) for run in runs}) == 1


def test_a_run_does_not_show_in_the_next_picture():
    one, other = regression(), regression(name="other", curves={"val/loss": curve(30)})
    first = fast.paint(LossCurve(), one)
    assert fast.paint(LossCurve(), other) != first
    assert fast.paint(LossCurve(), one) == first


def test_what_fails_on_the_fast_path_takes_the_plain_one():
    class Awkward(LossCurve):
        def draw_over(self, result, figure):
            return [*super().draw_over(result, figure), "no artist"]

    assert fast.paint(Awkward(), regression()) is None
    assert draw(Awkward(), "loss", regression()) == draw(LossCurve(), "loss", regression())


def test_the_loss_axis_is_logarithmic_where_that_shows_more():
    scales = {name: LossCurve().backdrop(regression(curves=c)).log for name, c in CURVES.items()}
    assert [name for name, log in scales.items() if log] == ["logarithmic", "tiny"]
    assert LossCurve(log=True).backdrop(regression()).log
    assert not LossCurve(log=True).backdrop(regression(curves=CURVES["negative"])).log


def test_the_best_epoch_is_told_unless_a_run_diverged():
    assert "○ best 0.041 at epoch 330" in texts(LossCurve(), regression())
    assert "diverged" in texts(LossCurve(), regression(outcome="diverged"))


@dataclass(frozen=True)
class Foreign:
    """A stranger's figure: draws, fails or answers as it is told."""

    answer: object = None
    scope = "run"

    def applies(self, result):
        return True

    def draw(self, result, figure):
        SEEN.append(weakref.ref(figure))
        figure.subplots().plot([1, 2])
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


SEEN: list = []


def test_a_broken_figure_harms_no_other():
    broken = ValueError("no")
    figures = {
        "bad": Foreign(broken),
        "odd": Foreign(3),
        "good": Foreign(),
        "page": Foreign("<p>é"),
    }
    files, failed = draw_all(figures, regression())
    assert list(files) == ["good.png", "page.html"]
    assert files["page.html"] == "<p>é".encode()
    assert failed["bad"] is broken
    assert "int" in str(failed["odd"])


def test_a_figure_is_let_go_once_it_is_saved():
    SEEN.clear()
    draw_all({"good": Foreign(), "bad": Foreign(ValueError("no"))}, regression())
    gc.collect()
    assert [figure() for figure in SEEN] == [None, None]


def test_the_same_result_gives_the_same_bytes_whatever_the_user_has_set():
    before = [draw(figure, "f", CASES["two features"][0]) for figure in (Network(), Prediction())]
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "savefig.dpi": 7}):
        after = [draw(f, "f", CASES["two features"][0]) for f in (Network(), Prediction())]
        assert matplotlib.rcParams["axes.facecolor"] == "red"
    assert before == after


def test_matplotlib_comes_with_the_first_picture_and_pyplot_never():
    script = """
import sys, harness.figures, harness_plugins.figures.surface3d, harness_plugins.figures.network
from tests.results import regression
assert "matplotlib" not in sys.modules
harness.figures.draw(harness_plugins.figures.network.Network(), "network", regression())
assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=sys.path[0] or None)
    assert "matplotlib" in sys.modules


def test_png_keeps_every_pixel():
    image = np.random.default_rng(0).integers(0, 256, (7, 11, 4), dtype=np.uint8)
    assert (pixels(encode(image, 100)) == image[..., :3]).all()


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


def test_confusion_is_of_the_held_out_part_if_there_is_one():
    run = classification()
    assert any(text.startswith("validation") for text in texts(Confusion(), run))
    alone = replace(run, x={"train": run.x["train"]}, y={"train": run.y["train"]})
    assert any(text.startswith("train") for text in texts(Confusion(), alone))
