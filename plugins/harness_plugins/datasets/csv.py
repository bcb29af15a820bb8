"""Your own examples from a CSV or Parquet file: numbers as they are, texts as 0/1 columns."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from harness.contracts import Array, Data, DataError

# What float() takes, without its underscores, its "nan" and "inf" and other scripts' digits.
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
LARGEST_LABEL = 2**53  # beyond it, floats skip integers and labels would merge
NAMES_SHOWN, LETTERS_SHOWN = 12, 40  # in messages


class Table(NamedTuple):
    """The cells of a file as text, and the line of each row."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]  # of each row in the file; the header is line 1

    def error(self, message: str, column: str, row: int) -> DataError:
        return DataError(message, self.path, self.lines[row], column)


@dataclass(frozen=True)
class CSV:
    """Rows of a UTF-8 CSV file with a header, or of a Parquet file (.parquet, .pq).

    A column none of whose cells is a number is categorical: a 0/1 column for each of its values.
    """

    path: str
    target: str | tuple[str, ...]  # a column's name, or several
    task: Literal["regression", "classification"] | None = None  # None: text is classified

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise ValueError(f"path must name a CSV or Parquet file, not {self.path!r}")
        if self.task not in (None, "regression", "classification"):
            raise ValueError(f"task must be regression, classification or null, not {self.task!r}")
        if isinstance(self.target, Sequence) and not isinstance(self.target, str):
            object.__setattr__(self, "target", tuple(self.target))
        names = _names(self.target)
        if not names or len(set(names)) < len(names) or "" in names:
            wanted = "a column name or a list of different ones"
            raise ValueError(f"target must be {wanted}, not {self.target!r}")
        if self.task == "classification" and len(names) > 1:
            raise ValueError(f"target must be one column for classification, not {self.target!r}")

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (N, features) and y (N, targets), or codes (N,) of the labels in their order.

        DataError says the file, the line (the header is line 1) and the column.
        """
        table = read(Path(self.path))
        targets = _names(self.target)
        for name in targets:
            _find(table, name)
        y, class_names = _target(table, targets, self.task)
        x, names, categorical = _features(table, [c for c in table.columns if c not in targets])
        task = "classification" if class_names else "regression"
        return Data(x, y, task, names, targets, class_names, categorical, standardize=True)

    def locate(self, example: int) -> int:
        """Return the line of an example."""
        return read(Path(self.path)).lines[example]


def _names(target: Any) -> tuple[str, ...]:
    """Column names as the header has them (one may be 2024, a number); () if they are no names."""
    names = target if isinstance(target, tuple) else (target,)
    if any(isinstance(name, bool) or not isinstance(name, str | int) for name in names):
        return ()
    return tuple(str(name) for name in names)


def read(path: Path) -> Table:
    """Return all cells as text; raise DataError if the file is missing, malformed or empty."""
    rows = _parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _csv(path)
    if not rows:
        raise DataError("the file is empty", path)
    (first, header), *rows = rows
    if "" in header:
        raise DataError(f"column {header.index('') + 1} has no name", path, first)
    if repeated := _repeated(header):
        raise DataError("two columns have this name", path, first, repeated)
    if not rows:
        raise DataError("a header and no rows", path, first)
    for line, cells in rows:
        if len(cells) != len(header):
            message = f"the header has {len(header)} cells, this row {len(cells)}"
            raise DataError(message, path, line)
    columns = [list(column) for column in zip(*(cells for _, cells in rows), strict=True)]
    return Table(path, dict(zip(header, columns, strict=True)), [line for line, _ in rows])


def _csv(path: Path) -> list[tuple[int, list[str]]]:
    """Yield each row that is not blank with the line it begins on; a cell may span lines."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True, skipinitialspace=True)
    rows, line = [], 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if stripped not in ([], [""]):
                rows.append((line, stripped))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"not well-formed CSV: {error}", path, line) from error
    return rows


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(error.strerror or str(error), path) from error


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before, byte = error.object[: error.start], error.object[error.start]
        line = len(re.findall(rb"\r\n|\r|\n", before)) + 1
        raise DataError(f"byte 0x{byte:02x} is not UTF-8 text", path, line) from error


def _parquet(path: Path) -> list[tuple[int, list[str]]]:
    """Yield each row as the text that a CSV file would have, with its line there."""
    import pandas as pd
    from pyarrow import ArrowException  # type: ignore[import-untyped]

    content = io.BytesIO(_bytes(path))
    try:
        frame = pd.read_parquet(content)
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(f"not a readable Parquet file: {error}", path) from error
    columns = []
    for position in range(frame.shape[1]):
        series = frame.iloc[:, position]
        cells = zip(series.tolist(), series.isna(), strict=True)
        columns.append(["" if missing else str(cell).strip() for cell, missing in cells])
    rows = [[str(name).strip() for name in frame.columns]]
    rows += [list(cells) for cells in zip(*columns, strict=True)]
    return list(enumerate(rows, start=1))


def _find(table: Table, name: str) -> None:
    """Raise DataError if the file has no such column."""
    if name in table.columns:
        return
    close = get_close_matches(name, names := list(table.columns), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    shown = ", ".join(names[:NAMES_SHOWN]) + ", ..." * (len(names) > NAMES_SHOWN)
    raise DataError(f"no such column; {hint}the columns are {shown}", table.path, 1, name)


def _numbers(table: Table, column: str) -> Array | None:
    """Return (N,) floats; None if no cell is a number; raise DataError if only some are."""
    cells = table.columns[column]
    numbers = [float(cell) if NUMBER.fullmatch(cell) else None for cell in cells]
    categorical = all(number is None for number in numbers)
    for row, (cell, number) in enumerate(zip(cells, numbers, strict=True)):
        if not cell:
            raise table.error("the cell is empty", column, row)
        if not categorical and (number is None or not isfinite(number)):
            raise table.error(
                f"{_shown(cell)} is not a finite number, and other cells here are", column, row
            )
    return None if categorical else np.array(numbers, np.float64)


def _features(table: Table, columns: list[str]) -> tuple[Array, tuple[str, ...], tuple[int, ...]]:
    """Return x, its names, and which of its columns are 0/1 codes."""
    if not columns:
        raise DataError("no column is left to predict from", table.path, 1)
    names: list[str] = []
    blocks: list[Array] = []
    categorical: list[int] = []
    for column in columns:
        numbers = _numbers(table, column)
        if numbers is not None:
            names.append(column)
            blocks.append(numbers)
            continue
        codes, values = _coded(table.columns[column])
        categorical += range(len(names), len(names) + len(values))
        names += [f"{column}={value}" for value in values]
        blocks.append((codes[:, None] == np.arange(len(values))).astype(np.float64))
    if repeated := _repeated(names):
        raise DataError(f"two features would be called {_shown(repeated)}", table.path, 1)
    return np.column_stack(blocks), tuple(names), tuple(categorical)


def _coded(values: Sequence[Any]) -> tuple[Array, list[Any]]:
    """Return (N,) places of the values among the sorted distinct values, and the latter."""
    different = sorted(set(values))
    places = {value: place for place, value in enumerate(different)}
    return np.array([places[value] for value in values], np.int64), different


def _target(
    table: Table, targets: tuple[str, ...], task: str | None
) -> tuple[Array, tuple[str, ...]]:
    """Return y (N, targets) and (), or codes (N,) and the class names."""
    columns = [_numbers(table, target) for target in targets]
    if task is None and len(targets) == 1 and columns[0] is None:
        task = "classification"
    if task == "classification":
        return _codes(table, targets[0], columns[0])
    for target, numbers in zip(targets, columns, strict=True):
        if numbers is None:
            cell = _shown(table.columns[target][0])
            raise table.error(f"{cell} is not a number, as a regression's target is", target, 0)
    return np.column_stack([c for c in columns if c is not None]), ()


def _codes(table: Table, target: str, numbers: Array | None) -> tuple[Array, tuple[str, ...]]:
    """Return (N,) places of the labels in their sorted order, and the labels."""
    labels: Sequence[Any] = table.columns[target]
    if numbers is not None:
        for row, number in enumerate(numbers):
            if not number.is_integer() or abs(number) > LARGEST_LABEL:
                cell = _shown(table.columns[target][row])
                raise table.error(f"{cell} is not an integer, as a class label is", target, row)
        labels = [int(number) for number in numbers]
    codes, classes = _coded(labels)
    if len(classes) < 2:
        raise DataError(f"{_shown(str(labels[0]))} is the only label", table.path, None, target)
    return codes, tuple(str(label) for label in classes)


def _repeated(names: list[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= LETTERS_SHOWN else cell[:LETTERS_SHOWN] + "...")
