"""Which run is best, and which setting: ranked by the objective, as a table and as a note."""

import csv
import hashlib
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from harness.recording import flat, params
from harness.store import Manifest, Planned, Result


class Standing(NamedTuple):
    """What a ranking needs of one run; small, so that a sweep of many thousands can be ranked."""

    planned: Planned
    outcome: str
    metrics: Mapping[str, float]
    reason: str
    last_epoch: int


def standing(planned: Planned, result: Result) -> Standing:
    return Standing(planned, result.outcome, result.metrics, result.reason, result.last_epoch)


def rank(standings: Iterable[Standing], objective: Mapping[str, Any]) -> list[Standing]:
    """Best first; runs that did not end well, or have no such number, come last."""
    metric, sign = objective["metric"], -1.0 if objective["direction"] == "maximize" else 1.0

    def key(s: Standing) -> tuple[bool, float, int]:
        value = s.metrics.get(metric, math.nan)
        unranked = s.outcome != "ok" or not math.isfinite(value)
        return unranked, 0.0 if unranked else sign * value, s.planned.jobs[0]

    return sorted(standings, key=key)


def best(ranked: Sequence[Standing], objective: Mapping[str, Any]) -> Standing | None:
    """The first of a ranking, if it ended well and has the number that is asked for."""
    first = ranked[0] if ranked else None
    good = first and first.outcome == "ok" and objective["metric"] in first.metrics
    return first if good else None


class Setting(NamedTuple):
    """Runs that differ in nothing but their seed: how well they do, and how surely."""

    standings: tuple[Standing, ...]
    seeds: int  # runs that ended well
    mean: float  # of the objective over these; nan if there are none
    interval: float  # half the width of the 95 % confidence interval of the mean; nan below two


def settings_of(ranked: Sequence[Standing], metric: str) -> list[Setting]:
    """Runs grouped over seeds, in the order of their best runs."""
    groups: dict[bytes, list[Standing]] = {}
    for s in ranked:
        config = {key: value for key, value in flat(s.planned.config).items() if key != "seed"}
        identity = hashlib.blake2b(repr(config).encode(), digest_size=16).digest()
        groups.setdefault(identity, []).append(s)
    return [Setting(tuple(group), *estimate(group, metric)) for group in groups.values()]


def by_mean(ranked: Sequence[Standing], objective: Mapping[str, Any]) -> list[Setting]:
    """The settings by their means over seeds, the best one first."""
    sign = -1.0 if objective["direction"] == "maximize" else 1.0
    groups = settings_of(ranked, objective["metric"])
    return sorted(groups, key=lambda g: sign * g.mean if math.isfinite(g.mean) else math.inf)


def estimate(standings: Iterable[Standing], metric: str) -> tuple[int, float, float]:
    """Count, mean, and half the 95 % interval: Student's t, which allows for few seeds."""
    values = [s.metrics[metric] for s in standings if s.outcome == "ok" and metric in s.metrics]
    if len(values) < 2:
        return len(values), values[0] if values else math.nan, math.nan
    from scipy.special import stdtrit

    t = float(stdtrit(len(values) - 1, 0.975))
    return len(values), fmean(values), t * stdev(values) / math.sqrt(len(values))


def value_of(standings: Sequence[Standing], objective: Mapping[str, Any]) -> Any:
    """What a setting is worth to a search: its runs' mean, or one for each objective.

    None if any of them did not end well.
    """
    metrics = [objective["metric"], *(metric for metric, _ in objective.get("others", []))]
    good = [s for s in standings if s.outcome == "ok" and {*metrics} <= s.metrics.keys()]
    if not standings or len(good) < len(standings):
        return None
    means = tuple(fmean(s.metrics[metric] for s in good) for metric in metrics)
    return means if len(means) > 1 else means[0]


def varying(runs: Sequence[Planned]) -> list[str]:
    """The parameters that differ between these runs, in the config's order."""
    met: dict[str, set[str]] = {}
    having: Counter[str] = Counter()
    for run in runs:
        for key, value in flat(run.config).items():
            having[key] += 1
            if len(values := met.setdefault(key, set())) < 2:
                values.add(str(value))
    return [key for key, values in met.items() if len(values) > 1 or having[key] < len(runs)]


def table(
    ranked: Sequence[Standing], run_ids: Mapping[str, str], objective: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Columns: rank, run, outcome, the objective, what varies, the other numbers, run id."""
    keys = varying([s.planned for s in ranked])
    settings: dict[str, list[str]] = {key: [] for key in keys}
    for s in ranked:
        values = params(s.planned.config)
        for key, column in settings.items():
            column.append(values.get(key, ""))
    metrics = sorted({name for s in ranked for name in s.metrics} - {objective["metric"]})
    metrics = [objective["metric"], *metrics]
    columns: dict[str, list[Any]] = {
        "rank": [*range(1, len(ranked) + 1)],
        "run": [s.planned.name for s in ranked],
        "outcome": [s.outcome for s in ranked],
    }
    columns |= {metrics[0]: [s.metrics.get(metrics[0]) for s in ranked]}
    columns |= settings
    columns |= {name: [s.metrics.get(name) for s in ranked] for name in metrics[1:]}
    columns |= _over_seeds(ranked, metrics[0])
    columns["run_id"] = [run_ids.get(s.planned.fingerprint, "") for s in ranked]
    return columns


def _over_seeds(ranked: Sequence[Standing], metric: str) -> dict[str, list[Any]]:
    """How each run's setting does, if any setting has several seeds."""
    groups = settings_of(ranked, metric)
    if len(groups) == len(ranked):
        return {}
    known = {id(s): group for group in groups for s in group.standings}
    found = [known[id(s)] for s in ranked]
    return {
        "seeds": [group.seeds for group in found],
        "mean": [_number(group.mean) for group in found],
        "ci95": [_number(group.interval) for group in found],
    }


def as_csv(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """A table as a CSV file."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def note(ranked: Sequence[Standing], manifest: Manifest, counts: str) -> str:
    """The sweep in markdown: what it was, how it went, and its ten best settings or runs."""
    metric, direction = manifest.objective["metric"], manifest.objective["direction"]
    groups = by_mean(ranked, manifest.objective)
    repeated = len(groups) < len(ranked)
    keys = [k for k in varying([s.planned for s in ranked]) if not (repeated and k == "seed")]
    rows = [_row(place, group, keys, repeated) for place, group in enumerate(groups[:10], 1)]
    heads = ["seeds", f"{metric}, mean", "± 95 %"] if repeated else ["outcome", metric]
    lines = [
        f"**{counts}** · ranked by `{metric}` ({direction})",
        "",
        f"| {' | '.join(['rank', *heads, *keys])} |",
        f"|{'---|' * (1 + len(heads) + len(keys))}",
        *(f"| {' | '.join(map(_cell, row))} |" for row in rows),
        "",
        f"`{' '.join(manifest.overrides) or 'defaults'}`",
    ]
    return "\n".join(lines)


def _row(place: int, group: Setting, keys: Sequence[str], repeated: bool) -> list[Any]:
    first = group.standings[0]
    settings = params(first.planned.config)
    said = [first.outcome, _number(group.mean)]
    if repeated:
        said = [str(group.seeds), _number(group.mean), _number(float(f"{group.interval:.2g}"))]
    return [place, *said, *(settings.get(key, "") for key in keys)]


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
    return text.replace("|", "\\|").replace("\n", " ")[:80]
