"""A stranger's plugin is checked unasked when a run first uses it; the run goes on."""

import logging

import pytest

from harness.checks import running
from harness.store.files import user_cache
from harness.sweeps.plan import plan_runs, requested_run
from tests.conftest import make_config
from tests.support.strangers import forget, strangers

SOURCE = """
from dataclasses import dataclass
import numpy as np

@dataclass(frozen=True)
class Bent:
    '''h = tanh az.'''

    a: float = 1.0

    def __call__(self, z):
        return np.tanh(self.a * z)

    def derivative(self, z, h):
        return SLOPE
"""
WRONG, RIGHT = "1 - h * h", "self.a * (1 - h * h)"
CONFIG = make_config(activation={"name": "bent", "a": 2.0})


@pytest.fixture
def planned(tmp_path, monkeypatch, caplog):
    """Plan a run with an activation of this slope as a new process does: the warnings, checks."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = []
    original = running.outcome

    def outcome(check, plugin, kind):
        asked.append(kind)
        return original(check, plugin, kind)

    monkeypatch.setattr(running, "outcome", outcome)
    with strangers(tmp_path / "site-packages") as installed:

        def plan(slope=None, config=CONFIG):
            if slope is not None and not installed.modules:
                installed.install("bent", SOURCE.replace("SLOPE", slope), activation__bent="Bent")
            forget()
            caplog.clear()
            asked.clear()
            with caplog.at_level(logging.WARNING):
                assert len(plan_runs([requested_run(0, (), config)], single=True)) == 1
            return [record.getMessage() for record in caplog.records], [*asked]

        yield plan


def test_a_wrong_slope_is_warned_of_and_the_run_goes_on(planned):
    [warning], _ = planned(WRONG)
    assert "derivative_is_its_slope" in warning
    assert "at z = " in warning
    assert warning.endswith("harness check activation/bent")


def test_a_plugin_is_checked_once_and_its_failure_is_remembered(planned):
    first, checks = planned(WRONG)
    assert checks
    assert planned() == (first, [])


def test_what_is_right_and_what_is_built_in_is_not_spoken_of(planned):
    assert planned(RIGHT) == ([], ["activation", "activation"])
    assert planned(RIGHT) == ([], [])
    assert planned(config=make_config()) == ([], [])


@pytest.mark.parametrize("slope", ["1 / 0", "exit(3)", "None"])
def test_nothing_that_a_check_meets_stops_a_run(planned, slope):
    [warning], _ = planned(slope)
    assert "harness check activation/bent" in warning


def test_a_cache_that_cannot_be_written_is_fine(planned, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert planned(WRONG) == planned(WRONG)
    assert planned(WRONG)[1]


def test_what_goes_wrong_inside_is_silent(planned, monkeypatch):
    monkeypatch.setattr(running, "checks_of", lambda kind: {})
    assert planned(WRONG) == ([], [])
    assert not user_cache().exists()


def test_a_missing_method_is_refused_when_the_run_is_planned(planned):
    with pytest.raises(Exception, match="has no `derivative`: activation"):
        planned("0\n\n    slope = derivative\n    del derivative")
