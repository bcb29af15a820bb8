"""The HTML page of a report: whole in itself, light, fit for paper; it asks for nothing."""

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
ROWS, VALUES, UNWELL = 50, 12, 20  # shown: runs, values of what varied, runs that failed


def render_page(report: Report) -> str:
    """The whole page; names may hold anything, and stay text."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    environment.filters["cell"] = format_cell
    manifest, ranked, best = report.manifest, report.ranked, report.best
    columns, counted = leaderboard_rows(report), format_counts(ranked)
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
        shown=ROWS,
        varied=varied_values(ranked),
        unwell=[s for s in ranked if s.outcome in ("failed", "diverged")],
        listed=UNWELL,
        pictures=embedded_pictures(report.pictures),
        best_pictures=embedded_pictures(report.best_pictures),
        command=shlex.join(words),
        environment={**manifest.numerics, **report.place, **plugins_by_kind(ranked)},
    )


def answer_text(report: Report) -> tuple[str, str]:
    """The best setting, and what it is worth."""
    metric = report.manifest.objective["metric"]
    first = leaderboard.group_by_setting(report.ranked, report.manifest.objective)[0]
    worth = f"{metric} = {format_difference(first.mean, first.interval)}"
    if first.seeds > 1:
        worth += f", the mean of {first.seeds} seeds and its 95 % interval"
    return first.name, worth


def markdown_html(text: str) -> Markup:
    """Markdown as HTML, without links and images, which lead elsewhere."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    for rule in ("link_open", "link_close"):
        renderer.add_render_rule(rule, lambda *_: "")
    return Markup(renderer.render(text))


def leaderboard_rows(report: Report) -> dict[str, list[Any]]:
    """The leaderboard's first rows; columns that say nothing are left out."""
    columns = leaderboard.leaderboard_table(
        report.ranked, report.run_ids, report.manifest.objective
    )
    if len(columns["run"]) > 1:
        del columns["run"]  # what varies has columns of its own
    first = {name: column[:ROWS] for name, column in columns.items()}
    return {
        name: column for name, column in first.items() if any(v not in ("", None) for v in column)
    }


def varied_values(ranked: Sequence[RankedRun]) -> dict[str, list[str]]:
    """The values that each setting had which differs between runs."""
    keys = leaderboard.varying_params([s.planned for s in ranked])
    met: dict[str, dict[str, None]] = {key: {} for key in keys}
    for s in ranked:
        settings = recorded_params(s.planned.config)
        for key in met.keys() & settings.keys():
            met[key][settings[key]] = None
    return {key: summarise_values([*values]) for key, values in met.items()}


def summarise_values(values: list[str]) -> list[str]:
    """All values, or of many the first ones and how many there are."""
    try:
        values.sort(key=float)
    except ValueError:
        values.sort()
    few = len(values) <= VALUES
    return values if few else [*values[: VALUES // 2], f"… {len(values)} values up to", values[-1]]


def embedded_pictures(pictures: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Each picture by its name: a PNG as a data URI, a page as its text."""
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
    """The plugins of each kind that any run used, with what they come from."""
    found = {
        (p["kind"], f"{p['distribution']} {p['version']}", p["name"])
        for s in ranked
        for p in s.planned.plugins
    }
    lines: dict[str, list[str]] = {}
    for (kind, source), group in groupby(sorted(found), key=lambda each: each[:2]):
        names = ", ".join(name for *_, name in group)
        lines.setdefault(kind, []).append(f"{names} ({source})")
    return {kind: "; ".join(said) for kind, said in lines.items()}


def format_cell(value: Any) -> str:
    """A value as a table shows it."""
    if isinstance(value, float):
        return f"{value:.5g}" if math.isfinite(value) else ""
    return "" if value is None else str(value)
