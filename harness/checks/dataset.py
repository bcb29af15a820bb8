"""Checks of datasets: their examples are finite, and have names and a row each."""

from typing import Any, cast

import numpy as np

from harness.checks.kit import Call, Case, Kind, expect, invoke
from harness.contracts import Array, Data

HEADING = "Datasets"


def load(dataset: Any, case: Case = Case(), call: Call = invoke) -> Data:  # noqa: B008
    """Load it; Failure unless that gives Data of two arrays."""
    data = call(dataset.load, case.rng("data"))
    good = isinstance(data, Data) and all(isinstance(a, np.ndarray) for a in (data.x, data.y))
    actual = f"{type(data).__name__} {data!r:.60}"
    expect(good, "load returns Data(x, y, task, …), x and y arrays", actual, HEADING)
    return cast(Data, data)


def use(dataset: Any, case: Case, call: Call) -> dict[str, Array]:
    """Return x and y of the data."""
    data = load(dataset, case, call)
    return {"x": data.x, "y": data.y}


KIND = Kind("dataset", use, HEADING)


def check_dataset_has_a_row_for_each_example(dataset: Any) -> None:
    data = load(dataset)
    actual = f"x {data.x.dtype} {data.x.shape}, y {data.y.dtype} {data.y.shape}"
    good = data.x.ndim == 2 and 0 not in data.x.shape and data.x.dtype.kind == "f"
    expect(good, "x is floats (N, features)", actual, HEADING)
    expect(len(data.x) == len(data.y), "as many rows in y as in x", actual, HEADING)


def check_dataset_says_its_task(dataset: Any) -> None:
    data = load(dataset)
    known = ("regression", "classification")
    expect(data.task in known, f"task is one of {known}", repr(data.task), HEADING)
    actual = f"{data.task}, y {data.y.dtype} {data.y.shape}"
    if data.task == "regression":
        expect(
            data.y.ndim == 2 and data.y.dtype.kind == "f", "floats (N, targets)", actual, HEADING
        )
    else:
        good = data.y.ndim == 1 and data.y.dtype.kind in "iu"
        expect(good, "y is integer codes (N,)", actual, HEADING)


def check_dataset_is_finite(dataset: Any) -> None:
    data = load(dataset)
    for what, values in (("x", data.x), ("y", data.y)):
        bad = np.argwhere(~np.isfinite(values))
        actual = f"{len(bad)} that are not, the first at {bad[:1].tolist()}"
        expect(not len(bad), f"finite numbers in {what}", actual, HEADING)


def check_dataset_names_its_columns(dataset: Any) -> None:
    data = load(dataset)
    targets = data.y.shape[1] if data.y.ndim == 2 else 1
    due = ((data.feature_names, data.x.shape[1]), (data.target_names, targets))
    for what, (names, count) in zip(("feature", "target"), due, strict=True):
        good = len(set(names)) == len(names) == count and all(type(n) is str for n in names)
        expect(good, f"{count} different {what} names", f"{names!r:.200}", HEADING)


def check_dataset_codes_its_classes(dataset: Any) -> None:
    data = load(dataset)
    if data.task == "regression":
        names = data.class_names
        expect(names == (), "no class names for a regression", names, HEADING)
        return
    low, high, count = data.y.min(), data.y.max(), len(set(data.class_names))
    good = low >= 0 and high < count == len(data.class_names)
    actual = f"codes {low} to {high} for {data.class_names!r:.200}"
    expect(good, "codes from 0 up, with a different class name for each", actual, HEADING)


def check_dataset_marks_codes_as_categorical(dataset: Any) -> None:
    data = load(dataset)
    for column in data.categorical:
        inside = 0 <= column < data.x.shape[1]
        expect(inside, f"categorical columns below {data.x.shape[1]}", column, HEADING)
        values = np.unique(data.x[:, column])
        good = set(values.tolist()) <= {0.0, 1.0}
        expect(good, f"only 0 and 1 in categorical column {column}", values[:5], HEADING)
