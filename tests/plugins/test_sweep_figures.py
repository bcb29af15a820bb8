"""The figures of a sweep: settings over their seeds, what matters, and where runs diverged."""

from dataclasses import replace

import numpy as np
import pytest
from harness_plugins.figures.sweep import Curves
from harness_plugins.figures.sweep_axes import axis, importance, space
from harness_plugins.figures.sweep_settings import Diverged, HeatMap, Importance, Parallel
from matplotlib.figure import Figure

from harness.checks.sample_results import sweeps
from harness.figures import draw_all
from tests.plugins.test_figures import exploding


def test_runs_that_differ_in_seed_are_one_setting_of_the_space():
    found = space(sweeps()[0])
    assert [each.key for each in found.axes] == ["optimizer.learning_rate", "activation"]
    assert found.runs.tolist() == [3] * 12 + [1]
    assert found.diverged.sum() == 1
    assert np.isnan(found.worth).sum() == 1


def test_what_spans_much_is_on_a_logarithmic_scale_and_what_is_not_set_beside_it():
    rates = axis("learning_rate", ["0.1", "0.001", "not set"])
    assert rates.labels == ("not set", "0.001", "0.1")
    assert rates.at[:2].tolist() == [-1, -3]
    assert rates.at[2] < -3
    assert axis("activation", ["tanh", "relu"]).labels == ("relu", "tanh")


def test_what_matters_is_told_from_what_does_not():
    drop, _, fit = importance(space(sweeps()[0]))
    assert drop[0] > 10 * abs(drop[1])
    assert fit > 0.5


def test_they_are_drawn_where_there_is_something_to_see():
    plugins = [Importance(), Parallel(), HeatMap(), Diverged()]
    figures = {type(plugin).__name__: plugin for plugin in plugins}
    many, one, none = (draw_all(figures, sweep) for sweep in sweeps())
    assert {name.partition(".")[0] for name in many[0]} == {*figures}
    assert [many[1], one, none] == [{}, ({}, {}), ({}, {})]


@pytest.mark.parametrize("top", [1e200, 1e285, 1.7e308, 1e-300])
def test_curves_are_drawn_whole_where_runs_explode(top):
    sweep = sweeps()[0]
    exploded = replace(sweep, runs=[replace(run, **exploding(top)) for run in sweep.runs])
    files, failed = draw_all({"curves": Curves()}, exploded)
    assert (list(files), failed) == (["curves.png"], {})
    Curves().draw(exploded, figure := Figure())
    low, high = figure.axes[0].get_ylim()
    assert low < min(1, top) < max(1, top) <= high


def test_curves_that_are_not_positive_explode_too():
    sweep = sweeps()[0]
    curve = np.arange(4), np.array([0.0, -1e308, 1e308, np.inf])
    runs = [replace(run, curves={"train/loss": curve}) for run in sweep.runs]
    files, failed = draw_all({"curves": Curves()}, replace(sweep, runs=runs))
    assert (list(files), failed) == (["curves.png"], {})


def test_a_map_of_equal_settings_can_be_read():
    sweep = sweeps()[0]
    rows = [{**row, "val/best_loss": 0.5} for row in sweep.rows]
    HeatMap().draw(replace(sweep, rows=rows), figure := Figure())
    assert {text.get_color() for text in figure.axes[0].texts if "0.5" in text.get_text()} == {
        "white"
    }
