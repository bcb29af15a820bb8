"""From disk to MLflow, beside the training: draws and publishes each result as it comes."""

import json
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from harness import leaderboard, store
from harness.compose import build, figures_for
from harness.contracts import RunResult
from harness.data import prepare_for
from harness.errors import HarnessError
from harness.figures import draw_all
from harness.leaderboard import Standing
from harness.net import run_result, scaling_of
from harness.recording import as_text, params
from harness.store import Manifest, Planned, Result, read_result, weights_npz
from harness.tracking.publisher import Publisher

log = logging.getLogger(__name__)

WAITING = 256  # results held in memory until they are published; the others wait on disk


class Publishing:
    """One thread that owns the connection to MLflow; training never waits for it.

    When the store is out of reach it says so once and leaves the rest for `harness resume`.
    """

    def __init__(self, uri: str, manifest: Manifest, directory: Path) -> None:
        self.manifest, self.directory = manifest, directory
        self.publisher = Publisher(uri, manifest, directory)
        self.run_ids: dict[str, str] = {}
        self.error: HarnessError | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publishing")
        self._waiting = 0
        self._news = False  # whether anything was published that was not there
        self._thread.submit(self._guard, self._open)

    def _open(self) -> None:
        with store.lock(self.directory):  # other jobs of the sweep must not make a second parent
            self.publisher.open()

    def submit(self, planned: Planned, result: Result) -> None:
        """Publish a result, or a snapshot of a run that is still going on."""
        held = result if self._waiting < WAITING or result.outcome == "running" else None
        self._waiting += 1
        self._thread.submit(self._guard, self._publish, planned, held)

    def finish(self, ranked: list[Standing], counts: str, status: str) -> None:
        """Wait for all that was submitted, then write what is known of the sweep as a whole."""
        self._thread.submit(self._guard, self._finish, ranked, counts, status).result()

    def close(self) -> None:
        """Wait for all that was submitted."""
        self._thread.shutdown(wait=True)

    def _guard(self, call: Any, *arguments: Any) -> None:
        """One call on the thread; after a tracking error nothing more is tried."""
        if self.error is None:
            try:
                call(*arguments)
            except HarnessError as error:
                self.error = error
                log.warning("nothing more is published, training goes on: %s", error)
            except Exception as error:  # a bug here must not lose what is trained
                log.debug("publishing failed", exc_info=True)
                self.error = HarnessError(f"publishing failed: {type(error).__name__}: {error}")

    def _publish(self, planned: Planned, held: Result | None) -> None:
        self._waiting -= 1
        result = held or read_result(self.directory, planned.fingerprint)
        if result is None:
            return
        if there := self.publisher.published(planned, result):
            self.run_ids[planned.fingerprint] = there
            return
        self._news = True
        final = result.outcome != "running"
        files = self._files(planned, result) if final else {}
        run_id = self.publisher.publish(
            planned, result, files, params(planned.config), self._tags(planned, result)
        )
        self.run_ids[planned.fingerprint] = run_id
        if final and result.weights and self._keeps_model(planned):
            self._attach_model(run_id, planned, result)

    def _keeps_model(self, planned: Planned) -> bool:
        kept = planned.config["tracking"]["model"]
        return kept == "all" or (kept == "best" and self.manifest.single)

    def _attach_model(self, run_id: str, planned: Planned, result: Result) -> None:
        prepared = prepare_for(build(planned.config).member)
        self.publisher.attach_model(run_id, planned, result, prepared.data, scaling_of(prepared))

    def _tags(self, planned: Planned, result: Result) -> dict[str, str]:
        tags = {str(k): as_text(v) for k, v in planned.config["tracking"]["tags"].items()}
        tags |= {
            "harness.outcome": result.outcome,
            "harness.plugins": json.dumps(list(planned.plugins)),
            "harness.numerics": json.dumps(self.manifest.numerics),
            "hydra.overrides": " ".join(planned.overrides),
        }
        if result.reason:
            tags["harness.reason"] = result.reason
        return tags

    def _files(self, planned: Planned, result: Result) -> dict[str, bytes]:
        """A run's artifacts by their path in MLflow."""
        text = yaml.safe_dump(planned.config, sort_keys=False, allow_unicode=True)
        files = {"config.yaml": text.encode()}
        if result.weights:
            files["weights.npz"] = weights_npz(result.weights)
        if result.traceback:
            files["traceback.txt"] = result.traceback.encode()
        if result.outcome == "diverged":
            files["divergence.json"] = divergence(planned, result)
        shown = self.manifest.figures
        names = shown["names"] if self.manifest.single else shown["members"]
        return files | self._plots(planned, result, names)

    def _plots(self, planned: Planned, result: Result, names: Any) -> dict[str, bytes]:
        if names == [] or not result.curves:
            return {}
        drawn, failed = draw_all(figures_for(names), self.result_of(planned, result))
        for name, error in failed.items():
            log.warning("figure %s of %s: %s: %s", name, planned.name, type(error).__name__, error)
        return {f"plots/{file}": content for file, content in drawn.items()}

    def result_of(self, planned: Planned, result: Result) -> RunResult:
        """A run as figures and people see it."""
        return run_result(
            planned.config,
            result.weights,
            run_id=self.run_ids.get(planned.fingerprint),
            name=planned.name,
            outcome=result.outcome,
            curves={key: (c.steps, c.values) for key, c in result.curves.items()},
            metrics=dict(result.metrics),
            best_epoch=result.best_epoch,
            fingerprint=planned.fingerprint,
            directory=self.directory,
        )

    def _finish(self, ranked: list[Standing], counts: str, status: str) -> None:
        if not self._news and self.publisher.finished:
            return
        objective = self.manifest.objective
        winner = leaderboard.best(ranked, objective)
        columns = leaderboard.table(ranked, self.run_ids, objective)
        tags = {"harness.numerics": json.dumps(self.manifest.numerics)}
        if winner:
            tags["best_run_id"] = self.run_ids[winner.planned.fingerprint]
            self._show_best(ranked)
        self.publisher.finish(
            note=leaderboard.note(columns, self.manifest, counts),
            files={"leaderboard.csv": leaderboard.as_csv(columns)},
            table=columns,
            tags=tags,
            metrics=self._progress(ranked, winner),
            status=status,
        )

    def _progress(self, ranked: list[Standing], winner: Standing | None) -> Mapping[str, float]:
        numbers = {"sweep/finished": float(sum(s.outcome == "ok" for s in ranked))}
        if winner:
            metric = self.manifest.objective["metric"]
            numbers[f"sweep/best {metric}"] = winner.metrics[metric]
        return numbers

    def _show_best(self, ranked: list[Standing]) -> None:
        """All figures for the best runs, and the best one's model."""
        for place, s in enumerate(ranked[: max(self.manifest.figures["best"], 1)]):
            result = read_result(self.directory, s.planned.fingerprint)
            if result is None or s.outcome != "ok":
                continue
            run_id = self.run_ids[s.planned.fingerprint]
            if place < self.manifest.figures["best"]:
                plots = self._plots(s.planned, result, self.manifest.figures["names"])
                self.publisher.add_files(run_id, plots)
            if place == 0 and s.planned.config["tracking"]["model"] == "best":
                self._attach_model(run_id, s.planned, result)


def divergence(planned: Planned, result: Result) -> bytes:
    """When a run diverged, and with what settings."""
    about = {
        "reason": result.reason,
        "last_finite_epoch": result.last_epoch,
        "params": params(planned.config),
    }
    return json.dumps(about, indent=1).encode()
