"""Results of a run and of a sweep, which figures draw; part of the plugin contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from harness.contracts.arrays import Array, Arrays, Data


FLAT = 0.01  # of the steepest slope
NEARLY_ALL = 0.95  # of the examples


class Hidden(NamedTuple):
    """Inputs and outputs of one activation for examples of the training part."""

    z: Array  # (units, N)
    h: Array
    slope: Array  # dh/dz


class Inside(NamedTuple):
    """A look inside a run's net: first weights, gradient, and hidden units."""

    initial: Arrays  # the weights before training
    gradient: Arrays  # dL/dw on the training part, of the run's final weights
    hidden: list[Hidden]  # in the order in which the net asks its activation
    steepest: float  # the largest |dh/dz| that the activation has

    def states(self) -> list[dict[str, int]]:
        """Count the "learning", "saturated" and "dead" units of each layer.

        A dead unit has slope 0 for all examples; a saturated unit has, for nearly all of them,
        less than a hundredth of the steepest slope.
        """
        return [_states(part.slope, self.steepest) for part in self.hidden]


def _states(slopes: Array, steepest: float) -> dict[str, int]:
    dead = (slopes == 0).all(axis=1)
    flat = (np.abs(slopes) < FLAT * steepest).mean(axis=1) >= NEARLY_ALL
    saturated, silent = int((flat & ~dead).sum()), int(dead.sum())
    learning = len(slopes) - saturated - silent
    return {"learning": learning, "saturated": saturated, "dead": silent}


@dataclass
class RunResult:
    """The result of one run: its settings, its curves and numbers, and its net.

    `x`, `y` and `prediction` are by part ("train", "validation", "test"), in the dataset's
    units; a classifier's predictions are probabilities (N, classes). `norms` holds "epoch"
    (points,) and ‖·‖ of each weight array, (points, arrays): of its "gradient" and its "change"
    in the last step of that epoch, and of the "weights" after it.

    Example:
        >>> import numpy as np
        >>> from harness.contracts import Data
        >>> x = np.ones((3, 1))
        >>> run = RunResult(
        ...     None, "run", "ok", {}, {}, {"train/loss": (np.arange(2), np.array([1.0, 0.5]))},
        ...     {"train/best_loss": 0.5}, [], Data(x, x, "regression", ("x",), ("y",)),
        ...     {"train": x}, {"train": x}, 1, "f" * 16, None, predictor=lambda x: 2 * x,
        ... )
        >>> run.prediction["train"].ravel().tolist()
        [2.0, 2.0, 2.0]
    """

    run_id: str | None
    name: str
    outcome: str  # "ok", "diverged", "failed", "stopped" or "pruned"
    config: dict[str, Any]
    params: dict[str, str]
    curves: dict[str, tuple[Array, Array]]  # {"train/loss": (steps, values)}
    metrics: dict[str, float]
    weights: Arrays  # as the model made them, without the runs axis
    data: Data
    x: dict[str, Array]
    y: dict[str, Array]
    best_epoch: int
    fingerprint: str
    directory: Path | None
    predictor: Callable[[Array], Array] = field(repr=False)
    norms: dict[str, Array] = field(default_factory=dict, repr=False)  # empty where not known
    timeline: Sequence[RunResult] = field(default=(), repr=False)  # as it was before, then itself
    look: Callable[[], Inside] | None = field(default=None, repr=False)

    @cached_property
    def inside(self) -> Inside | None:
        """A look inside the net; None if the run has no weights, or is a frame of a film."""
        return self.look() if self.look is not None and self.weights else None

    @cached_property
    def prediction(self) -> dict[str, Array]:
        """Predictions by part: (N, targets), or probabilities (N, classes)."""
        return {part: self.predict(x) for part, x in self.x.items()}

    def predict(self, x: Array) -> Array:
        """Return the net's predictions in the dataset's units.

        Args:
            x: (N, features), unscaled.

        Returns:
            (N, targets), or probabilities (N, classes).
        """
        return self.predictor(np.asarray(x))


@dataclass
class SweepResult:
    """The result of a sweep: its runs, the best of them, and a table.

    Example:
        >>> from pathlib import Path
        >>> rows = [{"run_id": None, "name": "a", "outcome": "ok", "val/best_loss": 0.5}]
        >>> SweepResult("s1", None, [], None, Path("sweep"), rows).frame["name"].tolist()
        ['a']
    """

    sweep_id: str
    parent_run_id: str | None
    runs: Sequence[RunResult]
    best: RunResult | None  # None if no run ended well
    directory: Path
    rows: Sequence[Mapping[str, Any]] = field(repr=False)  # what `frame` is made of
    objective: tuple[str, str] = ("val/best_loss", "minimize")  # metric and direction

    @property
    def frame(self) -> pd.DataFrame:
        """A pandas DataFrame with a row a run: run_id, name, outcome, params, final metrics."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))
