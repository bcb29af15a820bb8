"""Differences of two runs: of what their numbers depend on, and of the numbers themselves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from harness.config.registry import DISTRIBUTION, FORMER_DISTRIBUTION
from harness.contracts import Array, Arrays

NEARLY = 1e-12  # relative; another machine may change the numbers of a run by this much
NEVER_EQUAL = ("train/seconds",)
FINALS = ("train/", "val/", "test/")

Curves = Mapping[str, tuple[Array, ...]]  # steps and values, and perhaps times, of each metric

WITHOUT_WEIGHTS = ", without the weights, which are not there"  # after a verdict


class HasNumbers(Protocol):
    """The numbers of a run, as its result on disk and its record in MLflow both have them."""

    @property
    def curves(self) -> Curves:
        """The steps and values of each metric with several points."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last value of each metric."""

    @property
    def weights(self) -> Arrays:
        """The weights, an array for each layer."""


@dataclass(frozen=True)
class Agreement:
    """The agreement of two runs in one curve, in their finals, or in their weights."""

    what: str
    count: str  # how many numbers are compared
    largest: float  # relative difference; infinite if a number is missing or a shape differs
    first: int | None = None  # the first epoch at which the bits differ
    clearly: int | None = None  # the first epoch at which they differ by more than `NEARLY`
    together: bool = False  # True for a curve with points in both runs

    @property
    def description(self) -> str:
        """The agreement in words."""
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
    """Return what a run's numbers depend on besides its config: code, data and machine."""
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
    """Return the items that differ as pairs; with `everything` also items of one mapping only."""
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


def compare_runs(a: HasNumbers, b: HasNumbers) -> list[Agreement]:
    """Compare two runs: each curve, the numbers recorded once, and any weights."""
    keys = [*a.curves, *(key for key in b.curves if key not in a.curves)]
    curves = [_compare_curves(key, a.curves.get(key), b.curves.get(key)) for key in keys]
    apart = (*NEVER_EQUAL, *keys)
    finals = (
        {k: v for k, v in run.metrics.items() if k.startswith(FINALS) and k not in apart}
        for run in (a, b)
    )
    weights = [_compare_weights(a.weights, b.weights)] if a.weights or b.weights else []
    return [*curves, _compare_finals(*finals), *weights]


def verdict(agreements: Sequence[Agreement]) -> str:
    """Return `same (bits)`, `same (1e-12)`, or `different: ` and the first difference."""
    if all(each.largest == 0 for each in agreements):
        return "same (bits)"
    clearly = [each for each in agreements if each.largest > NEARLY]
    if not clearly:
        return f"same ({NEARLY:g})"
    epochs = [each for each in clearly if each.clearly is not None]
    if not epochs:
        return f"different: {clearly[0].what}"
    first = min(epochs, key=lambda each: each.clearly or 0)
    return f"different: {first.what} from epoch {first.clearly}"


def relative_difference(a: Array, b: Array) -> Array:
    """Return |a - b| / max(|a|, |b|), elementwise; 0 where both are equal."""
    size = np.maximum(np.abs(a), np.abs(b))
    apart: Array = np.divide(np.abs(a - b), size, out=np.zeros(size.shape), where=a != b)
    return apart


def _compare_curves(
    key: str, a: tuple[Array, ...] | None, b: tuple[Array, ...] | None
) -> Agreement:
    """Compare two curves at the epochs that both have."""
    if a is None or b is None:
        return Agreement(key, "a curve in one of them only", np.inf)
    steps, at_a, at_b = np.intersect1d(a[0], b[0], return_indices=True)
    apart = relative_difference(a[1][at_a], b[1][at_b])
    first, clearly = (
        int(steps[at[0]]) if len(at := np.flatnonzero(apart > bound)) else None
        for bound in (0, NEARLY)
    )
    count = f"{len(steps)} points"
    if missing := len({*a[0].tolist(), *b[0].tolist()}) - len(steps):
        count = f"{count} in both ({missing} in one of them only)"
    # Points between may be missing: a long run that is watched while it trains has more of them.
    same_ends = [*a[0][[0, -1]]] == [*b[0][[0, -1]]]
    largest = float(apart.max(initial=0)) if same_ends else np.inf
    return Agreement(key, count, largest, first, clearly, len(steps) > 0)


def _compare_finals(a: Mapping[str, float], b: Mapping[str, float]) -> Agreement:
    """Compare the numbers that are recorded once."""
    if missing := sorted({*a} ^ {*b}):
        return Agreement("finals", f"{', '.join(missing)} in one of them only", np.inf)
    values = np.array([[a[key], b[key]] for key in a]).reshape(-1, 2)
    apart = relative_difference(*values.T)
    others = [key for key, each in zip(a, apart, strict=True) if each > 0]
    what = f"{len(a)} numbers" + (f", other bits in {', '.join(others)}" if others else "")
    return Agreement("finals", what, float(apart.max(initial=0)))


def _compare_weights(a: Arrays, b: Arrays) -> Agreement:
    """Compare the weights, relative to the largest of a layer: a weight near 0 does not count."""
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
