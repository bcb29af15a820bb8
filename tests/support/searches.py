"""What tests of searches share."""

import json

import harness as api
from tests.support.commands import SHORT, merged

RATE = "optimizer.learning_rate=tag(log,interval(1e-3,1))"
OPTUNA = ["hydra/sweeper=optuna", "hydra.sweep.dir=here", *SHORT]


def search(*arguments):
    return api.sweep(merged(*OPTUNA, *arguments))


def journal(folder):
    """What the log of a search says, entry by entry."""
    return [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
