"""Types that plugins exchange: arrays, whose axis 0 is the runs axis, and loaded data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


Arrays: TypeAlias = list[Array]  # one per layer, each (R, ...)


Uniform: TypeAlias = Callable[..., Array]  # uniform(*shape) -> (R, *shape) in [0, 1)


class DataError(Exception):
    """Data that cannot be used; the command exits with 65.

    Args:
        message: What is wrong, and what is allowed.
        path: The file.
        line: Line in the file; the header is line 1.
        column: Name of the column.

    Example:
        >>> print(DataError("not a number: 'n/a'", "houses.csv", line=3, column="price"))
        houses.csv, line 3, column 'price': not a number: 'n/a'
    """

    def __init__(
        self,
        message: str,
        path: str | Path,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(message, path, line, column)
        self.message, self.path, self.line, self.column = message, str(path), line, column

    def __str__(self) -> str:
        place = self.path
        if self.line is not None:
            place += f", line {self.line}"
        if self.column is not None:
            place += f", column {self.column!r}"
        return f"{place}: {self.message}"


class Data(NamedTuple):
    """A dataset as loaded: neither split nor scaled.

    Example:
        >>> import numpy as np
        >>> x, y = np.ones((20, 2)), np.zeros((20, 1))
        >>> Data(x, y, "regression", ("width", "height"), ("area",)).task
        'regression'
    """

    x: Array  # (N, features)
    y: Array  # (N, targets) floats, or (N,) integer class codes
    task: str  # "regression" or "classification"
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    class_names: tuple[str, ...] = ()
    categorical: tuple[int, ...] = ()  # columns of x that are 0/1 codes, never standardised
    standardize: bool = False  # what `standardize: null` means for this data
