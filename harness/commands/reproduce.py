"""`harness reproduce RUN_ID`: train a recorded run again, and say whether it is the same."""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.differences import (
    FINALS,
    Curves,
    RunOutcome,
    compare_outcomes,
    differing_environment,
    differing_items,
    run_environment,
    verdict,
)
from harness.commands.signals import tidy_signals
from harness.config.build import build, forget_builds
from harness.contracts import Array
from harness.engines.failures import failed_result
from harness.errors import UsageError, is_interruption
from harness.store.params import Config, recorded_params
from harness.store.results import Curve, Result
from harness.sweeps.drift import installed_plugin
from harness.sweeps.progress import LINE_SECONDS
from harness.sweeps.provenance import current_numerics, dataset_inputs
from harness.tracking.backend.name_limits import fit_name
from harness.tracking.backend.uri import tracking_uri
from harness.training.runtime import single_threaded_numpy
from harness.training.session import TrainingSession
from harness.training.stack import Member

if TYPE_CHECKING:
    from harness.tracking.read_run import Record

MOST = 1_000_000  # points that are kept of a curve
CUT_OFF = ("max_seconds", "pruned", "run.timeout")  # reasons that are not the run's own
HERE: Config = {"uri": None, "experiment": None, "run_name": None, "tags": {}}  # not recorded


def main(arguments: list[str]) -> int:
    """Compare a run with its record; 0 if it is the same, else 1."""
    from harness.tracking.read_run import read_run

    parser = argparse.ArgumentParser(prog="harness reproduce", description=__doc__)
    parser.add_argument("run", help="the id of a recorded run, its beginning, or a fingerprint")
    asked = parser.parse_args(arguments).run
    with tidy_signals():
        record = read_run(tracking_uri(None, Path.cwd()), asked)
        config = require_reproducible(record)
        with record.plugins_at_hand():
            changed = recorded_changes(record, config)
            print(f"run: {record.run_id} {record.name}", flush=True)
            for key, (was, now) in changed.items():
                print(f"differs: {key}: {was} was recorded, there is {now}", flush=True)
            left = train_again(config, record)
    curves = {key: curve for key, curve in record.curves.items() if key.startswith(FINALS)}
    recorded = RunOutcome(recorded_ending(record), curves, record.metrics, record.weights)
    if recorded.end != left.end:
        said = f"different: recorded as {recorded.end}, and here {left.end}"
    else:
        found = compare_outcomes(recorded, only_recorded(left, recorded))
        for each in found:
            print(f"{each.what}: {each.told}")
        said = verdict(found)
    if said.startswith("different") and changed:
        said += f" ({', '.join(changed)} differ{'s' if len(changed) == 1 else ''})"
    print(f"verdict: {said}", flush=True)
    return 1 if said.startswith("different") else 0


def require_reproducible(record: "Record") -> Config:
    """The config of a run that has ended by itself; UsageError says what else the record is of."""
    run, tags = f"run {record.run_id}", record.tags
    if tags.get("harness.role") == "sweep":
        best = tags.get("best_run_id")
        hint = f": its best is {best}" if best else ""
        raise UsageError(f"{run} is a whole sweep; reproduce one of its runs{hint}")
    if record.outcome in ("", "stopped") and "harness.role" in tags:
        state = "was stopped" if record.outcome else "has not ended"
        raise UsageError(f"{run} {state}\nharness resume {tags.get('harness.folder')} finishes it")
    if record.outcome == "failed" and not record.curves:
        reason = tags.get("harness.reason", "see its traceback.txt")
        raise UsageError(f"{run} failed, and left nothing to compare with\n{reason}")
    config = record.settings
    quiet: Config = {"names": [], "members": []}
    return config | {
        "tracking": {**config.get("tracking", {}), **HERE},
        "figures": {**config.get("figures", {}), **quiet},
    }


def recorded_changes(record: "Record", config: Config) -> dict[str, tuple[str, str]]:
    """What the numbers depend on that is not as recorded; PluginError if a plugin is gone."""
    forget_builds()
    plugins = [installed_plugin(plugin) for plugin in record.tagged("harness.plugins") or ()]
    member = build(config)
    now = run_environment(plugins, dataset_inputs(member, config), current_numerics(member.dtype))
    return differing_items(record.params, recorded_params(config)) | differing_environment(
        record.surroundings, now
    )


def recorded_ending(record: "Record") -> str:
    """How the run ended, in words that a run trained again can end with, too."""
    reason = record.tags.get("harness.reason", "").partition(";")[0]
    if reason.startswith(CUT_OFF):
        return f"ok at epoch {last_epoch(record.curves)}"
    return format_ending(record.outcome, reason, record.curves)


def format_ending(outcome: str, reason: str, curves: Curves) -> str:
    """As `ok at epoch 100`, or `diverged: loss or weights not finite at epoch 7`."""
    if outcome == "ok":
        return f"ok at epoch {last_epoch(curves)}"
    return f"{outcome}: {reason}" if reason else outcome


def last_epoch(curves: Curves) -> int:
    """That of the last point; a run that ended before its first epoch has no curve."""
    return int(curves["train/loss"][0][-1]) if "train/loss" in curves else 0


def only_recorded(left: RunOutcome, recorded: RunOutcome) -> RunOutcome:
    """Return a run's outcome without curves and finals that the record of it does not have.

    A later version may measure more than the one that recorded the run.
    """
    curves = {key: curve for key, curve in left.curves.items() if key in recorded.curves}
    finals = {key: value for key, value in left.finals.items() if key in recorded.finals}
    return left._replace(curves=curves, finals=finals)


def train_again(config: Config, record: "Record") -> RunOutcome:
    """What the run leaves here; where time or a search cut it off, it ends at that epoch."""
    member = replace(build(config), timeout=None, checkpoint_seconds=None, max_seconds=None)
    if record.tags.get("harness.reason", "").startswith(CUT_OFF):
        last = last_epoch(record.curves)
        member = replace(member, last_epoch=last, max_seconds=None if last else 1e-9)
    asked = {key: steps for key, (steps, _) in record.curves.items() if key.endswith("/loss")}
    if "train/loss" in asked:  # also the points between, which a long run shows on its way
        every = int(np.gcd.reduce(asked["train/loss"][:-1]))
        member = replace(member, log_every=max(every, member.epochs // MOST) or 1)
    *_, result = train_snapshots(member, config)
    curves = {
        fit_name(key): _finite(c, asked.get(fit_name(key), c.steps))
        for key, c in result.curves.items()
    }
    finals = {fit_name(key): value for key, value in result.metrics.items()}
    for key in curves.keys() & finals.keys():  # a final takes the place of a point of its history
        steps, values = (part[curves[key][0] != result.last_epoch] for part in curves[key])
        curves[key] = np.append(steps, result.last_epoch), np.append(values, finals[key])
    latest = {key: float(values[-1]) for key, (_, values) in curves.items() if len(values)}
    several = {key: points for key, points in curves.items() if len(points[0]) > 1}
    end = format_ending(result.outcome, result.reason, several)
    return RunOutcome(end, several, latest | finals, result.weights)


def _finite(curve: Curve, steps: Array) -> tuple[Array, Array]:
    """The finite points at these steps, and the last one."""
    kept = np.isfinite(curve.values) & np.isin(curve.steps, [*steps, *curve.steps[-1:]])
    return curve.steps[kept], curve.values[kept]


def train_snapshots(member: Member, config: Config) -> Iterator[Result]:
    """Snapshots of the run, trained alone, and its result; the epoch is shown meanwhile."""
    on_terminal, said = sys.stderr.isatty(), time.perf_counter()
    try:
        with single_threaded_numpy():
            for result in (
                one for some in TrainingSession([member], [""]).results() for one in some
            ):
                yield result
                now = time.perf_counter()
                if result.outcome == "running" and (on_terminal or now - said > LINE_SECONDS):
                    said = now
                    line = f"training: epoch {result.last_epoch} of {member.epochs}"
                    print(line, file=sys.stderr, end="\r" if on_terminal else "\n", flush=True)
    except BaseException as error:
        if is_interruption(error):
            raise
        yield failed_result("", config, error)
    finally:
        if on_terminal:
            print("\x1b[2K", file=sys.stderr, end="\r", flush=True)
