"""Render a report as one HTML page that needs no other file and no connection."""

import base64
import math
import shlex
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markdown_it import MarkdownIt
from markupsafe import Markup

from harness.analysis import leaderboard
from harness.analysis.leaderboard import RankedRun, format_counts
from harness.analysis.significance import format_difference
from harness.analysis.sweep_note import write_sweep_note
from harness.commands.report.collect import Report
from harness.store.params import recorded_params

TEMPLATES = Path(__file__).parent
# The page shows at most so many runs, values of a setting, and failed or diverged runs.
MAX_ROWS, MAX_VALUES, MAX_UNWELL = 50, 12, 20


def render_page(report: Report) -> str:
    """Render the page; names are escaped, so that they may hold any characters."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    environment.filters["cell"] = format_cell
    manifest, ranked, best = report.manifest, report.ranked, report.best
    columns, counted = leaderboard_rows(report), format_counts(ranked, report.manifest)
    words = ["harness", *([] if manifest.single else ["-m"]), *manifest.overrides]
    return environment.get_template("report.html").render(
        report=report,
        title=manifest.name or manifest.sweep_id,
        counts=counted,
        made=time.strftime("%Y-%m-%d %H:%M", time.localtime(manifest.created / 1000)),
        note=markdown_html(write_sweep_note(ranked, manifest, counted)) if len(ranked) > 1 else "",
        best=best,
        answer=answer_text(report) if best else None,
        columns=[*columns],
        rows=[*zip(*columns.values(), strict=True)],
        shown=MAX_ROWS,
        varied=varied_values(ranked),
        unwell=[s for s in ranked if s.outcome in ("failed", "diverged")],
        listed=MAX_UNWELL,
        pictures=embedded_pictures(report.pictures),
        best_pictures=embedded_pictures(report.best_pictures),
        command=shlex.join(words),
        environment={**manifest.numerics, **report.place, **plugins_by_kind(ranked)},
    )


def answer_text(report: Report) -> tuple[str, str]:
    """Return the best setting's name, and its objective's mean with the interval."""
    metric = report.manifest.objective["metric"]
    first = leaderboard.group_by_setting(report.ranked, report.manifest.objective)[0]
    worth = f"{metric} = {format_difference(first.mean, first.interval)}"
    if first.seeds > 1:
        worth += f", the mean of {first.seeds} seeds and its 95 % interval"
    return first.name, worth


def markdown_html(text: str) -> Markup:
    """Render Markdown as HTML without links and images, which need a connection."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    for rule in ("link_open", "link_close"):
        renderer.add_render_rule(rule, lambda *_: "")
    return Markup(renderer.render(text))


def leaderboard_rows(report: Report) -> dict[str, list[Any]]:
    """Return the leaderboard's first rows, without empty columns."""
    columns = leaderboard.leaderboard_table(
        report.ranked, report.run_ids, report.manifest.objective
    )
    if len(columns["run"]) > 1:
        del columns["run"]  # the settings that vary have columns of their own
    first = {name: column[:MAX_ROWS] for name, column in columns.items()}
    return {
        name: column for name, column in first.items() if any(v not in ("", None) for v in column)
    }


def varied_values(ranked: Sequence[RankedRun]) -> dict[str, list[str]]:
    """Return the values of each setting that varies between the runs."""
    keys = leaderboard.varying_params([s.planned for s in ranked])
    found: dict[str, dict[str, None]] = {key: {} for key in keys}
    for s in ranked:
        settings = recorded_params(s.planned.config)
        for key in found.keys() & settings.keys():
            found[key][settings[key]] = None
    return {key: summarise_values([*values]) for key, values in found.items()}


def summarise_values(values: list[str]) -> list[str]:
    """Return all values sorted; of many values the first ones, their number, and the last one."""
    try:
        values.sort(key=float)
    except ValueError:
        values.sort()
    if len(values) <= MAX_VALUES:
        return values
    return [*values[: MAX_VALUES // 2], f"… {len(values)} values up to", values[-1]]


def embedded_pictures(pictures: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Return the name and content of each picture: a data URI of a PNG, the text of a page."""
    return [
        {
            "name": file.rpartition(".")[0],
            "page": content.decode(errors="replace") if file.endswith(".html") else None,
            "data": f"data:image/png;base64,{base64.b64encode(content).decode()}",
        }
        for file, content in sorted(pictures.items())
        if file.endswith((".png", ".html"))
    ]


def plugins_by_kind(ranked: Sequence[RankedRun]) -> dict[str, str]:
    """Return the plugins of each kind that the runs used, with distribution and version."""
    found = {
        (p["kind"], f"{p['distribution']} {p['version']}", p["name"])
        for s in ranked
        for p in s.planned.plugins
    }
    lines: dict[str, list[str]] = {}
    for (kind, source), group in groupby(sorted(found), key=lambda each: each[:2]):
        names = ", ".join(name for *_, name in group)
        lines.setdefault(kind, []).append(f"{names} ({source})")
    return {kind: "; ".join(sources) for kind, sources in lines.items()}


def format_cell(value: Any) -> str:
    """Return a value as the text of a table's cell."""
    if isinstance(value, float):
        return f"{value:.5g}" if math.isfinite(value) else ""
    return "" if value is None else str(value)
