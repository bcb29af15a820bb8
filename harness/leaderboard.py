"""Which run is best: runs ranked by the objective, as a table, a note and one line."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
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


def varying(runs: Sequence[Planned]) -> list[str]:
    """The parameters that differ between these runs, in the config's order."""
    every = [flat(run.config) for run in runs]
    keys = dict.fromkeys(key for each in every for key in each)
    return [k for k in keys if len({str(each.get(k, "")) for each in every}) > 1]


def table(
    ranked: Sequence[Standing], run_ids: Mapping[str, str], objective: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Columns: rank, run, outcome, the objective, what varies, the other numbers, run id."""
    keys = varying([s.planned for s in ranked])
    settings = [params(s.planned.config) for s in ranked]
    metrics = sorted({name for s in ranked for name in s.metrics} - {objective["metric"]})
    metrics = [objective["metric"], *metrics]
    columns: dict[str, list[Any]] = {
        "rank": [*range(1, len(ranked) + 1)],
        "run": [s.planned.name for s in ranked],
        "outcome": [s.outcome for s in ranked],
    }
    columns |= {metrics[0]: [s.metrics.get(metrics[0]) for s in ranked]}
    columns |= {key: [p.get(key, "") for p in settings] for key in keys}
    columns |= {name: [s.metrics.get(name) for s in ranked] for name in metrics[1:]}
    columns["run_id"] = [run_ids.get(s.planned.fingerprint, "") for s in ranked]
    return columns


def as_csv(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """A table as a CSV file."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return out.getvalue().encode()


def note(columns: Mapping[str, Sequence[Any]], manifest: Manifest, counts: str) -> str:
    """The sweep in markdown: what it was, how it went, and its ten best runs."""
    metric = manifest.objective["metric"]
    left_out = {"run", "run_id", *(k for k in columns if "/" in k and k != metric)}
    shown = [key for key in columns if key not in left_out]
    rows = [*zip(*(columns[key] for key in shown), strict=True)][:10]
    lines = [
        f"**{counts}** · ranked by `{metric}` ({manifest.objective['direction']})",
        "",
        f"| {' | '.join(shown)} |",
        f"|{'---|' * len(shown)}",
        *(f"| {' | '.join(_cell(value) for value in row)} |" for row in rows),
        "",
        f"`{' '.join(manifest.overrides) or 'defaults'}`",
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
    return text.replace("|", "\\|").replace("\n", " ")[:80]
