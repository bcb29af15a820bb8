"""Where two runs differ, or a record and now: what their numbers depend on, and the numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from harness.config.registry import DISTRIBUTION, FORMER_DISTRIBUTION
from harness.contracts import Array, Arrays

NEARLY = 1e-12  # relative: what another machine may make of the same run
APART = ("train/seconds",)  # a number of a run that is never the same twice
FINALS = ("train/", "val/", "test/")

Curves = Mapping[str, tuple[Array, Array]]


class RunOutcome(NamedTuple):
    """What a run left."""

    end: str  # its outcome, and why
    curves: Curves
    finals: Mapping[str, float]
    weights: Arrays


@dataclass(frozen=True)
class Agreement:
    """How far two runs agree in one thing."""

    what: str
    count: str  # how much of it is compared
    largest: float  # relative difference; infinite where something is missing or of other shape
    first: int | None = None  # the first epoch with another number
    clearly: int | None = None  # and the first where it is more than `NEARLY`
    together: bool = False  # whether it is a curve with points in both

    @property
    def told(self) -> str:
        """How far, in words."""
        if self.largest == 0 or (self.together and self.first is None):
            return f"{self.count}, the same bits"
        parts = [self.count]
        if self.first is not None:
            parts.append(f"other bits from epoch {self.first}")
        if self.clearly not in (None, self.first):
            parts.append(f"by more than {NEARLY:g} from epoch {self.clearly}")
        if np.isfinite(self.largest):
            parts.append(f"relative difference up to {self.largest:.1e}")
        return ", ".join(parts)


def run_environment(
    plugins: Iterable[Mapping[str, Any]],
    inputs: Iterable[Mapping[str, Any]],
    numerics: Mapping[str, Any],
) -> dict[str, str]:
    """What a run's numbers depend on besides its config: the code, the data, the machine."""
    found = {
        f"{p['kind']}={p['name']}": f"{p['distribution']} {p['version']} ({p['source']})"
        for p in plugins
    }
    for part in inputs:
        found[f"{part['source']}, {part['context']}"] = f"{part['digest']} ({part['rows']} rows)"
    return found | {key: str(value) for key, value in numerics.items()}


def differing_items(
    was: Mapping[str, str], now: Mapping[str, str], *, everything: bool = False
) -> dict[str, tuple[str, str]]:
    """What both know and say otherwise; with `everything` also what only one knows."""
    keys = [*was, *(key for key in now if key not in was)]
    known = [key for key in keys if everything or (key in was and key in now)]
    pairs = {key: (was.get(key, "-"), now.get(key, "-")) for key in known}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def differing_environment(
    was: Mapping[str, str], now: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return what both know and say otherwise, of two results of `run_environment`.

    Where the harness has another version, that comes first and stands for its own plugins.
    """
    found = differing_items(was, now)
    if "harness" not in found:
        return found
    versions = found["harness"]
    others = {k: pair for k, pair in found.items() if not all(map(_is_built_in, pair, versions))}
    return {"harness": versions} | others


def _is_built_in(text: str, version: str) -> bool:
    """Return True if a plugin's text in `run_environment` is of that version of the harness."""
    return text.startswith((f"{DISTRIBUTION} {version} (", f"{FORMER_DISTRIBUTION} {version} ("))


def compare_outcomes(a: RunOutcome, b: RunOutcome) -> list[Agreement]:
    """How far two runs agree: each curve, what is recorded once, the weights."""
    keys = [*a.curves, *(key for key in b.curves if key not in a.curves)]
    found = [_of_curves(key, a.curves.get(key), b.curves.get(key)) for key in keys]
    ours, theirs = (
        {k: v for k, v in x.finals.items() if k.startswith(FINALS) and k not in (*APART, *keys)}
        for x in (a, b)
    )
    return [*found, _of_finals(ours, theirs), _of_weights(a.weights, b.weights)]


def verdict(found: Sequence[Agreement]) -> str:
    """`same (bits)`, `same (1e-12)`, or `different: ` and where first."""
    if all(each.largest == 0 for each in found):
        return "same (bits)"
    clearly = [each for each in found if each.largest > NEARLY]
    if not clearly:
        return f"same ({NEARLY:g})"
    epochs = [each for each in clearly if each.clearly is not None]
    if not epochs:
        return f"different: {clearly[0].what}"
    first = min(epochs, key=lambda each: each.clearly or 0)
    return f"different: {first.what} from epoch {first.clearly}"


def relative_difference(a: Array, b: Array) -> Array:
    """|a - b| over the larger of both, number by number; 0 where they are equal."""
    size = np.maximum(np.abs(a), np.abs(b))
    apart: Array = np.divide(np.abs(a - b), size, out=np.zeros(size.shape), where=a != b)
    return apart


def _of_curves(
    key: str, a: tuple[Array, Array] | None, b: tuple[Array, Array] | None
) -> Agreement:
    if a is None or b is None:
        return Agreement(key, "a curve in one of them only", np.inf)
    steps, mine, theirs = np.intersect1d(a[0], b[0], return_indices=True)
    apart = relative_difference(a[1][mine], b[1][theirs])
    first, clearly = (
        int(steps[at[0]]) if len(at := np.flatnonzero(apart > bound)) else None
        for bound in (0, NEARLY)
    )
    count = f"{len(steps)} points"
    if missing := len({*a[0].tolist(), *b[0].tolist()}) - len(steps):
        count = f"{count} in both ({missing} in one of them only)"
    alike = [*a[0][[0, -1]]] == [*b[0][[0, -1]]]  # who is looked at on the way has more points
    largest = float(apart.max(initial=0)) if alike else np.inf
    return Agreement(key, count, largest, first, clearly, len(steps) > 0)


def _of_finals(a: Mapping[str, float], b: Mapping[str, float]) -> Agreement:
    """Numbers that are recorded once."""
    if missing := sorted({*a} ^ {*b}):
        return Agreement("finals", f"{', '.join(missing)} in one of them only", np.inf)
    values = np.array([[a[key], b[key]] for key in a]).reshape(-1, 2)
    apart = relative_difference(*values.T)
    others = [key for key, each in zip(a, apart, strict=True) if each > 0]
    what = f"{len(a)} numbers" + (f", other bits in {', '.join(others)}" if others else "")
    return Agreement("finals", what, float(apart.max(initial=0)))


def _of_weights(a: Arrays, b: Arrays) -> Agreement:
    """Relative to the largest weight of a layer: one that is nearly 0 has no say."""
    if [(w.shape, w.dtype) for w in a] != [(w.shape, w.dtype) for w in b]:
        shapes = " and ".join(
            ", ".join(f"{w.dtype} {w.shape}" for w in each) or "none" for each in (a, b)
        )
        return Agreement("weights", f"not alike: {shapes}", np.inf)
    apart = [
        float(np.abs(v - w).max() / max(np.abs(v).max(), np.abs(w).max()))
        for v, w in zip(a, b, strict=True)
        if not np.array_equal(v, w)
    ]
    return Agreement("weights", f"{sum(w.size for w in a)} numbers", max(apart, default=0.0))
