"""What figures are asked to draw, part of the plugin contract: a run and a sweep as they ended."""

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
    """What one activation was asked, and answered, for examples of the training part."""

    z: Array  # (units, N)
    h: Array
    slope: Array  # dh/dz


class Inside(NamedTuple):
    """What is to be seen inside a run's net."""

    initial: Arrays  # the weights before training
    gradient: Arrays  # dL/dw on the training part, of the weights that the run left
    hidden: list[Hidden]  # in the order in which the net asks its activation
    steepest: float  # the largest |dh/dz| that the activation has

    def states(self) -> list[dict[str, int]]:
        """How many units of each layer are "learning", "saturated" and "dead".

        A dead one has no slope for any example; a saturated one has, for nearly all of them, less
        than a hundredth of the steepest.
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
    """One run: what was asked, how it went, and the net it left.

    `x`, `y` and `prediction` are by part ("train", "validation", "test"), in the dataset's
    units; a classifier's predictions are probabilities (N, classes). `norms` holds "epoch"
    (points,) and ‖·‖ of each weight array, (points, arrays): of its "gradient" and its "change"
    in the last step of that epoch, and of the "weights" after it.
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
        """A look inside the net; None where there is none to be looked into."""
        return self.look() if self.look is not None and self.weights else None

    @cached_property
    def prediction(self) -> dict[str, Array]:
        """What the net says of each part: (N, targets), or probabilities (N, classes)."""
        return {part: self.predict(x) for part, x in self.x.items()}

    def predict(self, x: Array) -> Array:
        """(N, targets), or probabilities (N, classes), for x (N, features) in the data's units."""
        return self.predictor(np.asarray(x))


@dataclass
class SweepResult:
    """A sweep: its runs, the best of them, and all of it as a table."""

    sweep_id: str
    parent_run_id: str | None
    runs: Sequence[RunResult]
    best: RunResult | None  # None if no run ended well
    directory: Path
    rows: Sequence[Mapping[str, Any]] = field(repr=False)  # what `frame` is made of
    objective: tuple[str, str] = ("val/best_loss", "minimize")  # metric and direction

    @property
    def frame(self) -> pd.DataFrame:
        """A row a run: run_id, name, outcome, each param, each final metric."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))
