"""A sweep, or a run, as what a page about it is made of: from its folder, or from MLflow alone."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.analysis import leaderboard
from harness.analysis.advice import advise
from harness.analysis.leaderboard import RankedRun
from harness.analysis.results import planned_result, sweep_result
from harness.config import plugin_files
from harness.config.build import figures_for
from harness.contracts import DataError
from harness.errors import HarnessError
from harness.figures import draw_all
from harness.store.manifest import Manifest, read_manifest
from harness.store.results import read_result
from harness.store.trials import read_trial_runs
from harness.tracking.artifacts import dump_yaml
from harness.tracking.read_sweep import read_sweep

PLOTS = "plots/"


@dataclass
class Report:
    """All that the page is made of; what is not known is empty."""

    manifest: Manifest
    ranked: Sequence[RankedRun]
    run_ids: Mapping[str, str]
    place: Mapping[str, str]  # where it comes from
    missing: list[str] = field(default_factory=list)  # why it is not whole, or lacks pictures
    config: str = ""  # of the best run, as its advice and some pictures are
    advice: Sequence[str] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)  # of the sweep, by file name
    best_pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def best(self) -> RankedRun | None:
        """The best run; a single run however it ended."""
        if self.manifest.single:
            return next(iter(self.ranked), None)
        return leaderboard.best_run(self.ranked, self.manifest.objective)


def from_folder(folder: Path) -> Report:
    """The report of a run's or sweep's folder, as far as it has got; nothing there is changed."""
    manifest = read_manifest(folder)
    planned = manifest.runs if manifest.search is None else read_trial_runs(folder)
    results = ((run, read_result(folder, run.fingerprint)) for run in planned)
    standings = [leaderboard.ranked_run(run, result) for run, result in results if result]
    ranked = leaderboard.rank(standings, manifest.objective)
    place = {"folder": str(folder), "record": manifest.tracking_uri}
    report = Report(manifest, ranked, {}, place)
    if len(standings) < len(planned):
        command = shlex.join(["harness", "resume", str(folder)])
        left = f"Unfinished: {len(standings)} of {len(planned)} runs are trained; {command}"
        report.missing.append(left)
    if standings:
        _draw(report, folder)
    return report


def _draw(report: Report, folder: Path) -> None:
    """Add its pictures, as far as plugins and data are still there."""
    manifest, best = report.manifest, report.best
    names = manifest.figures["names"] or None  # a sweep may go without; who wants a page does not

    def drawn(scope: str, result: Any) -> dict[str, bytes]:
        files, failed = draw_all(figures_for(names, scope), result)
        report.missing += (f"The figure {name} failed: {error}" for name, error in failed.items())
        return files

    if best is not None:
        report.config = dump_yaml(best.planned.config).decode()
    try:
        plugin_files.use_recorded_folders(manifest.folders)
        if not manifest.single:
            sweep = sweep_result(manifest, folder, report.ranked, {}, None)
            report.pictures = drawn("sweep", sweep)
        if best is not None:
            result = read_result(folder, best.planned.fingerprint)
            run = planned_result(best.planned, result, None, folder)
            report.advice, report.best_pictures = advise(run), drawn("run", run)
    except (HarnessError, DataError) as error:
        report.missing.append(f"Not all pictures could be drawn: {error}")


def from_record(uri: str, asked: str) -> Report:
    """The report of a sweep or run that MLflow holds; UsageError if it holds none by this id."""
    found = read_sweep(uri, asked)
    standings = [leaderboard.ranked_run(run, result) for run, result in found.runs]
    place = {"record": f"{found.manifest.tracking_uri}, {found.manifest.experiment}"}
    place |= {"run": found.top, **found.git}
    ranked = leaderboard.rank(standings, found.manifest.objective)
    report = Report(found.manifest, ranked, found.run_ids, place)
    if (best := report.best) is not None:
        report.advice = found.advice.get(best.planned.fingerprint, "").splitlines()
    if not found.ended:
        report.missing.append("Unfinished: this is how far the record goes.")
    try:
        if not found.manifest.single:
            report.pictures = _plots(found.files(found.top))
        if best is not None:
            files = found.files(found.run_ids[best.planned.fingerprint])
            report.config = files.get("config.yaml", b"").decode(errors="replace")
            report.best_pictures = _plots(files)
            if not files:
                lost = "The files of the best run are not where MLflow looks for them."
                report.missing.append(lost)
    except HarnessError as error:
        report.missing.append(f"The pictures are out of reach: {error}")
    return report


def _plots(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix(PLOTS): f for name, f in files.items() if name.startswith(PLOTS)}
