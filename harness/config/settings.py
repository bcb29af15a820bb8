"""The settings that belong to no plugin, with their ranges; conf/config.yaml has the defaults."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any, Literal

from harness.config.validate import RANGE
from harness.errors import require, require_known
from harness.store.params import format_value

EPOCHS = 10**15  # a step is a whole number, recorded and counted in float64


Limits = dict[str, tuple[str, Callable[[Any], bool]]]


def limits(text: str, allows: Callable[[Any], bool]) -> Limits:
    """Return the metadata of a field whose values must satisfy `allows`; `text` says how."""
    return {RANGE: (text, allows)}


def positive_or_null(text: str) -> Limits:
    """Return the metadata of a field that must be positive and finite, or null."""
    return limits(text, lambda value: value is None or 0 < value < inf)


AT_LEAST_0 = limits("at least 0", lambda value: value >= 0)
AT_LEAST_1 = limits("at least 1", lambda value: value >= 1)
NOT_NEGATIVE = limits("finite, at least 0", lambda value: 0 <= value < inf)
FRACTION = limits("from 0 to below 1", lambda value: 0 <= value < 1)
POSITIVE = positive_or_null("finite, above 0, or null")
COUNT = positive_or_null("above 0, or null")
BATCH = positive_or_null("at least 1, or null for full batch")


@dataclass(frozen=True)
class Penalty:
    """`penalty`: the weights of the L1 and L2 terms in loss and gradient."""

    l1: float = field(metadata=NOT_NEGATIVE)
    l2: float = field(metadata=NOT_NEGATIVE)


@dataclass(frozen=True)
class Clip:
    """`clip`: bounds of the gradient of a run, by entry and by norm."""

    value: float | None = field(metadata=POSITIVE)
    norm: float | None = field(metadata=POSITIVE)


@dataclass(frozen=True)
class Stopping:
    """`stopping`: when a run ends before its last epoch."""

    patience: int | None = field(metadata=COUNT)
    min_delta: float = field(metadata=NOT_NEGATIVE)
    max_seconds: float | None = field(metadata=POSITIVE)


@dataclass(frozen=True)
class Objective:
    """`objective`: the metrics that runs are ranked by, each with its direction.

    A direction of null is the metric's own.
    """

    metric: str | list[str]
    direction: str | list[str | None] | None

    def __post_init__(self) -> None:
        metrics, directions = self.metrics, self.directions
        require(bool(metrics), "objective.metric=[]: at least one")
        counts = f"{len(metrics)} metrics and {len(directions)} directions"
        require(len(metrics) == len(directions), f"objective: {counts}; as many of each")
        twice = f"objective.metric={format_value(metrics)}: one is twice"
        require(len({*metrics}) == len(metrics), twice)
        for direction in directions:
            if direction is not None:
                require_known("objective.direction", direction, ["minimize", "maximize"])

    @property
    def metrics(self) -> list[str]:
        """The metrics, the first of which ranks the runs."""
        return [self.metric] if isinstance(self.metric, str) else [*self.metric]

    @property
    def directions(self) -> list[str | None]:
        """The direction of each metric; null alone stands for all of them."""
        if self.direction is None:
            return [None] * len(self.metrics)
        return [self.direction] if isinstance(self.direction, str) else [*self.direction]


@dataclass(frozen=True)
class Figures:
    """`figures`: the figures of a sweep and of its runs."""

    names: list[str] | None
    members: list[str]
    best: int = field(metadata=AT_LEAST_0)
    timeline: bool


@dataclass(frozen=True)
class Run:
    """`run`: how a run is watched while it trains."""

    timeout: float | None = field(metadata=POSITIVE)
    checkpoint_seconds: float | None = field(metadata=POSITIVE)


@dataclass(frozen=True)
class Tracking:
    """`tracking`: where runs are recorded, and how much of them."""

    uri: str | None
    experiment: str | None
    run_name: str | None
    tags: dict[str, Any]
    log_every: int | None = field(metadata=COUNT)
    metrics_every: int | None = field(metadata=COUNT)
    model: Literal["all", "best", "none"]
    required: bool


@dataclass(frozen=True)
class Settings:
    """All settings of a run that belong to no plugin."""

    seed: int = field(metadata=AT_LEAST_0)
    data_seed: int | None
    rng: Literal["split", "single"]
    epochs: int = field(metadata=AT_LEAST_1)
    batch_size: int | None = field(metadata=BATCH)
    dtype: Literal["float64", "float32"]
    validation: float = field(metadata=FRACTION)
    test: float = field(metadata=FRACTION)
    standardize: bool | None
    repeats: int = field(metadata=AT_LEAST_1)
    penalty: Penalty
    clip: Clip
    stopping: Stopping
    objective: Objective
    metrics: list[Any] | None
    figures: Figures
    run: Run
    tracking: Tracking

    def __post_init__(self) -> None:
        held_out, seed = self.validation + self.test, self.data_seed
        require(self.epochs <= EPOCHS, f"epochs={self.epochs}: at most {EPOCHS:,}")
        require(held_out < 1, f"validation + test = {held_out}: below 1, to leave a training part")
        if self.rng == "single":
            require(seed is None, "rng=single draws all from `seed`: data_seed=null goes with it")
        else:
            text = "at least 0 (null only with rng=single)"
            require(seed is not None and seed >= 0, f"data_seed={format_value(seed)}: {text}")

    @property
    def objectives(self) -> list[tuple[str, str | None]]:
        """(metric, direction as given) of each objective; runs are ranked by the first.

        Without a validation part a metric of it is read as that of the training part.
        """
        metrics = self.objective.metrics
        if not self.validation:
            metrics = [metric.replace("val/", "train/", 1) for metric in metrics]
        return [*zip(metrics, self.objective.directions, strict=True)]
