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
    """All plugins of a kind; csv, which needs fields, with those given here."""
    for name in plugin_names(kind):
        with suppress(Skip):
            yield from instances(kind, name)
        yield from (load_plugin(kind, name)(**fields) for fields in MORE.get(f"{kind}/{name}", ()))


def compared(kind):
    """The other settings of a kind that are compared with a reference, each once."""
    cases = COMPARED[kind].CASES.values() if kind in COMPARED else ()
    found = {repr(plugins[-1]): plugins[-1] for case in cases for plugins in case.stacks}
    own = {*map(repr, installed(kind))}
    return [plugin for name, plugin in found.items() if name not in own]


def checks(plugins_of):
    """The checks of all kinds, by those plugins."""
    marks = [parametrize_checks(kind, *plugins_of(kind)).mark for kind in KINDS]
    return [case for mark in marks for case in mark.args[1]]


@pytest.mark.parametrize("check", checks(installed))
def test_contract(check):
    check()


@pytest.mark.reference
@pytest.mark.parametrize("check", checks(compared))
def test_contract_with_the_settings_of_the_references(check):
    check()
