"""Test whether the best setting is better than others by more than seed noise."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from harness.analysis.leaderboard import Setting, finished_with, finished_without, objective_sign

LEVEL = 0.05  # of significance, for all comparisons together
TOP = 10  # this many settings are shown and compared with the best one


class Comparison(NamedTuple):
    """A comparison of the best setting with another one."""

    other: Setting
    effect: float  # difference of the means, positive where the best is better
    seeds: int  # common seeds; without two of them, the seeds of the setting that has fewer
    interval: float = math.nan  # half the width of the effect's 95 % confidence interval
    p: float = math.nan  # two-sided, after Holm's correction for all comparisons

    @property
    def better(self) -> bool:
        """True if the best setting is better by more than seed noise."""
        return self.p < LEVEL and self.effect > 0


def compare(settings: Sequence[Setting], objective: Mapping[str, Any]) -> list[Comparison]:
    """Compare the first setting with each other setting whose runs all ended well."""
    first, others = settings[0], [setting for setting in settings[1:] if setting.whole]
    found = [_compare_two(first, other, objective) for other in others]
    adjusted = holm_correction([c.p for c in found])
    return [c._replace(p=p) for c, p in zip(found, adjusted, strict=True)]


def _compare_two(first: Setting, other: Setting, objective: Mapping[str, Any]) -> Comparison:
    """Compare by Student's t over common seeds, or by Welch's t with fewer than two of them."""
    sign = objective_sign(objective)
    a, b = (_by_seed(setting, objective["metric"]) for setting in (first, other))
    if len(common := sorted(a.keys() & b.keys())) > 1:
        differences = [sign * (b[seed] - a[seed]) for seed in common]
        effect, n = fmean(differences), len(common)
        error = stdev(differences) / math.sqrt(n)
        return Comparison(other, effect, n, *_students(effect, error, n - 1))
    effect, fewer = sign * (other.mean - first.mean), min(len(a), len(b))
    if fewer < 2:
        return Comparison(other, effect, fewer)
    samples = [[*a.values()], [*b.values()]]
    errors = [stdev(values) / math.sqrt(len(values)) for values in samples]
    error = math.hypot(*errors)
    parts = [(e / error) ** 4 / (len(v) - 1) for e, v in zip(errors, samples, strict=True) if e]
    return Comparison(other, effect, fewer, *_students(effect, error, 1 / (sum(parts) or 1)))


def _by_seed(setting: Setting, metric: str) -> dict[int, float]:
    """Return the metric of each well-ended run by its seed."""
    good = finished_with(setting.runs, metric)
    return {s.planned.config["seed"]: s.metrics[metric] for s in good}


def _students(effect: float, error: float, freedom: float) -> tuple[float, float]:
    """Return half the 95 % interval and the two-sided p of an effect with a standard error."""
    from scipy.special import stdtr, stdtrit

    if error == 0:  # the seed makes no difference
        return 0.0, 0.0 if effect else 1.0
    p = 2 * stdtr(freedom, -abs(effect) / error)
    return float(stdtrit(freedom, 1 - LEVEL / 2)) * error, float(p)


def holm_correction(ps: Sequence[float]) -> list[float]:
    """Adjust p-values so that any false finding among them has a chance of 5 %; NaN stays NaN.

    Holm, 1979, Scandinavian Journal of Statistics 6.
    """
    order = sorted((i for i, p in enumerate(ps) if not math.isnan(p)), key=lambda i: ps[i])
    adjusted, least = [*ps], 0.0
    for place, i in enumerate(order):
        least = max(least, min(1.0, (len(order) - place) * ps[i]))
        adjusted[i] = least
    return adjusted


def format_difference(value: float, interval: float) -> str:
    """Return `0.0123 ± 0.0045`, with as many digits as the interval allows."""
    if not interval > 0:
        return f"{value:.3g}" if math.isnan(interval) else f"{value:.3g} ± 0"
    digits = 1 - math.floor(math.log10(interval))
    if not -3 <= digits <= 9:
        return f"{value:.3g} ± {interval:.2g}"
    return f"{round(value, digits):.{max(digits, 0)}f} ± {interval:.{max(digits, 0)}f}"


def describe_best(
    settings: Sequence[Setting],
    objective: Mapping[str, Any],
    quoted: Callable[[str], str] = lambda name: name,
) -> str:
    """Say in one sentence whether the best setting (see group_by_setting) is really better."""
    first = settings[0]
    if not first.seeds:
        metric = objective["metric"]
        unmeasured = any(finished_without(setting.runs, metric) for setting in settings)
        return f"{metric} is not a number for any run" if unmeasured else "no run ended well"
    if not first.whole:
        return f"of each setting a run ended badly: {quoted(first.name)} comes first by the others"
    found = compare(settings[:TOP], objective)
    sentence = _verdict(quoted(first.name), found, quoted)
    sign = objective_sign(objective)
    unsure = [g for g in settings if not g.whole and g.seeds and sign * (g.mean - first.mean) < 0]
    if unsure:
        name, count = quoted(unsure[0].name), len(unsure[0].runs)
        bad = count - unsure[0].seeds
        sentence += f"; {name} would be ahead, but {bad} of its {count} runs ended badly"
    return sentence


def _verdict(name: str, found: Sequence[Comparison], quoted: Callable[[str], str]) -> str:
    """Compare the best setting with the next one, and with the first that it clearly beats."""
    if not found:
        return f"{name} is the only setting whose runs all ended well"
    near = found[0]
    second, by = quoted(near.other.name), format_difference(near.effect, near.interval)
    if math.isnan(near.p):
        ahead = f"is ahead of {second} by {by}" if near.effect else f"is level with {second}"
        what = "with one seed, so seed noise is unknown (seed=0,1,2 or repeats=3 would tell)"
        return f"{name} {ahead} {what}"
    if near.better:
        return f"{name} is better than {second} by {by} ({near.seeds} seeds)"
    alike = sum(not c.better for c in found) - 1
    sentence = f"{name} is not distinguishable from {second} with {near.seeds} seeds ({by})"
    sentence += f", nor from {alike} more" if alike else ""
    if better := next((c for c in found if c.better), None):
        by = format_difference(better.effect, better.interval)
        sentence += f"; it is better than {quoted(better.other.name)} by {by}"
    return sentence
