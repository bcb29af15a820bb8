"""The result of a run as one file: its curves, numbers, weights and outcome."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.contracts import Array, Arrays
from harness.store import npz
from harness.store.files import write_atomically


class Curve(NamedTuple):
    """One metric over a run; points keep their time, so that publishing can be repeated."""

    steps: Array  # (points,) epochs
    values: Array  # (points,) finite
    times: Array  # (points,) milliseconds since 1970


@dataclass(frozen=True)
class Result:
    """The result of one run: enough to publish it and to predict with it."""

    fingerprint: str
    outcome: str  # "running" in a snapshot, else "ok", "diverged", "failed", "stopped", "pruned"
    started: int  # milliseconds since 1970
    ended: int
    curves: dict[str, Curve] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)  # finals, one number each
    weights: Arrays = field(default_factory=list)
    trail: dict[str, Array] = field(default_factory=dict)  # see harness.training.trace
    best_epoch: int = 0
    last_epoch: int = 0
    reason: str = ""  # one line: why the outcome is not "ok"
    traceback: str = ""
    drift: dict[str, Any] = field(default_factory=dict)  # if not trained with what was planned
    checkpoint: bytes = b""  # of a snapshot, now and then; see harness.training.checkpoints


def result_path(directory: Path, fingerprint: str) -> Path:
    """Return the path of a run's result in its sweep's folder."""
    return directory / "results" / f"{fingerprint}.npz"


def write_result(directory: Path, result: Result) -> None:
    """Write a result to its sweep's folder; this comes before it is published."""
    write_atomically(result_path(directory, result.fingerprint), pack_result(result))


def read_result(directory: Path, fingerprint: str) -> Result | None:
    """Return a run's result; None if it is missing or damaged (the run is then trained again)."""
    path = result_path(directory, fingerprint)
    try:
        result = unpack_result(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return result if result.fingerprint == fingerprint else None


def pack_result(result: Result) -> bytes:
    """Return a result as the bytes of an npz: plain arrays, and one JSON text for the rest."""
    apart = ("curves", "weights", "trail", "checkpoint")
    plain = {name: value for name, value in vars(result).items() if name not in apart}
    arrays = {f"layer{i}": array for i, array in enumerate(result.weights)}
    arrays |= {f"trail_{name}": array for name, array in result.trail.items()}
    for i, curve in enumerate(result.curves.values()):
        arrays |= {f"curve{i}_{part}": array for part, array in curve._asdict().items()}
    text = json.dumps(plain | {"curves": [*result.curves]})
    return npz.pack({**arrays, "about": np.frombuffer(text.encode(), np.uint8)})


def unpack_result(content: bytes) -> Result:
    """Return the packed result; raise ValueError, KeyError or TypeError for other bytes."""
    arrays = npz.unpack(content)
    about = json.loads(arrays["about"].tobytes())
    curves = {
        key: Curve(*(arrays[f"curve{i}_{part}"] for part in Curve._fields))
        for i, key in enumerate(about.pop("curves"))
    }
    trail = {k.removeprefix("trail_"): v for k, v in arrays.items() if k.startswith("trail_")}
    return Result(**about, curves=curves, weights=npz.layers(arrays), trail=trail)
