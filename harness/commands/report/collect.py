"""Collect the contents of a report on a sweep or run, from its folder or from MLflow."""

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
    """The contents of a report; unknown parts are empty."""

    manifest: Manifest
    ranked: Sequence[RankedRun]
    run_ids: Mapping[str, str]
    place: Mapping[str, str]  # the folder or the record that was read
    missing: list[str] = field(default_factory=list)  # sentences on runs and pictures that lack
    config: str = ""  # of the best run; so are the advice and the best pictures
    advice: Sequence[str] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)  # of the sweep, by file name
    best_pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def best(self) -> RankedRun | None:
        """The best run, or a single run in any case; None if no run ended well."""
        if self.manifest.single:
            return next(iter(self.ranked), None)
        return leaderboard.best_run(self.ranked, self.manifest.objective)


def from_folder(folder: Path) -> Report:
    """Return the report of a folder, also of an unfinished one; change nothing in it."""
    manifest = read_manifest(folder)
    planned = manifest.runs if manifest.search is None else read_trial_runs(folder)
    results = ((run, read_result(folder, run.fingerprint)) for run in planned)
    trained = [leaderboard.ranked_run(run, result) for run, result in results if result]
    ranked = leaderboard.rank(trained, manifest.objective)
    place = {"folder": str(folder), "record": manifest.tracking_uri}
    report = Report(manifest, ranked, {}, place)
    if len(trained) < len(planned):
        command = shlex.join(["harness", "resume", str(folder)])
        state = f"Unfinished: {len(trained)} of {len(planned)} runs are trained; {command}"
        report.missing.append(state)
    if trained:
        _draw(report, folder)
    return report


def _draw(report: Report, folder: Path) -> None:
    """Add advice and pictures, as far as plugins and data are still there."""
    manifest, best = report.manifest, report.best
    names = manifest.figures["names"] or None  # a page has figures also if the sweep had none

    def draw(scope: str, result: Any) -> dict[str, bytes]:
        files, failed = draw_all(figures_for(names, scope), result)
        report.missing += (f"The figure {name} failed: {error}" for name, error in failed.items())
        return files

    if best is not None:
        report.config = dump_yaml(best.planned.config).decode()
    try:
        plugin_files.use_recorded_folders(manifest.folders)
        if not manifest.single:
            sweep = sweep_result(manifest, folder, report.ranked, {}, None)
            report.pictures = draw("sweep", sweep)
        if best is not None:
            result = read_result(folder, best.planned.fingerprint)
            run = planned_result(best.planned, result, None, folder)
            report.advice, report.best_pictures = advise(run), draw("run", run)
    except (HarnessError, DataError) as error:
        report.missing.append(f"Not all pictures could be drawn: {error}")


def from_record(uri: str, asked: str) -> Report:
    """Return the report of a sweep or run in MLflow; raise UsageError if the id is unknown."""
    found = read_sweep(uri, asked)
    runs = [leaderboard.ranked_run(run, result) for run, result in found.runs]
    place = {"record": f"{found.manifest.tracking_uri}, {found.manifest.experiment}"}
    place |= {"run": found.top, **found.git}
    ranked = leaderboard.rank(runs, found.manifest.objective)
    report = Report(found.manifest, ranked, found.run_ids, place)
    if (best := report.best) is not None:
        report.advice = found.advice.get(best.planned.fingerprint, "").splitlines()
    if not found.ended:
        report.missing.append("Unfinished: the page shows what was recorded so far.")
    try:
        if not found.manifest.single:
            report.pictures = _plots(found.files(found.top))
        if best is not None:
            files = found.files(found.run_ids[best.planned.fingerprint])
            report.config = files.get("config.yaml", b"").decode(errors="replace")
            report.best_pictures = _plots(files)
            if problem := found.missing(found.run_ids[best.planned.fingerprint]):
                report.missing.append(f"{problem[0].upper()}{problem[1:]}.")
    except HarnessError as error:
        report.missing.append(f"The pictures are out of reach: {error}")
    return report


def _plots(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix(PLOTS): f for name, f in files.items() if name.startswith(PLOTS)}
