"""What the parent run says of a sweep: while it goes on, and at its end."""

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from harness.analysis import leaderboard
from harness.analysis.leaderboard import RankedRun, format_counts, varying_params
from harness.analysis.sweep_note import write_sweep_note
from harness.store.manifest import Manifest
from harness.tracking.backend.name_limits import fit_lines
from harness.tracking.links import run_link
from harness.tracking.sweep_recorder import SweepRecorder

LOOK_SECONDS = 3.0  # between two looks at how far the sweep is
SHARE = 20  # a look is not taken until so many times its own duration have passed


class ParentRun:
    """The leaderboard of a sweep on its parent run, as far as the sweep is."""

    def __init__(
        self,
        publisher: SweepRecorder,
        manifest: Manifest,
        directory: Path,
        run_ids: Mapping[str, str],
        whole: bool,
    ) -> None:
        self.publisher, self.manifest, self.run_ids = publisher, manifest, run_ids
        self.directory, self.whole = directory, whole
        self._ended: list[RankedRun] = []
        self._due = time.monotonic() + LOOK_SECONDS

    def add(self, standing: RankedRun) -> None:
        """Take note of a run that ended and is published."""
        self._ended.append(standing)

    def show(self) -> None:
        """Say how far the sweep is, if it is time to."""
        began = time.monotonic()
        if began < self._due or self.manifest.single or self.publisher.finished:
            return
        trained = sum(1 for _ in (self.directory / "results").glob("*.npz"))  # by others, too
        self.publisher.progress({"sweep/trained": float(trained)})
        if self.whole:
            self._show_best()
        now = time.monotonic()
        self._due = now + max(LOOK_SECONDS, SHARE * (now - began))

    def _show_best(self) -> None:
        """Say what ended how, and what is best so far; for one who sees all runs of the sweep."""
        objective = self.manifest.objective
        ranked = leaderboard.rank(self._ended, objective)
        known = len(self.manifest.runs)  # a search does not know yet
        of = f" of {known}" if known else ""
        said = f"{len(ranked)}{of} runs done: {format_counts(ranked)}"
        text = (
            write_sweep_note(ranked, self.manifest, said, self.link, self._keys)
            if ranked
            else said
        )
        self.publisher.progress(self.numbers(ranked))
        if parent := self.publisher.parent_run_id:
            about = {"mlflow.note.content": fit_lines(text), **self.best_tag(ranked)}
            self.publisher.add_tags(parent, about)

    def finish(
        self, ranked: Sequence[RankedRun], counted: str, status: str, plots: Mapping[str, bytes]
    ) -> None:
        """End the parent with all that is known, and the pictures of the sweep."""
        columns = leaderboard.leaderboard_table(ranked, self.run_ids, self.manifest.objective)
        self.publisher.finish(
            note=write_sweep_note(ranked, self.manifest, counted, self.link),
            files={"leaderboard.csv": leaderboard.table_as_csv(columns), **plots},
            table=columns,
            tags=self.best_tag(ranked),
            metrics=self.numbers(ranked),
            status=status,
        )

    def numbers(self, ranked: Sequence[RankedRun]) -> dict[str, float]:
        """How the runs ended, and the best value of the objective."""
        tally = leaderboard.count_outcomes(ranked)
        ends = [end for end in ("diverged", "failed") if tally[end]]
        numbers = {f"sweep/{end}": float(tally[end]) for end in ("finished", *ends)}
        objective = self.manifest.objective
        if (winner := leaderboard.best_run(ranked, objective)) is not None:
            numbers[f"sweep/best {objective['metric']}"] = winner.metrics[objective["metric"]]
        return numbers

    def best_tag(self, ranked: Sequence[RankedRun]) -> dict[str, str]:
        """Which run is best, as a tag."""
        winner = leaderboard.best_run(ranked, self.manifest.objective)
        best = self.run_ids.get(winner.planned.fingerprint) if winner else None
        return {"best_run_id": best} if best else {}

    def link(self, standing: RankedRun) -> str | None:
        """Where the UI shows a run, from another of its pages."""
        run_id = self.run_ids.get(standing.planned.fingerprint)
        return run_id and run_link("", self.publisher.experiment_id, run_id)[1:]

    @cached_property
    def _keys(self) -> list[str] | None:
        """What varies: looked up once, for there may be many thousands of runs."""
        return varying_params(self.manifest.runs) if self.manifest.runs else None
