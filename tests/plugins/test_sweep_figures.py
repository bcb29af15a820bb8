"""The figures of a sweep: settings over their seeds, what matters, and where runs diverged."""

import numpy as np
from harness_plugins.figures.sweep_axes import axis, importance, space
from harness_plugins.figures.sweep_settings import Diverged, HeatMap, Importance, Parallel

from harness.checks.sample_results import sweeps
from harness.figures import draw_all


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
