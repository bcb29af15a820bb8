"""The plugin contract: the methods of each kind of plugin, their arguments and results.

A plugin is a frozen dataclass whose fields are its config. Its methods are pure: they leave their
inputs alone, return new arrays, keep no state in `self`, use no global randomness, and keep the
dtype they are given. Axis 0 is the runs axis: R runs are trained at once, and no row depends on
another. A field annotated exactly `float` reaches a method as a column of R values.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from harness.contracts.arrays import Array, Arrays, Data, Uniform

CONTRACT = 1  # raised when a plugin that kept the contract would have to change
KINDS = (
    "dataset",
    "model",
    "activation",
    "optimizer",
    "loss",
    "initializer",
    "schedule",
    "metric",
    "figure",
)


class Dataset(Protocol):
    """A source of examples.

    Example:
        >>> class Line:
        ...     def load(self, rng):
        ...         x = rng.uniform(-1, 1, (50, 1))
        ...         return Data(x, 2 * x, "regression", ("x",), ("y",))
        >>> Line().load(np.random.default_rng(0)).y.shape
        (50, 1)
    """

    def load(self, rng: np.random.Generator) -> Data:
        """Return all examples, unscaled and unsplit.

        `rng` is the randomness of data that are drawn. Raises DataError for an unusable source.
        A dataset of a file may have `locate(example)`, which returns the line for messages.
        """


class Initializer(Protocol):
    """The first weights of a layer.

    Example:
        >>> class Ones:
        ...     def __call__(self, rng, fan_in, fan_out):
        ...         return np.ones((fan_in + 1, fan_out))
        >>> Ones()(np.random.default_rng(0), 2, 4).shape
        (3, 4)
    """

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """Return (fan_in + 1, fan_out) weights of a dense layer; the last row is the bias row."""


class Activation(Protocol):
    """An elementwise function h = σ(z) of any shape; float fields are columns (R, 1, 1).

    A `__call__(z, out=None)` may write h into `out`, an array of z's shape and dtype, and return
    it; a model asks for that to save a copy.

    Example:
        >>> class Square:
        ...     def __call__(self, z):
        ...         return z * z
        ...     def derivative(self, z, h):
        ...         return 2 * z
        >>> z = np.array([[[1.0, -3.0]]])
        >>> Square().derivative(z, Square()(z)).tolist()
        [[[2.0, -6.0]]]
    """

    def __call__(self, z: Array) -> Array:
        """Return h, in the shape and dtype of z."""

    def derivative(self, z: Array, h: Array) -> Array:
        """Return dh/dz in the shape and dtype of z.

        Args:
            z: The pre-activation.
            h: The activation `self(z)`, so that a slope such as h (1 - h) costs nothing.
        """


class Model(Protocol):
    """A net: its weights as one array a layer, its forward pass, its backpropagation.

    Example:
        >>> class Scale:
        ...     def init(self, rng, initializer, features, outputs):
        ...         return [np.ones((features, outputs))]
        ...     def forward(self, weights, x, activation, uniform=None):
        ...         return x @ weights[0], x
        ...     def backward(self, cache, delta):
        ...         return [cache.mT @ delta]
        >>> x, w = np.ones((2, 5, 3)), [np.ones((2, 3, 1))]
        >>> prediction, cache = Scale().forward(w, x, None)
        >>> prediction.shape, Scale().backward(cache, prediction)[0].shape
        ((2, 5, 1), (2, 3, 1))
    """

    def init(
        self, rng: np.random.Generator, initializer: Initializer, features: int, outputs: int
    ) -> Arrays:
        """Return one run's weights, without the runs axis; the harness stacks them."""

    def forward(
        self, weights: Arrays, x: Array, activation: Activation, uniform: Uniform | None = None
    ) -> tuple[Array, Any]:
        """Return (R, N, outputs) predictions, and the cache that `backward` needs.

        Args:
            weights: One array a layer, (R, ...) each.
            x: (R, N, features), read-only, without a column of ones (numerics.with_ones).
            activation: The run's activation.
            uniform: In training, numbers for dropout, each row from its run's own generator.
        """

    def backward(self, cache: Any, delta: Array) -> Arrays:
        """Return dL/dw for each weight array, in their order and shapes.

        Args:
            cache: The second result of `forward`.
            delta: dL/dprediction, (R, N, outputs), read-only.
        """


class Loss(Protocol):
    """The number that training minimises; float fields are columns (R, 1, 1).

    Use the columns before reducing. A `with_gradient(prediction, y)` may return both results as
    a pair, where that saves work.

    Example:
        >>> class Absolute:
        ...     task = "regression"
        ...     def __call__(self, prediction, y):
        ...         return np.abs(prediction - y).mean(axis=(1, 2))
        ...     def gradient(self, prediction, y):
        ...         return np.sign(prediction - y) / prediction[0].size
        >>> Absolute()(np.ones((2, 4, 1)), np.zeros((2, 4, 1))).tolist()
        [1.0, 1.0]
    """

    task: ClassVar[str]  # "regression", "binary" or "multiclass": how y is encoded

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) losses of (R, N, outputs) linear outputs, each a mean over N."""

    def gradient(self, prediction: Array, y: Array) -> Array:
        """Return dL/dprediction, (R, N, outputs), with the 1/N of the mean in it."""


class ClassificationLoss(Loss, Protocol):
    """A loss whose linear outputs stand for probabilities."""

    def probabilities(self, prediction: Array) -> Array:
        """Return (R, N, classes) from linear outputs; two columns for `binary`."""


class Optimizer(Protocol):
    """The step that a gradient gives; weights are one row a run, (R, P), floats are (R, 1).

    Example:
        >>> class Descent:
        ...     def init(self, weights):
        ...         return ()
        ...     def update(self, gradient, state, weights):
        ...         return -0.1 * gradient, state
        >>> Descent().update(np.ones((1, 3)), (), np.zeros((1, 3)))[0].tolist()
        [[-0.1, -0.1, -0.1]]
    """

    def init(self, weights: Array) -> Any:
        """Return the state before the first step: a NamedTuple of arrays, first axis R."""

    def update(self, gradient: Array, state: Any, weights: Array) -> tuple[Array, Any]:
        """Return the change, so that weights + change is the new point, and the next state."""


class Schedule(Protocol):
    """The factor that multiplies the optimizer's change, over a run.

    Example:
        >>> class Linear:
        ...     def __call__(self, step, total_steps):
        ...         return 1 - step / total_steps
        >>> Linear()(np.array([[5.0]]), np.array([[10.0]])).tolist()
        [[0.5]]
    """

    def __call__(self, step: Array, total_steps: Array) -> Array:
        """Return (R, 1) factors for update `step` (from 0) of `total_steps`, both (R, 1)."""


class Metric(Protocol):
    """A number that people compare runs by, in the dataset's own units.

    A `task: ClassVar[str]`, "regression" or "classification", restricts it to such data: with
    other data it is refused before training.

    Example:
        >>> class Worst:
        ...     greater_is_better = False
        ...     def __call__(self, prediction, y):
        ...         return np.abs(prediction - y).max(axis=(1, 2))
        >>> Worst()(np.ones((2, 4, 1)), np.zeros((4, 1))).tolist()
        [1.0, 1.0]
    """

    greater_is_better: ClassVar[bool]

    def __call__(self, prediction: Array, y: Array) -> Array:
        """Return (R,) numbers, a run each.

        Args:
            prediction: (R, N, targets), or probabilities (R, N, classes).
            y: (N, targets), or integer codes (N,).
        """


class Figure(Protocol):
    """A picture of a run or of a sweep.

    Example:
        >>> class Losses:
        ...     scope = "run"
        ...     def applies(self, result):
        ...         return "train/loss" in result.curves
        ...     def draw(self, result, figure):
        ...         figure.subplots().plot(*result.curves["train/loss"])
    """

    scope: ClassVar[str]  # "run" or "sweep"

    def applies(self, result: Any) -> bool:
        """Return whether this result (RunResult or SweepResult) can be drawn."""

    def draw(self, result: Any, figure: Any) -> str | None:
        """Draw on the empty matplotlib Figure given, or return a whole HTML page."""
