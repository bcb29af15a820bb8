"""Bad plugins of every kind but activations, for the checks of their kind."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from harness.checks import figure as figure_checks
from harness.config.registry import load_plugin
from harness.numerics import sigmoid, with_ones
from tests.support.planted.making import bad

Moons, Network, Normal = (
    load_plugin("dataset", "moons"),
    load_plugin("figure", "network"),
    load_plugin("initializer", "normal"),
)
BCE, MSE, MAE, RMSE = (
    load_plugin("loss", "bce"),
    load_plugin("loss", "mse"),
    load_plugin("metric", "mae"),
    load_plugin("metric", "rmse"),
)
Linear, SGD, Constant = (
    load_plugin("model", "linear"),
    load_plugin("optimizer", "sgd"),
    load_plugin("schedule", "constant"),
)


class Velocity(NamedTuple):
    velocity: np.ndarray


class Steps(NamedTuple):
    count: int


class Counting(SGD):
    """A number for all runs in the state."""

    def init(self, weights):
        return Steps(0)

    def update(self, gradient, state, weights):
        return -self.learning_rate * gradient, Steps(state.count + 1)


def stepping(direction: Callable[[Any, Any, Any], Any]) -> Any:
    """A gradient descent whose change is this of itself, gradient and weights."""
    return bad(
        SGD,
        update=lambda self, gradient, state, w: (direction(self, gradient, w), Velocity(w * 1)),
    )


class Hopeful(Linear):
    """Silences half of its inputs when nobody asked."""

    def forward(self, weights, x, activation, uniform=None):
        kept = np.random.default_rng(0).random(x.shape[1:]) > 0.5
        return super().forward(weights, x * kept, activation)


class Spoiling(Linear):
    """Uses its cache up."""

    def backward(self, cache, delta):
        gradient = cache.mT @ delta
        cache *= 0
        return [gradient]


def moons(**changes: Any) -> Any:
    """The moons with these parts of the data made of the right ones."""

    def load(self, rng):
        data = Moons().load(rng)
        return data._replace(**{name: change(data) for name, change in changes.items()})

    return bad(Moons, load=load)


def spin(self, result, figure):
    began = time.process_time()
    while time.process_time() - began <= figure_checks.SECONDS:
        pass


KEPT: list[Any] = []


def unmeant(self, result, figure):
    raise ValueError("no")


OTHERS: dict[str, tuple[str, Any]] = {
    "check_loss_names_its_task": ("loss", bad(MSE, task="ranking")),
    "check_loss_is_one_number_a_run": (
        "loss",
        bad(MSE, __call__=lambda self, p, y: MSE()(p, y)[:, None]),
    ),
    "check_loss_is_a_mean_over_the_examples": (
        "loss",
        bad(MSE, __call__=lambda self, p, y: np.square(p - y).sum(axis=(1, 2)) / 2),
    ),
    "check_loss_gradient_is_its_slope": ("loss", bad(MSE, gradient=lambda self, p, y: p - y)),
    "check_loss_gradient_beside_it_is_the_same": (
        "loss",
        bad(BCE, with_gradient=lambda self, p, y: (self(p, y), sigmoid(p) - y)),
    ),
    "check_loss_is_least_where_the_prediction_is_right": (
        "loss",
        bad(MSE, __call__=lambda self, p, y: MSE()(p, y - 1)),
    ),
    "check_loss_probabilities_sum_to_one": (
        "loss",
        bad(BCE, probabilities=lambda self, p: np.concatenate([sigmoid(p)] * 2, axis=-1)),
    ),
    "check_loss_is_finite_far_out": (
        "loss",
        bad(BCE, __call__=lambda self, p, y: -np.log(y * sigmoid(p)).mean(axis=(1, 2))),
    ),
    "check_optimizer_converges_on_a_quadratic": (
        "optimizer",
        stepping(lambda self, g, w: self.learning_rate * g),
    ),
    "check_optimizer_changes_have_the_weights_shape_and_dtype": (
        "optimizer",
        stepping(lambda self, g, w: -self.learning_rate * g.mean(axis=1, keepdims=True)),
    ),
    "check_optimizer_is_still_without_a_gradient": (
        "optimizer",
        stepping(lambda self, g, w: -self.learning_rate * (g + 0.1 * w)),
    ),
    "check_optimizer_returns_its_state": ("optimizer", bad(SGD, init=lambda self, w: [0 * w])),
    "check_optimizer_state_has_a_row_for_each_run": ("optimizer", Counting()),
    "check_optimizer_begins_each_row_alone": (
        "optimizer",
        bad(SGD, init=lambda self, w: Velocity(w - w.mean())),
    ),
    "check_optimizer_lets_runs_leave_and_come": (
        "optimizer",
        stepping(lambda self, g, w: -self.learning_rate * (g - g.mean(axis=0))),
    ),
    "check_schedule_gives_a_column": (
        "schedule",
        bad(Constant, __call__=lambda self, step, total: np.ones(len(step))),
    ),
    "check_schedule_is_positive_and_finite_to_the_end": (
        "schedule",
        bad(Constant, __call__=lambda self, step, total: 1 - step / (total - 1)),
    ),
    "check_initializer_has_a_row_for_the_bias": (
        "initializer",
        bad(Normal, __call__=lambda self, rng, n, m: rng.normal(size=(n, m))),
    ),
    "check_initializer_does_not_grow_with_fan_in": (
        "initializer",
        bad(Normal, __call__=lambda self, rng, n, m: rng.normal(0, n, (n + 1, m))),
    ),
    "check_model_makes_one_runs_weights": (
        "model",
        bad(Linear, init=lambda self, rng, initializer, n, m: initializer(rng, n, m)),
    ),
    "check_model_gradient_is_its_slope": (
        "model",
        bad(Linear, backward=lambda self, cache, delta: [2 * (cache.mT @ delta)]),
    ),
    "check_model_predicts_in_the_right_shape": (
        "model",
        bad(Linear, forward=lambda self, w, x, a, u=None: (np.squeeze(with_ones(x) @ w[0]), x)),
    ),
    "check_model_is_sure_of_itself_outside_training": ("model", Hopeful()),
    "check_model_leaves_its_cache_alone": ("model", Spoiling()),
    "check_dataset_has_a_row_for_each_example": ("dataset", moons(y=lambda data: data.y[1:])),
    "check_dataset_says_its_task": ("dataset", moons(task=lambda data: "clustering")),
    "check_dataset_is_finite": ("dataset", moons(x=lambda data: 1 / (data.x * (data.y[:, None])))),
    "check_dataset_names_its_columns": ("dataset", moons(feature_names=lambda data: ("x", "x"))),
    "check_dataset_codes_its_classes": ("dataset", moons(y=lambda data: data.y + 1)),
    "check_dataset_marks_codes_as_categorical": ("dataset", moons(categorical=lambda data: (0,))),
    "check_metric_says_which_way_is_better": ("metric", bad(MAE, greater_is_better="yes")),
    "check_metric_says_what_data_it_is_for": ("metric", bad(MAE, task="binary")),
    "check_metric_is_one_number_a_run": (
        "metric",
        bad(MAE, __call__=lambda self, p, y: np.abs(p - y).mean()),
    ),
    "check_metric_is_finite": ("metric", bad(MAE, __call__=lambda self, p, y: 1 / RMSE()(p, y))),
    "check_metric_is_best_when_all_is_right": (
        "metric",
        bad(MAE, __call__=lambda self, p, y: np.abs(RMSE()(p, y) - 1)),
    ),
    "check_metric_tells_right_from_wrong": ("metric", bad(RMSE, greater_is_better=True)),
    "check_figure_says_its_scope": ("figure", bad(Network, scope="page")),
    "check_figure_applies_or_not_but_never_raises": (
        "figure",
        bad(Network, applies=lambda self, result: result.curves["train/loss"][0][0] == 0),
    ),
    "check_figure_draws_what_it_applies_to": ("figure", bad(Network, draw=unmeant)),
    "check_figure_is_not_blank": ("figure", bad(Network, draw=lambda self, result, figure: None)),
    "check_figure_draws_in_a_bounded_time": ("figure", bad(Network, draw=spin)),
    "check_figure_closes_what_it_opens": (
        "figure",
        bad(Network, draw=lambda self, result, figure: KEPT.append(figure)),
    ),
}
