"""The content of a sweep's parent run: numbers, the best run, a leaderboard as note and table."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis import leaderboard
from harness.analysis.leaderboard import RankedRun
from harness.analysis.sweep_note import write_sweep_note
from harness.store.manifest import Manifest
from harness.tracking.backend.name_limits import fit_lines
from harness.tracking.entities import table_json
from harness.tracking.links import run_link

TABLE = {"path": "leaderboard.json", "type": "table"}  # which the UI shows


def sweep_metrics(ranked: Sequence[RankedRun], objective: Mapping[str, Any]) -> dict[str, float]:
    """Return how many runs ended in which way, and the best value of the objective."""
    tally = leaderboard.count_outcomes(ranked)
    ends = [end for end in ("diverged", "failed", "pruned") if tally[end]]
    metrics = {f"sweep/{end}": float(tally[end]) for end in ("finished", *ends)}
    if (winner := leaderboard.best_run(ranked, objective)) is not None:
        metrics[f"sweep/best {objective['metric']}"] = winner.metrics[objective["metric"]]
    return metrics


def leaderboard_tags(
    ranked: Sequence[RankedRun],
    manifest: Manifest,
    counts: str,
    run_ids: Mapping[str, str],
    experiment_id: str,
    keys: Sequence[str] | None = None,
) -> dict[str, str]:
    """Return the leaderboard as a note, and the id of the best run.

    `keys` are the params that vary, where they are known.
    """

    def link(run: RankedRun) -> str | None:
        run_id = run_ids.get(run.planned.fingerprint)
        return run_id and run_link("", experiment_id, run_id)[1:]

    note = write_sweep_note(ranked, manifest, counts, link, keys) if ranked else counts
    tags = {"mlflow.note.content": fit_lines(note)}
    winner = leaderboard.best_run(ranked, manifest.objective)
    if winner and (best := run_ids.get(winner.planned.fingerprint)):
        tags["best_run_id"] = best
    return tags


def leaderboard_files(
    ranked: Sequence[RankedRun], objective: Mapping[str, Any], run_ids: Mapping[str, str]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the leaderboard as files by their paths, and the tags that make the UI show it."""
    columns = leaderboard.leaderboard_table(ranked, run_ids, objective)
    files = {
        "leaderboard.csv": leaderboard.table_as_csv(columns),
        TABLE["path"]: table_json(columns),
    }
    return files, {"mlflow.loggedArtifacts": json.dumps([TABLE])}
