"""Which run is best, and which setting: ranked by the objective, and as a table."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from harness.store.manifest import Planned
from harness.store.params import flatten, recorded_params
from harness.store.results import Result

FINISHED = ("ok", "pruned")


class RankedRun(NamedTuple):
    """What a ranking needs of one run; small, so that a sweep of many thousands can be ranked."""

    planned: Planned
    outcome: str
    metrics: Mapping[str, float]
    reason: str
    last_epoch: int


def ranked_run(planned: Planned, result: Result) -> RankedRun:
    return RankedRun(planned, result.outcome, result.metrics, result.reason, result.last_epoch)


def count_outcomes(standings: Iterable[RankedRun]) -> Counter[str]:
    """How many runs ended how."""
    return Counter("finished" if s.outcome in FINISHED else s.outcome for s in standings)


def format_counts(standings: Iterable[RankedRun]) -> str:
    """`36 finished, 0 diverged, 0 failed`; more kinds of end are named if they occur."""
    tally = count_outcomes(standings)
    names = dict.fromkeys(["finished", "diverged", "failed", *sorted(tally)])
    return ", ".join(f"{tally[name]} {name}" for name in names)


def objective_sign(objective: Mapping[str, Any]) -> float:
    """What makes the best number of an objective the least."""
    return -1.0 if objective["direction"] == "maximize" else 1.0


def rank(standings: Iterable[RankedRun], objective: Mapping[str, Any]) -> list[RankedRun]:
    """Best first; runs that did not end well, or have no such number, come last."""
    metric, way = objective["metric"], objective_sign(objective)

    def key(s: RankedRun) -> tuple[bool, float, int]:
        value = s.metrics.get(metric, math.nan)
        unranked = s.outcome != "ok" or not math.isfinite(value)
        return unranked, 0.0 if unranked else way * value, s.planned.jobs[0]

    return sorted(standings, key=key)


def best_run(ranked: Sequence[RankedRun], objective: Mapping[str, Any]) -> RankedRun | None:
    """The first of a ranking, if it ended well and has the number that is asked for."""
    return next(iter(finished_with(ranked[:1], objective["metric"])), None)


def finished_with(standings: Iterable[RankedRun], *metrics: str) -> list[RankedRun]:
    """Those that ended well and have these numbers."""
    return [s for s in standings if s.outcome == "ok" and {*metrics} <= s.metrics.keys()]


class Setting(NamedTuple):
    """Runs that differ in nothing but their seed: how well they do, and how surely."""

    standings: tuple[RankedRun, ...]  # best first
    seeds: int  # runs that ended well
    mean: float  # of the objective over these; nan if there are none
    interval: float  # half the width of the 95 % confidence interval of the mean; nan below two

    @property
    def whole(self) -> bool:
        """Whether all its runs ended well."""
        return self.seeds == len(self.standings)

    @property
    def identity(self) -> bytes:
        return self.standings[0].planned.setting

    @property
    def name(self) -> str:
        """Its runs' name, without the seed."""
        name = self.standings[0].planned.name
        rest = re.sub(r"(^| )seed=\d+(?= |$)", "", name).strip()
        return rest or (name if len(self.standings) == 1 else "the one setting")


def group_by_setting(ranked: Sequence[RankedRun], objective: Mapping[str, Any]) -> list[Setting]:
    """Runs grouped over seeds, best mean first; after them those with a run that ended badly."""
    way = objective_sign(objective)
    groups: dict[bytes, list[RankedRun]] = {}
    for s in ranked:
        groups.setdefault(s.planned.setting, []).append(s)
    found = [
        Setting(tuple(g), *mean_and_interval(g, objective["metric"])) for g in groups.values()
    ]
    return sorted(found, key=lambda g: (not g.whole, way * g.mean if g.seeds else math.inf))


def mean_and_interval(standings: Iterable[RankedRun], metric: str) -> tuple[int, float, float]:
    """Count, mean, and half the 95 % interval: Student's t, which allows for few seeds."""
    values = [s.metrics[metric] for s in finished_with(standings, metric)]
    if len(values) < 2:
        return len(values), values[0] if values else math.nan, math.nan
    from scipy.special import stdtrit

    t = float(stdtrit(len(values) - 1, 0.975))
    return len(values), fmean(values), t * stdev(values) / math.sqrt(len(values))


def setting_value(standings: Sequence[RankedRun], objective: Mapping[str, Any]) -> Any:
    """What a setting is worth to a search: its runs' mean, or one for each objective.

    None if any of them did not end well.
    """
    metrics = [objective["metric"], *(metric for metric, _ in objective.get("others", []))]
    good = finished_with(standings, *metrics)
    if not standings or len(good) < len(standings):
        return None
    means = tuple(fmean(s.metrics[metric] for s in good) for metric in metrics)
    return means if len(means) > 1 else means[0]


def varying_params(runs: Sequence[Planned]) -> list[str]:
    """The parameters that differ between these runs, in the config's order."""
    met: dict[str, set[str]] = {}
    having: Counter[str] = Counter()
    for run in runs:
        for key, value in flatten(run.config).items():
            having[key] += 1
            if len(values := met.setdefault(key, set())) < 2:
                values.add(str(value))
    return [key for key, values in met.items() if len(values) > 1 or having[key] < len(runs)]


def leaderboard_table(
    ranked: Sequence[RankedRun], run_ids: Mapping[str, str], objective: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Columns: rank, run, outcome, the objective, what varies, the other numbers, run id."""
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
        **_over_seeds(ranked, objective),
        "run_id": [run_ids.get(s.planned.fingerprint, "") for s in ranked],
    }


def _over_seeds(ranked: Sequence[RankedRun], objective: Mapping[str, Any]) -> dict[str, list[Any]]:
    """How each run's setting does, if any setting has several seeds."""
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
    """A table as a CSV file."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def finite_or_none(value: float) -> float | None:
    """The value, if it is a finite one."""
    return value if math.isfinite(value) else None
