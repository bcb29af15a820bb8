"""A sweep, or a run, as what a page about it is made of: from its folder, or from MLflow alone."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import leaderboard, one_file, store
from harness.advice import advise
from harness.artifacts import as_yaml
from harness.compose import figures_for
from harness.contracts import DataError
from harness.errors import HarnessError
from harness.figures import draw_all
from harness.leaderboard import Standing
from harness.results import of_planned, sweep_result
from harness.search.trials import noted
from harness.store import Manifest
from harness.tracking.reading_sweeps import read_sweep

PLOTS = "plots/"


@dataclass(frozen=True)
class Report:
    """All that the page is made of; what is not known is empty."""

    manifest: Manifest
    ranked: Sequence[Standing]
    run_ids: Mapping[str, str]
    place: Mapping[str, str]  # where it comes from
    missing: tuple[str, ...] = ()  # why it is not the whole sweep, or has not all its pictures
    config: str = ""  # of the best run, as its advice and some pictures are
    advice: Sequence[str] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)  # of the sweep, by file name
    best_pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def best(self) -> Standing | None:
        """The best run; a single run however it ended."""
        if self.manifest.single:
            return next(iter(self.ranked), None)
        return leaderboard.best(self.ranked, self.manifest.objective)


def from_folder(folder: Path) -> Report:
    """The report of a run's or sweep's folder, as far as it has got; nothing there is changed."""
    manifest = store.read_manifest(folder)
    planned = manifest.runs if manifest.search is None else noted(folder)
    results = ((run, store.read_result(folder, run.fingerprint)) for run in planned)
    standings = [leaderboard.standing(run, result) for run, result in results if result]
    report = Report(
        manifest,
        leaderboard.rank(standings, manifest.objective),
        {},
        {"folder": str(folder), "record": manifest.tracking_uri},
    )
    if len(standings) < len(planned):
        command = shlex.join(["harness", "resume", str(folder)])
        left = f"Unfinished: {len(standings)} of {len(planned)} runs are trained; {command}"
        report = replace(report, missing=(left,))
    return _drawn(report, folder) if standings else report


def _drawn(report: Report, folder: Path) -> Report:
    """The same with its pictures, as far as plugins and data are still there."""
    manifest, best = report.manifest, report.best
    names = manifest.figures["names"] or None  # a sweep may go without; who wants a page does not
    missing = [*report.missing]

    def drawn(scope: str, result: Any) -> dict[str, bytes]:
        files, failed = draw_all(figures_for(names, scope), result)
        missing.extend(f"The figure {name} failed: {error}" for name, error in failed.items())
        return files

    pictures, of_best = {}, {}
    advice: list[str] = []
    try:
        one_file.recall(manifest.folders)
        if not manifest.single:
            pictures = drawn("sweep", sweep_result(manifest, folder, report.ranked, {}, None))
        if best is not None:
            result = store.read_result(folder, best.planned.fingerprint)
            run = of_planned(best.planned, result, None, folder)
            advice, of_best = advise(run), drawn("run", run)
    except (HarnessError, DataError) as error:
        missing.append(f"Not all pictures could be drawn: {error}")
    return replace(
        report,
        missing=tuple(missing),
        config=as_yaml(best.planned.config).decode() if best else "",
        advice=advice,
        pictures=pictures,
        best_pictures=of_best,
    )


def from_record(uri: str, asked: str) -> Report:
    """The report of a sweep or run that MLflow holds; UsageError if it holds none by this id."""
    found = read_sweep(uri, asked)
    standings = [leaderboard.standing(run, result) for run, result in found.runs]
    place = {"record": f"{found.manifest.tracking_uri}, {found.manifest.experiment}"}
    place |= {"run": found.top, **found.git}
    ranked = leaderboard.rank(standings, found.manifest.objective)
    report = Report(found.manifest, ranked, found.run_ids, place)
    files, of_best, missing, best = {}, {}, [], report.best
    if not found.ended:
        missing.append("Unfinished: this is how far the record goes.")
    try:
        if not found.manifest.single:
            files = found.files(found.top)
        if best is not None:
            of_best = found.files(found.run_ids[best.planned.fingerprint])
            if not of_best:
                missing.append("The files of the best run are not where MLflow looks for them.")
    except HarnessError as error:
        missing.append(f"The pictures are out of reach: {error}")
    return replace(
        report,
        missing=tuple(missing),
        config=of_best.get("config.yaml", b"").decode(errors="replace"),
        advice=found.advice.get(best.planned.fingerprint, "").splitlines() if best else (),
        pictures=_plots(files),
        best_pictures=_plots(of_best),
    )


def _plots(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name.removeprefix(PLOTS): f for name, f in files.items() if name.startswith(PLOTS)}
