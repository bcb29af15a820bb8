"""The note on a sweep in Markdown, for its parent run and its report: the best settings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.analysis.leaderboard import (
    RankedRun,
    Setting,
    finite_or_none,
    group_by_setting,
    varying_params,
)
from harness.analysis.significance import (
    TOP,
    Comparison,
    compare,
    describe_best,
    format_difference,
)
from harness.store.manifest import Manifest
from harness.store.params import recorded_params

MAX_CELL = 80  # characters

Link = Callable[[RankedRun], str | None]  # the address of a run's page, if it has one


def write_sweep_note(
    ranked: Sequence[RankedRun],
    manifest: Manifest,
    counts: str,
    link: Link = lambda run: None,
    keys: Sequence[str] | None = None,
) -> str:
    """Write the note: which setting is best, the counts, and a table of the best settings.

    `keys` are the parameters that vary; None looks for them in the runs.
    """
    objective = manifest.objective
    found = group_by_setting(ranked, objective)
    repeated = len(found) < len(ranked)
    keys = varying_params([s.planned for s in ranked]) if keys is None else keys
    keys = [key for key in keys if not (repeated and key == "seed")]
    behind = {c.other.identity: c for c in compare(found[:TOP], objective)} if repeated else None
    best = f"**{_sentence(describe_best(found, objective, _code))}**" if len(found) > 1 else ""
    return "\n".join(
        [
            *([best, ""] if best else []),
            f"{counts} · ranked by `{objective['metric']}` ({objective['direction']})",
            "",
            *_table(found[:TOP], objective["metric"], keys, behind, link),
            "",
            f"`{' '.join(manifest.overrides) or 'defaults'}`",
        ]
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _code(name: str) -> str:
    return f"`{name.replace('`', '')[:MAX_CELL]}`"


def _table(
    found: Sequence[Setting],
    metric: str,
    keys: Sequence[str],
    behind: Mapping[bytes, Comparison] | None,
    link: Link,
) -> list[str]:
    """Return the lines of a Markdown table; `behind` is None if no setting has several seeds."""
    heads = ["outcome", metric, *keys, "run"]
    if behind is not None:
        heads = ["seeds", f"{metric}, mean ± 95 %", "behind", *keys, "best run"]
    lines = [["rank", *heads], ["---"] * (1 + len(heads))]
    for place, group in enumerate(found, 1):
        first = group.runs[0]
        settings, name = recorded_params(first.planned.config), first.planned.name
        shown: list[Any] = [first.outcome, finite_or_none(group.mean)]
        if behind is not None:
            shown = _over_seeds(group, behind.get(group.identity))
            name = f"seed={settings['seed']}"
        row = [place, *shown, *(settings.get(key, "") for key in keys)]
        lines.append([*map(_cell, row), _linked(_cell(name), link(first))])
    return [f"| {' | '.join(line)} |" for line in lines]


def _over_seeds(group: Setting, against: Comparison | None) -> list[str]:
    """Return the cells for seeds, mean, and distance to the best setting."""
    seeds = str(group.seeds) if group.whole else f"{group.seeds} of {len(group.runs)}"
    mean = format_difference(group.mean, group.interval) if group.seeds else ""
    return [seeds, mean, format_difference(against.effect, against.interval) if against else ""]


def _linked(name: str, address: str | None) -> str:
    if address is None:
        return name
    for sign in "[]*_<>":
        name = name.replace(sign, f"\\{sign}")
    return f"[{name}]({address})"


def _cell(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
    return text.replace("|", "\\|").replace("\n", " ")[:MAX_CELL]
