"""The log of a search's trials, read: it names the runs that the search asked for."""

import json
from contextlib import suppress
from pathlib import Path

from harness.store.manifest import Planned, planned_from_json

RUNS = "runs"  # noted on a trial: its runs as planned


def read_trial_runs(folder: Path) -> tuple[Planned, ...]:
    """The runs that the log of a search names; it may be written meanwhile, and is only read."""
    found: dict[str, Planned] = {}
    path = folder / "trials.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(ValueError):  # a last line that is not whole yet
            for run in json.loads(line).get("user_attr", {}).get(RUNS, ()):
                found[run["fingerprint"]] = planned_from_json(run)
    return tuple(found.values())
