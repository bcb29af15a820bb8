"""Is the best setting better than the next by more than seed noise? Paired over common seeds."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from harness.analysis.leaderboard import Setting, finished_with, objective_sign

LEVEL = 0.05
TOP = 10  # settings that are shown, and compared with the best of them


class Comparison(NamedTuple):
    """The best setting against another one."""

    other: Setting
    effect: float  # difference of the means, positive where the best is better
    seeds: int  # that both have; of runs without common seeds the fewer
    interval: float = math.nan  # half the width of its 95 % confidence interval
    p: float = math.nan  # two-sided, after Holm's correction for all comparisons

    @property
    def better(self) -> bool:
        """Whether the best one is, by more than seed noise."""
        return self.p < LEVEL and self.effect > 0


def compare(settings: Sequence[Setting], objective: Mapping[str, Any]) -> list[Comparison]:
    """The first of the settings against each of the others whose runs all ended well."""
    first, others = settings[0], [setting for setting in settings[1:] if setting.whole]
    found = [_against(first, other, objective) for other in others]
    adjusted = holm_correction([c.p for c in found])
    return [c._replace(p=p) for c, p in zip(found, adjusted, strict=True)]


def _against(first: Setting, other: Setting, objective: Mapping[str, Any]) -> Comparison:
    """Student's t of the differences over common seeds; Welch's where fewer than two are."""
    way = objective_sign(objective)
    ours, theirs = (_by_seed(setting, objective["metric"]) for setting in (first, other))
    if len(common := sorted(ours.keys() & theirs.keys())) > 1:
        differences = [way * (theirs[seed] - ours[seed]) for seed in common]
        effect, n = fmean(differences), len(common)
        error = stdev(differences) / math.sqrt(n)
        return Comparison(other, effect, n, *_students(effect, error, n - 1))
    effect, fewer = way * (other.mean - first.mean), min(len(ours), len(theirs))
    if fewer < 2:
        return Comparison(other, effect, fewer)
    samples = [[*ours.values()], [*theirs.values()]]
    errors = [stdev(values) / math.sqrt(len(values)) for values in samples]
    error = math.hypot(*errors)
    parts = [(e / error) ** 4 / (len(v) - 1) for e, v in zip(errors, samples, strict=True) if e]
    return Comparison(other, effect, fewer, *_students(effect, error, 1 / (sum(parts) or 1)))


def _by_seed(setting: Setting, metric: str) -> dict[int, float]:
    good = finished_with(setting.standings, metric)
    return {s.planned.config["seed"]: s.metrics[metric] for s in good}


def _students(effect: float, error: float, freedom: float) -> tuple[float, float]:
    """Half the 95 % interval, and the two-sided p, of an effect with that standard error."""
    from scipy.special import stdtr, stdtrit

    if error == 0:  # the seed makes no difference
        return 0.0, 0.0 if effect else 1.0
    p = 2 * stdtr(freedom, -abs(effect) / error)
    return float(stdtrit(freedom, 1 - LEVEL / 2)) * error, float(p)


def holm_correction(ps: Sequence[float]) -> list[float]:
    """Adjusted so that among all comparisons a false one has a chance of 5 %; nan stays nan.

    Holm, 1979, Scandinavian Journal of Statistics 6.
    """
    order = sorted((i for i, p in enumerate(ps) if not math.isnan(p)), key=lambda i: ps[i])
    adjusted, least = [*ps], 0.0
    for place, i in enumerate(order):
        least = max(least, min(1.0, (len(order) - place) * ps[i]))
        adjusted[i] = least
    return adjusted


def format_difference(value: float, interval: float) -> str:
    """`0.0123 ± 0.0045`: as many digits as the interval allows."""
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
    """What may be said of the best of several settings (see settings_of), in plain words."""
    first = settings[0]
    if not first.seeds:
        return "no run ended well"
    if not first.whole:
        return f"of each setting a run ended badly: {quoted(first.name)} comes first by the others"
    found = compare(settings[:TOP], objective)
    said = _verdict(quoted(first.name), found, quoted)
    way = objective_sign(objective)
    unsure = [g for g in settings if not g.whole and g.seeds and way * (g.mean - first.mean) < 0]
    if unsure:
        bad = len(unsure[0].standings) - unsure[0].seeds
        name, count = quoted(unsure[0].name), len(unsure[0].standings)
        said += f"; {name} would be ahead, but {bad} of its {count} runs ended badly"
    return said


def _verdict(name: str, found: Sequence[Comparison], quoted: Callable[[str], str]) -> str:
    """The first setting against the next, and the first that it is better than."""
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
    said = f"{name} is not distinguishable from {second} with {near.seeds} seeds ({by})"
    said += f", nor from {alike} more" if alike else ""
    if better := next((c for c in found if c.better), None):
        by = format_difference(better.effect, better.interval)
        said += f"; it is better than {quoted(better.other.name)} by {by}"
    return said
