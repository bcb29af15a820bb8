"""Prepare data: split it into parts, scale it by training statistics, encode it for the loss."""

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np

from harness.contracts import Array, Data, DataError
from harness.errors import UsageError
from harness.training.runtime import watch_global_rng
from harness.training.stack import Member, data_settings

PARTS = ("train", "validation", "test")
# The largest numbers of x and y: their squares, summed over the examples, are finite.
LARGEST = {"float64": 1e150, "float32": 1e18}
STREAMS = {"data": 0, "split": 1, "weights": 2, "batches": 3, "dropout": 4}


class Scaling(NamedTuple):
    """Conversion between the net's numbers and the dataset's units: u = mean + scale · number."""

    x_mean: Array  # (features,)
    x_scale: Array
    y_mean: Array  # (targets,); zero and one unless a regression is standardised
    y_scale: Array


@dataclass(frozen=True, eq=False)
class Prepared:
    """One dataset as the runs of a signature see it; `rows` has the examples of each part."""

    data: Data
    rows: dict[str, Array]
    scaling: Scaling
    rng: np.random.Generator | None  # under `rng: single`, continued by the weights; else None
    drew: bool = False  # whether loading it drew from np.random itself
    _ready: dict[Any, tuple[Array, Array]] = field(default_factory=dict, repr=False)

    def raw(self, part: str) -> tuple[Array, Array]:
        """Return x (N, features) and y of a part, in the dataset's units."""
        return self.data.x[self.rows[part]], self.data.y[self.rows[part]]

    def ready(self, part: str, task: str, dtype: str) -> tuple[Array, Array]:
        """Return x (N, features), scaled, and y (N, outputs), encoded for a loss of this task."""
        key = (part, task, dtype)
        if key not in self._ready:
            x, y = self.raw(part)
            scaled = scale(x, self.scaling).astype(dtype)
            encoded = encode(y, task, self.data, self.scaling).astype(dtype)
            self._ready[key] = scaled, encoded
        return self._ready[key]

    def digest(self, part: str) -> str:
        """Return 16 hexadecimal digits that identify the numbers of a part."""
        x, y = self.raw(part)
        text = repr((x.shape, y.shape, str(x.dtype), str(y.dtype), self.data.feature_names))
        content = np.ascontiguousarray(x).tobytes() + np.ascontiguousarray(y).tobytes()
        return hashlib.sha256(text.encode() + content).hexdigest()[:16]


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Return the generator of one seed for one purpose; it does not depend on other runs."""
    return np.random.default_rng([STREAMS[name], seed])


@lru_cache(maxsize=8)
def prepare(
    dataset: Any,
    data_seed: int | None,
    rng: str,
    seed: int | None,
    validation: float,
    test: float,
    standardize: bool | None,
) -> Prepared:
    """Load, check and split a dataset; raise DataError or UsageError if it cannot be used."""
    if rng == "single":
        loading = splitting = np.random.default_rng(seed)
    else:
        assert data_seed is not None
        loading, splitting = random_stream(data_seed, "data"), random_stream(data_seed, "split")
    with watch_global_rng() as drew:
        data = check_data(dataset.load(loading), type(dataset).__name__)
        drawn = drew()
    rows = split_rows(data, validation, test, splitting)
    asked = data.standardize if standardize is None else standardize
    scaling = fit_scaling(data, rows["train"], asked)
    return Prepared(data, rows, scaling, loading if rng == "single" else None, drawn)


def prepare_for(member: Member) -> Prepared:
    """Return the prepared data of a run; under `rng: split` runs of other seeds share it."""
    prepared = prepare(cast(Hashable, member.dataset), *data_settings(member))
    check_magnitude(prepared, cast(Hashable, member.dataset), member.dtype)
    return prepared


@lru_cache(maxsize=16)  # a sweep asks for each of its runs
def check_magnitude(prepared: Prepared, dataset: Any, dtype: str) -> None:
    """Raise DataError for a number whose square may overflow, with its column and line."""
    data, largest = prepared.data, LARGEST[dtype]
    for values, names in ((data.x, data.feature_names), (data.y, data.target_names)):
        # Without this check the spread of the column is infinite: every scaled number is 0, and
        # a loss of 1e-5 looks as if the net had learned.
        beyond = np.argwhere(np.abs(values) > largest)
        if not len(beyond):
            continue
        example, column = int(beyond[0, 0]), names[int(beyond[0, -1]) if values.ndim > 1 else 0]
        line = dataset.locate(example) if hasattr(dataset, "locate") else None
        place = f"example {example}: " if line is None else ""
        message = f"{place}{values[tuple(beyond[0])]:g} is beyond ±{largest:g}, where sums of"
        message += f" squares overflow with dtype={dtype}"
        name = f"dataset {type(dataset).__name__}"
        raise DataError(message, getattr(dataset, "path", name), line, column)


def check_data(data: Data, name: str) -> Data:
    """Return the data if it keeps the contract; raise UsageError that says what is wrong."""
    x, y = np.asarray(data.x), np.asarray(data.y)
    problem = None
    if x.ndim != 2 or 0 in x.shape:
        problem = f"x has shape {x.shape}, and (N, features) is expected"
    elif len(x) != len(y):
        problem = f"x has {len(x)} rows and y has {len(y)}"
    elif data.task not in ("regression", "classification"):
        problem = f"task is {data.task!r}, and regression or classification is expected"
    elif data.task == "regression" and (y.ndim != 2 or y.dtype.kind != "f"):
        problem = f"y is {y.dtype} {y.shape}, and a regression's is floats (N, targets)"
    elif data.task == "classification" and (y.ndim != 1 or y.dtype.kind not in "iu"):
        problem = f"y is {y.dtype} {y.shape}, and a classification's is integer codes (N,)"
    elif not (np.isfinite(x).all() and np.isfinite(y).all()):
        problem = "some numbers are not finite"
    elif len(data.feature_names) != x.shape[1]:
        problem = f"{len(data.feature_names)} feature names for {x.shape[1]} features"
    elif data.task == "classification" and (y.min() < 0 or y.max() >= len(data.class_names)):
        problem = f"class codes {y.min()} to {y.max()} for {len(data.class_names)} class names"
    if problem:
        raise UsageError(f"dataset {name}: {problem}")
    return data


def split_rows(
    data: Data, validation: float, test: float, rng: np.random.Generator
) -> dict[str, Array]:
    """Return the rows of each part that is not empty; classes keep their shares."""
    n = len(data.x)
    held_out = {"test": round(n * test), "validation": round(n * validation)}
    for part, fraction in (("validation", validation), ("test", test)):
        if fraction > 0 and held_out[part] == 0:
            raise UsageError(f"{part}={fraction} of {n} examples leaves none in that part")
    if sum(held_out.values()) >= n:
        raise UsageError(f"validation={validation} and test={test} leave no example to train on")
    if not any(held_out.values()):
        return {"train": np.arange(n)}
    order = rng.permutation(n)
    if data.task == "classification":
        order = order[np.argsort(data.y[order], kind="stable")]
    rows = {}
    for part, count in held_out.items():
        if count:
            # The order is by class: evenly spaced places give each class its share.
            at = ((np.arange(count) + 0.5) * len(order) / count).astype(int)
            rows[part] = np.sort(order[at])
            order = np.delete(order, at)
    rows["train"] = np.sort(order)
    return {part: rows[part] for part in PARTS if part in rows}


def fit_scaling(data: Data, train: Array, standardize: bool) -> Scaling:
    """Return training means and standard deviations; constants and 0/1 codes are not scaled."""
    x = data.x[train]
    x_mean, x_scale = _moments(x) if standardize else _identity(x.shape[1])
    fixed = list(data.categorical)
    x_mean[fixed], x_scale[fixed] = 0.0, 1.0
    targets = data.y.shape[1] if data.task == "regression" else 0
    scaled_y = standardize and data.task == "regression"
    y_mean, y_scale = _moments(data.y[train]) if scaled_y else _identity(targets)
    return Scaling(x_mean, x_scale, y_mean, y_scale)


def _moments(values: Array) -> tuple[Array, Array]:
    deviation = values.std(axis=0)
    return values.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def _identity(columns: int) -> tuple[Array, Array]:
    return np.zeros(columns), np.ones(columns)


def scale(x: Array, scaling: Scaling) -> Array:
    """Return x (N, features) as the net sees it."""
    return np.asarray((x - scaling.x_mean) / scaling.x_scale)


def encode(y: Array, task: str, data: Data, scaling: Scaling) -> Array:
    """Return y as the loss sees it: scaled targets, one 0/1 column, or one column a class."""
    if task == "regression":
        return np.asarray((y - scaling.y_mean) / scaling.y_scale)
    if task == "binary":
        return np.asarray(y[:, None], float)
    return np.asarray(y[:, None] == np.arange(len(data.class_names)), float)


def decode(prediction: Array, loss: Any, scaling: Scaling) -> Array:
    """Return (R, N, outputs) in the dataset's units: targets, or probabilities per class."""
    if loss.task == "regression":
        return np.asarray(prediction * scaling.y_scale + scaling.y_mean)
    return np.asarray(loss.probabilities(prediction))


def derived_seed(seed: int, number: int) -> int:
    """Return seed number `number` of the series that one seed begins; number 0 is the seed."""
    if number == 0:
        return seed
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
