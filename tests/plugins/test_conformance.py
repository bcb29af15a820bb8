"""Every installed plugin keeps the contract, with its defaults and with other settings."""

from contextlib import suppress
from pathlib import Path

import pytest

from harness.checks import Skip, parametrize_checks
from harness.checks.running import instances
from harness.config.registry import load_plugin, plugin_names
from harness.contracts import KINDS
from tests.plugins.references import (
    activations,
    initializers,
    losses,
    metrics,
    models,
    optimizers,
    schedules,
)

TABLE = str(Path(__file__).parent / "cities.csv")
# Besides each plugin with its defaults, settings that take another way through the code.
MORE = {
    "dataset/blobs": [{"samples": 7, "noise": 0.0, "classes": 5, "features": 3}],
    "dataset/checkerboard": [{"samples": 7, "squares": 3}],
    "dataset/classification": [{"features": 99, "informative": 70, "classes": 5}],
    "dataset/csv": [{"path": TABLE, "target": "rent"}, {"path": TABLE, "target": "country"}],
    "dataset/surface": [{"samples": 1}],
    "schedule/step": [{"every": 3, "factor": 0.9}],
    "schedule/warmup_cosine": [{"warmup": 0.0}],
}
# Those that are compared with a reference have many settings there.
COMPARED = {
    "activation": activations,
    "optimizer": optimizers,
    "loss": losses,
    "schedule": schedules,
    "initializer": initializers,
    "model": models,
    "metric": metrics,
}


def installed(kind):
    """Return the plugins of a kind, each setting once: a plugin that is equal is shown alike."""
    return {repr(plugin): plugin for plugin in configured(kind)}.values()


def configured(kind):
    """All plugins of a kind; csv, which needs fields, with those given here."""
    for name in plugin_names(kind):
        with suppress(Skip):
            yield from instances(kind, name)
        yield from (load_plugin(kind, name)(**fields) for fields in MORE.get(f"{kind}/{name}", ()))
    if kind in COMPARED:
        stacks = [plugins for case in COMPARED[kind].CASES.values() for plugins in case.stacks]
        yield from (plugins[-1] for plugins in stacks)


MARKS = [parametrize_checks(kind, *installed(kind)).mark for kind in KINDS]


@pytest.mark.parametrize("check", [case for mark in MARKS for case in mark.args[1]])
def test_contract(check):
    check()
