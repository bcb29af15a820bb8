"""Read the log of a search's trials: it names the runs that the search asked for."""

import json
from contextlib import suppress
from pathlib import Path

from harness.store.manifest import Planned, planned_from_json

RUNS = "runs"  # user attribute of a trial: its runs as planned


def read_trial_runs(folder: Path) -> tuple[Planned, ...]:
    """Return the runs that the log of a search names; another process may be writing it."""
    found: dict[str, Planned] = {}
    path = folder / "trials.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(ValueError):  # the last line may be half written
            for run in json.loads(line).get("user_attr", {}).get(RUNS, ()):
                found[run["fingerprint"]] = planned_from_json(run)
    return tuple(found.values())
