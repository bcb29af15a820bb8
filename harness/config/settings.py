"""Every setting that is no plugin's, with its range; conf/config.yaml holds the defaults."""

from dataclasses import dataclass
from math import inf
from typing import Any, Literal

from harness.errors import require, require_known
from harness.store.params import format_value

EPOCHS = 10**15  # a step is a whole number, recorded and counted in float64


@dataclass(frozen=True)
class Penalty:
    l1: float
    l2: float

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            require(0 <= value < inf, f"penalty.{key}={value}: finite, at least 0")


@dataclass(frozen=True)
class Clip:
    value: float | None
    norm: float | None

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            require(_positive(value), f"clip.{key}={value}: finite, above 0, or null")


@dataclass(frozen=True)
class Stopping:
    patience: int | None
    min_delta: float
    max_seconds: float | None

    def __post_init__(self) -> None:
        patience, delta, seconds = vars(self).values()
        require(_positive(patience), f"stopping.patience={patience}: above 0, or null")
        require(0 <= delta < inf, f"stopping.min_delta={delta}: finite, at least 0")
        require(_positive(seconds), f"stopping.max_seconds={seconds}: finite, above 0, or null")


@dataclass(frozen=True)
class Objective:
    metric: str | list[str]
    direction: str | list[str]

    def __post_init__(self) -> None:
        metrics, directions = _listed(self.metric), _listed(self.direction)
        require(bool(metrics), "objective.metric=[]: at least one")
        text = (
            f"objective: {len(metrics)} metrics and {len(directions)} directions; as many of each"
        )
        require(len(metrics) == len(directions), text)
        require(
            len({*metrics}) == len(metrics),
            f"objective.metric={format_value(metrics)}: one is twice",
        )
        for direction in directions:
            require_known("objective.direction", direction, ["minimize", "maximize"])


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else [*value]


@dataclass(frozen=True)
class Figures:
    names: list[str] | None
    members: list[str]
    best: int
    timeline: bool

    def __post_init__(self) -> None:
        require(self.best >= 0, f"figures.best={self.best}: at least 0")


@dataclass(frozen=True)
class Run:
    timeout: float | None
    checkpoint_seconds: float | None

    def __post_init__(self) -> None:
        for key, value in vars(self).items():
            require(_positive(value), f"run.{key}={value}: finite, above 0, or null")


@dataclass(frozen=True)
class Tracking:
    uri: str | None
    experiment: str | None
    run_name: str | None
    tags: dict[str, Any]
    log_every: int | None
    metrics_every: int | None
    model: Literal["all", "best", "none"]
    required: bool

    def __post_init__(self) -> None:
        for key in ("log_every", "metrics_every"):
            every = getattr(self, key)
            require(_positive(every), f"tracking.{key}={every}: above 0, or null")


@dataclass(frozen=True)
class Settings:
    seed: int
    data_seed: int | None
    rng: Literal["split", "single"]
    epochs: int
    batch_size: int | None
    dtype: Literal["float64", "float32"]
    validation: float
    test: float
    standardize: bool | None
    repeats: int
    penalty: Penalty
    clip: Clip
    stopping: Stopping
    objective: Objective
    metrics: list[Any] | None
    figures: Figures
    run: Run
    tracking: Tracking

    def __post_init__(self) -> None:
        size, held_out = self.batch_size, self.validation + self.test
        require(self.seed >= 0, f"seed={self.seed}: at least 0")
        require(self.epochs >= 1, f"epochs={self.epochs}: at least 1")
        require(self.epochs <= EPOCHS, f"epochs={self.epochs}: at most {EPOCHS:,}")
        require(_positive(size), f"batch_size={size}: at least 1, or null for full batch")
        for part in ("validation", "test"):
            fraction = getattr(self, part)
            require(0 <= fraction < 1, f"{part}={fraction}: from 0 to below 1")
        require(held_out < 1, f"validation + test = {held_out}: below 1, to leave a training part")
        require(self.repeats >= 1, f"repeats={self.repeats}: at least 1")
        seed, single = self.data_seed, self.rng == "single"
        if single:
            require(seed is None, "rng=single draws all from `seed`: data_seed=null goes with it")
        else:
            text = "at least 0 (null only with rng=single)"
            require(seed is not None and seed >= 0, f"data_seed={format_value(seed)}: {text}")

    @property
    def objectives(self) -> list[tuple[str, str]]:
        """(metric, direction) of each objective; runs are ranked by the first.

        Without a validation part a metric of it is read as that of the training part.
        """
        metrics, directions = _listed(self.objective.metric), _listed(self.objective.direction)
        if not self.validation:
            metrics = [metric.replace("val/", "train/", 1) for metric in metrics]
        return [*zip(metrics, directions, strict=True)]


def _positive(value: float | None) -> bool:
    return value is None or 0 < value < inf
