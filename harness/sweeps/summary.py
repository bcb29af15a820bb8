"""Sum up how a sweep (or a single run) ended, or was cut short."""

from dataclasses import dataclass, field
from pathlib import Path

from harness.analysis import leaderboard
from harness.analysis.leaderboard import RankedRun
from harness.analysis.results import sweep_result
from harness.config.build import build
from harness.contracts import SweepResult
from harness.engines import Engine
from harness.errors import HarnessError
from harness.store.manifest import Manifest
from harness.sweeps.split_checks import why_not_a_number

LONG = 60.0  # seconds after which it is worth a word that other engines are faster


@dataclass
class Summary:
    """The outcome of a sweep or a single run, for its closing lines and for Python."""

    directory: Path
    manifest: Manifest
    uri: str
    ranked: list[RankedRun] = field(default_factory=list)
    run_ids: dict[str, str] = field(default_factory=dict)
    parent_run_id: str | None = None
    publishing_error: HarnessError | None = None
    total: int = 0  # of runs; so far as is known, for a search
    seconds: float = 0.0

    @property
    def trained_long(self) -> bool:
        """Whether more processes would have helped: training took most of a long time."""
        spent = sum(s.metrics.get("train/seconds", 0.0) for s in self.ranked)
        serial = Engine(**self.manifest.launcher).engine == "serial"
        return serial and len(self.ranked) > 1 and spent > self.seconds / 2 > LONG / 2

    @property
    def best(self) -> RankedRun | None:
        """The best run, if any ended well."""
        return leaderboard.best_run(self.ranked, self.manifest.objective)

    @property
    def result(self) -> SweepResult:
        """The outcome as `harness.sweep` returns it."""
        return sweep_result(
            self.manifest, self.directory, self.ranked, self.run_ids, self.parent_run_id
        )

    @property
    def counts(self) -> str:
        """The counts of outcomes, as in `36 finished, 0 diverged, 0 failed`."""
        return leaderboard.format_counts(self.ranked, self.manifest)

    @property
    def unranked(self) -> str:
        """Why runs that ended well are not ranked; an empty text if all of them are."""
        objective = self.manifest.objective
        every = [s for s in self.ranked if s.outcome == "ok"]
        for metric in leaderboard.objective_metrics(objective):
            if lacking := leaderboard.finished_without(every, metric):
                reason = why_not_a_number(metric, build(lacking[0].planned.config))
                text = f"{metric} is not a number for {len(lacking)} of {len(every)} finished runs"
                text += "" if self.best else ", so that none is best"
                return f"{text}: {reason}" if reason else text
        return ""

    @property
    def unwell(self) -> list[RankedRun]:
        """The runs that failed or diverged."""
        return [s for s in self.ranked if s.outcome in ("failed", "diverged")]


class StoreLost(HarnessError):
    """Raised when a required store, or the disk, fails; all results so far are kept."""

    def __init__(self, summary: Summary, error: HarnessError) -> None:
        super().__init__(str(error))
        self.summary, self.exit_code = summary, error.exit_code


class Interrupted(KeyboardInterrupt):
    """Raised after a signal; all results so far are kept, and `summary` says where."""

    def __init__(self, summary: Summary, cause: BaseException) -> None:
        super().__init__()
        self.summary, self.cause = summary, cause
