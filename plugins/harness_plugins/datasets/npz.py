"""Your own examples from an npz file, as NumPy writes it: an array x and an array y."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from harness.contracts import Array, Data, DataError
from harness_plugins.datasets.csv import LARGEST_LABEL

LARGEST = 2**31  # bytes that a small file may unpack to; a large one, to its own size


@dataclass(frozen=True)
class NPZ:
    """Examples that `np.savez(path, x=x, y=y)` wrote: x (N, …) numbers, y numbers or labels."""

    path: str
    task: Literal["regression", "classification"] | None = None  # None: floats are no labels

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise ValueError(f"path must name an npz file, not {self.path!r}")
        if self.task not in (None, "regression", "classification"):
            raise ValueError(f"task must be regression, classification or null, not {self.task!r}")

    def load(self, rng: np.random.Generator) -> Data:
        """Return x (N, features), an example a row, and y (N, targets) or codes (N,).

        DataError says the file and the array.
        """
        path = Path(self.path)
        arrays = read(path, ("x", "y"))
        x, y = arrays["x"], arrays["y"]
        if x.ndim == 0 or x.shape[:1] != y.shape[:1] or 0 in (x.size, y.size):
            message = f"x has the shape {x.shape} and y {y.shape}: N examples are expected of both"
            raise DataError(message, path)
        x = _numbers(x, "x", path)
        names = _numbered("x", x.shape[1])
        if self.task == "regression" or (self.task is None and y.dtype.kind == "f"):
            y = _numbers(y, "y", path)
            targets = _numbered("y", y.shape[1])
            return Data(x, y, "regression", names, targets, standardize=True)
        codes, classes = _codes(y, path)
        return Data(x, codes, "classification", names, ("y",), classes, standardize=True)


def _numbered(name: str, count: int) -> tuple[str, ...]:
    """Return the name for a single column, else the names x1, x2 and so on."""
    return tuple(f"{name}{i + 1}" for i in range(count)) if count > 1 else (name,)


def read(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """Return the arrays of an npz file, checksums verified; raise DataError if that fails."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = {part.filename.removesuffix(".npy"): part for part in archive.infolist()}
            for name in names:
                if name not in parts:
                    there = ", ".join(parts) or "none"
                    raise DataError(f"no array {name!r}; the arrays are {there}", path)
            size = sum(parts[name].file_size for name in names)
            if size > max(LARGEST, path.stat().st_size):
                raise DataError(f"it unpacks to {size:,} bytes, and {LARGEST:,} is the most", path)
            return {name: _array(archive.read(parts[name])) for name in names}
    except DataError:
        raise
    except OSError as error:
        raise DataError(error.strerror or str(error), path) from error
    except Exception as error:  # zipfile and numpy raise a dozen kinds
        raise DataError(f"not a readable npz file: {error}", path) from error


def _array(content: bytes) -> Array:
    """Return an array from its npy file; no object is unpickled, as that could run code."""
    file = io.BytesIO(content)
    values = np.lib.format.read_array(file, allow_pickle=False)
    if file.read(1):
        raise ValueError("there is more in it than its header says")
    return np.asarray(values)


def _numbers(values: Array, name: str, path: Path) -> Array:
    """Return (N, columns) finite floats."""
    if values.dtype.kind not in "fiub":
        raise DataError(f"{name} is {values.dtype}, and numbers are expected", path)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        place = ", ".join(map(str, bad[0]))
        raise DataError(f"{name}[{place}] is {values[tuple(bad[0])]}, which is not finite", path)
    return values.reshape(len(values), -1).astype(np.float64)


def _codes(labels: Array, path: Path) -> tuple[Array, tuple[str, ...]]:
    """Return (N,) places of the labels in their sorted order, and the labels."""
    if labels.shape == (len(labels), 1):
        labels = labels[:, 0]
    if labels.dtype.kind == "f" and (np.abs(labels) <= LARGEST_LABEL).all():
        whole = labels.astype(np.int64)
        labels = whole if np.array_equal(whole, labels) else labels
    if labels.ndim != 1 or labels.dtype.kind not in "iubU":
        found = f"{labels.dtype} {labels.shape}"
        raise DataError(f"y is {found}, and integers or texts (N,) are expected of classes", path)
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"{classes[0]!s} is the only label", path)
    return codes.astype(np.int64), tuple(map(str, classes))
