"""The room that owns, paints and saves figures: its two paths give the same pixels."""

import gc
import io
import subprocess
import sys
import weakref
from dataclasses import dataclass

import matplotlib
import numpy as np
import pytest
from harness_plugins.figures.curves import LossCurve
from harness_plugins.figures.network import Network
from harness_plugins.figures.regression import Prediction
from PIL import Image

from harness.figures import draw, draw_all, render
from harness.figures.png import encode_png
from tests.support import ROOT
from tests.support.results import CURVES, curve, regression


@pytest.mark.parametrize("name", CURVES)
def test_the_fast_path_paints_the_same_pixels_as_the_plain_one(name):
    run = regression(curves=CURVES[name])
    expected = render.paint(LossCurve(), run)
    for _ in range(2):  # a backdrop just made, and one kept
        assert render.paint_quickly(LossCurve(), run) == expected


def test_runs_of_a_sweep_share_their_backdrop():
    runs = [regression(curves={"train/loss": curve(decay)}) for decay in np.linspace(40, 90, 30)]
    assert len({LossCurve().backdrop(run) for run in runs}) == 1


def test_a_run_does_not_show_in_the_next_picture():
    one, other = regression(), regression(name="other", curves={"val/loss": curve(30)})
    first = render.paint_quickly(LossCurve(), one)
    assert render.paint_quickly(LossCurve(), other) != first
    assert render.paint_quickly(LossCurve(), one) == first


def test_what_fails_on_the_fast_path_takes_the_plain_one():
    class Awkward(LossCurve):
        def draw_over(self, result, figure):
            return [*super().draw_over(result, figure), "no artist"]

    assert render.paint_quickly(Awkward(), regression()) is None
    assert draw(Awkward(), "loss", regression()) == draw(LossCurve(), "loss", regression())


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
    before = [draw(figure, "f", regression()) for figure in (Network(), Prediction())]
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "savefig.dpi": 7}):
        after = [draw(f, "f", regression()) for f in (Network(), Prediction())]
        assert matplotlib.rcParams["axes.facecolor"] == "red"
    assert before == after


def test_matplotlib_comes_with_the_first_picture_and_pyplot_never():
    script = """
import sys, harness.figures, harness_plugins.figures.surface3d, harness_plugins.figures.network
from tests.support.results import regression
assert "matplotlib" not in sys.modules
harness.figures.draw(harness_plugins.figures.network.Network(), "network", regression())
assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)
    assert "matplotlib" in sys.modules


def test_png_keeps_every_pixel():
    image = np.random.default_rng(0).integers(0, 256, (7, 11, 4), dtype=np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(encode_png(image, 100)))) == image[..., :3]).all()
