"""What a parent run says of its sweep, in markdown: the answer first, then the best settings."""

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

LONGEST = 80  # characters of a cell

Link = Callable[[RankedRun], str | None]  # where a run is shown


def write_sweep_note(
    ranked: Sequence[RankedRun],
    manifest: Manifest,
    counts: str,
    link: Link = lambda standing: None,
    keys: Sequence[str] | None = None,
) -> str:
    """What may be said of a sweep, how it went, and its ten best settings.

    `keys` are what varies, where that is known.
    """
    objective = manifest.objective
    found = group_by_setting(ranked, objective)
    repeated = len(found) < len(ranked)
    keys = varying_params([s.planned for s in ranked]) if keys is None else keys
    keys = [key for key in keys if not (repeated and key == "seed")]
    behind = {c.other.identity: c for c in compare(found[:TOP], objective)} if repeated else {}
    said = (
        [f"**{_sentence(describe_best(found, objective, _code))}**", ""] if len(found) > 1 else []
    )
    return "\n".join(
        [
            *said,
            f"{counts} · ranked by `{objective['metric']}` ({objective['direction']})",
            "",
            *_table(found[:TOP], objective["metric"], keys, behind if repeated else None, link),
            "",
            f"`{' '.join(manifest.overrides) or 'defaults'}`",
        ]
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _code(name: str) -> str:
    return f"`{name.replace('`', '')[:LONGEST]}`"


def _table(
    found: Sequence[Setting],
    metric: str,
    keys: Sequence[str],
    behind: Mapping[bytes, Comparison] | None,
    link: Link,
) -> list[str]:
    heads = ["outcome", metric, *keys, "run"]
    if behind is not None:
        heads = ["seeds", f"{metric}, mean ± 95 %", "behind", *keys, "best run"]
    lines = [["rank", *heads], ["---"] * (1 + len(heads))]
    for place, group in enumerate(found, 1):
        first = group.standings[0]
        settings, name = recorded_params(first.planned.config), first.planned.name
        said: list[Any] = [first.outcome, finite_or_none(group.mean)]
        if behind is not None:
            said, name = _over_seeds(group, behind.get(group.identity)), f"seed={settings['seed']}"
        row = [place, *said, *(settings.get(key, "") for key in keys)]
        lines.append([*map(_cell, row), _linked(_cell(name), link(first))])
    return [f"| {' | '.join(line)} |" for line in lines]


def _over_seeds(group: Setting, against: Comparison | None) -> list[str]:
    seeds = str(group.seeds) if group.whole else f"{group.seeds} of {len(group.standings)}"
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
    return text.replace("|", "\\|").replace("\n", " ")[:LONGEST]
