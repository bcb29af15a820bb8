"""Rank runs and settings by the objective, and lay them out as a table."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from harness.store.manifest import Manifest, Planned
from harness.store.params import flatten, recorded_params
from harness.store.results import Result


class RankedRun(NamedTuple):
    """A run as a ranking needs it; it is small, so that a sweep may have many thousand runs."""

    planned: Planned
    outcome: str
    metrics: Mapping[str, float]
    reason: str
    last_epoch: int


def ranked_run(planned: Planned, result: Result) -> RankedRun:
    """Return what a ranking needs of a run and its result."""
    return RankedRun(planned, result.outcome, result.metrics, result.reason, result.last_epoch)


def count_outcomes(runs: Iterable[RankedRun]) -> Counter[str]:
    """Count the runs by outcome; the outcome `ok` is called `finished`."""
    return Counter("finished" if s.outcome == "ok" else s.outcome for s in runs)


def format_counts(runs: Iterable[RankedRun], manifest: Manifest) -> str:
    """Return `36 finished, 0 diverged, 0 failed`, and other outcomes if they occur.

    Pruned runs are counted wherever there is a pruner.
    """
    tally = count_outcomes(runs)
    pruned = ["pruned"] if (manifest.search or {}).get("pruner") is not None else []
    names = dict.fromkeys(["finished", "diverged", "failed", *pruned, *sorted(tally)])
    return ", ".join(f"{tally[name]} {name}" for name in names)


def objective_sign(objective: Mapping[str, Any]) -> float:
    """Return the factor that makes the best value of an objective the least one."""
    return -1.0 if objective["direction"] == "maximize" else 1.0


def objective_metrics(objective: Mapping[str, Any]) -> list[str]:
    """Return the metrics of an objective, the first of which ranks the runs."""
    return [objective["metric"], *(metric for metric, _ in objective.get("others", []))]


def rank(runs: Iterable[RankedRun], objective: Mapping[str, Any]) -> list[RankedRun]:
    """Sort runs, best first; runs that did not end well or lack the objective come last.

    Of equal runs the one with the lower judged loss comes first, then the one planned first.
    """
    metric, sign = objective["metric"], objective_sign(objective)

    def key(s: RankedRun) -> tuple[bool, float, float, int]:
        value = s.metrics.get(metric, math.nan)
        unranked = s.outcome != "ok" or not math.isfinite(value)
        place = (0.0, 0.0) if unranked else (sign * value, judged_loss([s]))
        return unranked, *place, s.planned.jobs[0]

    return sorted(runs, key=key)


def judged_loss(runs: Sequence[RankedRun]) -> float:
    """Return the mean best loss of runs: of validation, or of training if nothing is held out."""
    names = ("val/best_loss", "train/best_loss")
    found = [next((s.metrics[n] for n in names if n in s.metrics), math.inf) for s in runs]
    return sum(found) / len(found)


def best_run(ranked: Sequence[RankedRun], objective: Mapping[str, Any]) -> RankedRun | None:
    """Return the first of the ranked runs, or None if it did not end well."""
    return next(iter(finished_with(ranked[:1], objective["metric"])), None)


def finished_without(runs: Iterable[RankedRun], *metrics: str) -> list[RankedRun]:
    """Return the runs that ended well and lack one of these metrics: it was not a number."""
    return [s for s in runs if s.outcome == "ok" and not {*metrics} <= s.metrics.keys()]


def finished_with(runs: Iterable[RankedRun], *metrics: str) -> list[RankedRun]:
    """Return the runs that ended well and have these metrics."""
    return [s for s in runs if s.outcome == "ok" and {*metrics} <= s.metrics.keys()]


class Setting(NamedTuple):
    """Runs that differ only in their seed, with the mean of the objective and its interval."""

    runs: tuple[RankedRun, ...]  # best first
    seeds: int  # runs that ended well
    mean: float  # of the objective over these runs; NaN without any
    interval: float  # half the width of the mean's 95 % confidence interval; NaN below two seeds

    @property
    def whole(self) -> bool:
        """True if all runs ended well."""
        return self.seeds == len(self.runs)

    @property
    def identity(self) -> bytes:
        """The digest of the setting, which its runs have in common."""
        return self.runs[0].planned.setting

    @property
    def name(self) -> str:
        """The name of the runs without the seed."""
        name = self.runs[0].planned.name
        rest = re.sub(r"(^| )seed=\d+(?= |$)", "", name).strip()
        return rest or (name if len(self.runs) == 1 else "the one setting")


def group_by_setting(ranked: Sequence[RankedRun], objective: Mapping[str, Any]) -> list[Setting]:
    """Group runs over seeds, best mean first; settings with a badly ended run come last.

    Of equal means the one with the lower judged loss comes first, then that of the better run.
    """
    sign = objective_sign(objective)
    groups: dict[bytes, list[RankedRun]] = {}
    for s in ranked:
        groups.setdefault(s.planned.setting, []).append(s)
    found = [
        Setting(tuple(g), *mean_and_interval(g, objective["metric"])) for g in groups.values()
    ]

    def key(group: Setting) -> tuple[bool, float, float]:
        value = sign * group.mean if group.seeds else math.inf
        return not group.whole, value, judged_loss(group.runs)

    return sorted(found, key=key)


def mean_and_interval(runs: Iterable[RankedRun], metric: str) -> tuple[int, float, float]:
    """Return count, mean, and half the 95 % interval by Student's t, which suits few seeds."""
    values = [s.metrics[metric] for s in finished_with(runs, metric)]
    if len(values) < 2:
        return len(values), values[0] if values else math.nan, math.nan
    from scipy.special import stdtrit

    t = float(stdtrit(len(values) - 1, 0.975))
    return len(values), fmean(values), t * stdev(values) / math.sqrt(len(values))


def setting_value(runs: Sequence[RankedRun], objective: Mapping[str, Any]) -> Any:
    """Return the value of a setting for a search: the mean of its runs for each objective.

    One number for one objective, a tuple for several; None if a run did not end well.
    """
    metrics = objective_metrics(objective)
    good = finished_with(runs, *metrics)
    if not runs or len(good) < len(runs):
        return None
    means = tuple(fmean(s.metrics[metric] for s in good) for metric in metrics)
    return means if len(means) > 1 else means[0]


def varying_params(runs: Sequence[Planned]) -> list[str]:
    """Return the parameters that were varied between these runs, in the config's order.

    A field that only follows the choice of its plugin (`beta1` with `optimizer=adam,sgd`) was not
    varied, unless an override gives it.
    """
    found: dict[str, dict[str, set[str]]] = {}  # the values of a key beside each plugin
    given = {line.partition("=")[0].lstrip("+") for run in runs for line in run.overrides}
    for run in runs:
        settings = flatten(run.config)
        for key, value in settings.items():
            group, _, field = key.partition(".")
            plugin = str(settings.get(group)) if field else ""
            if len(values := found.setdefault(key, {}).setdefault(plugin, set())) < 2:
                values.add(str(value))
    return [
        key
        for key, beside in found.items()
        if any(len(values) > 1 for values in beside.values())
        or (key in given and len(set().union(*beside.values())) > 1)
    ]


def leaderboard_table(
    ranked: Sequence[RankedRun], run_ids: Mapping[str, str], objective: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Return columns: rank, run, outcome, objective, varying settings, other metrics, run id."""
    keys = varying_params([s.planned for s in ranked])
    settings: dict[str, list[str]] = {key: [] for key in keys}
    for s in ranked:
        values = recorded_params(s.planned.config)
        for key, column in settings.items():
            column.append(values.get(key, ""))
    first = objective["metric"]
    others = sorted({name for s in ranked for name in s.metrics} - {first})
    return {
        "rank": [*range(1, len(ranked) + 1)],
        "run": [s.planned.name for s in ranked],
        "outcome": [s.outcome for s in ranked],
        first: [s.metrics.get(first) for s in ranked],
        **settings,
        **{name: [s.metrics.get(name) for s in ranked] for name in others},
        **_seed_columns(ranked, objective),
        "run_id": [run_ids.get(s.planned.fingerprint, "") for s in ranked],
    }


def _seed_columns(
    ranked: Sequence[RankedRun], objective: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Return rank, seeds, mean and interval of each run's setting, if any has several seeds."""
    groups = group_by_setting(ranked, objective)
    if len(groups) == len(ranked):
        return {}
    known = {g.identity: (at, g) for at, g in enumerate(groups, 1)}
    found = [known[s.planned.setting] for s in ranked]
    return {
        "setting": [at for at, _ in found],
        "seeds": [group.seeds for _, group in found],
        "mean": [finite_or_none(group.mean) for _, group in found],
        "ci95": [finite_or_none(group.interval) for _, group in found],
    }


def table_as_csv(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Return the content of a CSV file with these columns."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def finite_or_none(value: float) -> float | None:
    """Return the value if it is finite, else None."""
    return value if math.isfinite(value) else None
