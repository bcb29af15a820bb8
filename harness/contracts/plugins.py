"""The plugin contract: what each kind of plugin is given and must return; all an author need read.

A plugin is a frozen dataclass whose fields are its config. Its methods are pure: they leave their
inputs alone, return new arrays, keep no state in `self`, use no global randomness, and keep the
dtype they are given. Axis 0 is the runs axis: R runs are trained at once, and no row looks at
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
    """Where the examples come from."""

    def load(self, rng: np.random.Generator) -> Data:
        """All examples, unscaled and unsplit; DataError if the source is unusable."""


class Initializer(Protocol):
    """How weights begin."""

    def __call__(self, rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
        """(fan_in + 1, fan_out) weights of one dense layer; the last row is the bias row."""


class Activation(Protocol):
    """h = σ(z), elementwise on any shape; float fields are (R, 1, 1).

    A `__call__(z, out=None)` may write h into `out`, an array of that shape and dtype, and return
    it; a model asks for that to save a copy.
    """

    def __call__(self, z: Array) -> Array:
        """h, in the shape and dtype of z."""

    def derivative(self, z: Array, h: Array) -> Array:
        """dh/dz; h = self(z) comes back, so that h (1 - h) costs nothing."""


class Model(Protocol):
    """A net: its weights as one array a layer, its forward pass, its backpropagation."""

    def init(
        self,
        rng: np.random.Generator,
        initializer: Initializer,
        features: int,
        outputs: int,
    ) -> Arrays:
        """One run's weights, without the runs axis; the harness stacks them."""

    def forward(
        self,
        weights: Arrays,
        x: Array,
        activation: Activation,
        uniform: Uniform | None = None,
    ) -> tuple[Array, Any]:
        """(R, N, outputs) predictions for x (R, N, features), and the cache that backward needs.

        `x` has no column of ones (numerics.with_ones appends it) and is read-only. `uniform`
        gives dropout its numbers, each row from its run's own generator; None outside training.
        """

    def backward(self, cache: Any, delta: Array) -> Arrays:
        """dL/dw for each weight array, in their order and shapes, from delta = dL/dprediction."""


class Loss(Protocol):
    """What training minimises; float fields are (R, 1, 1), to be used before reducing.

    A `with_gradient(prediction, y)` may return both results as a pair, where that saves work.
    """

    task: ClassVar[str]  # "regression", "binary" or "multiclass": how y is encoded

    def __call__(self, prediction: Array, y: Array) -> Array:
        """(R,) losses of (R, N, outputs) linear outputs; the mean over N is in here."""

    def gradient(self, prediction: Array, y: Array) -> Array:
        """dL/dprediction, (R, N, outputs); it carries the 1/N."""


class ClassificationLoss(Loss, Protocol):
    """A loss whose linear outputs stand for probabilities."""

    def probabilities(self, prediction: Array) -> Array:
        """(R, N, classes) from linear outputs; two columns for `binary`."""


class Optimizer(Protocol):
    """How a gradient becomes a step. A run's weights are one row (R, P); floats are (R, 1)."""

    def init(self, weights: Array) -> Any:
        """The state before the first step: a NamedTuple of arrays whose first axis is R."""

    def update(self, gradient: Array, state: Any, weights: Array) -> tuple[Array, Any]:
        """The change, so that weights + change is the new point, and the next state."""


class Schedule(Protocol):
    """How the step size changes over a run: a factor that multiplies the optimizer's change."""

    def __call__(self, step: Array, total_steps: Array) -> Array:
        """(R, 1) factors for update number `step` (from 0) of `total_steps`, both (R, 1)."""


class Metric(Protocol):
    """A number that people compare runs by, in the dataset's own units.

    A `task: ClassVar[str]`, "regression" or "classification", may say what data it is for; asked
    for with other data, it is refused before training.
    """

    greater_is_better: ClassVar[bool]

    def __call__(self, prediction: Array, y: Array) -> Array:
        """(R,) from (R, N, targets) and y (N, targets), or (R, N, classes) and codes (N,)."""


class Figure(Protocol):
    """A picture of a run or of a sweep."""

    scope: ClassVar[str]  # "run" or "sweep"

    def applies(self, result: Any) -> bool:
        """Whether this result (RunResult or SweepResult) can be drawn."""

    def draw(self, result: Any, figure: Any) -> str | None:
        """Draw on the empty matplotlib Figure given, or return a whole HTML page."""
