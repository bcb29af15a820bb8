"""A sweep is stopped, damaged and resumed in any order: each run is there once, truly told."""

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from harness.errors import HarnessError
from harness.store.manifest import read_manifest
from harness.store.results import read_result, result_path
from harness.sweeps import execute
from harness.tracking.sweep_recorder import SweepRecorder
from tests.support.crashes import alike
from tests.support.recorded import client_and_runs

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)


class Crash(BaseException):
    """What nothing catches, as a kill."""


def failing(call, number, before, error):
    """The call, but that its n-th time raises: before it is done, or just afterwards."""
    left = [number]

    def instead(*arguments, **options):
        left[0] -= 1
        if left[0] == 0 and before:
            raise error
        answer = call(*arguments, **options)
        if left[0] == 0:
            raise error
        return answer

    return instead


class Sweep(RuleBasedStateMachine):
    """One folder and what MLflow has of it; `calm` are the results of an undisturbed sweep."""

    def __init__(self, manifest, calm):
        super().__init__()
        self.calm, self.uri = calm, os.environ["MLFLOW_TRACKING_URI"]
        self.kept, self.trained = {}, set()
        self.disk = TemporaryDirectory(prefix="states")
        self.folder = Path(self.disk.name)
        sweep_id = self.folder.name
        execute.begin_sweep(self.folder, replace(manifest, sweep_id=sweep_id, cwd=self.disk.name))

    @rule(number=st.integers(1, 3), before=st.booleans())
    def crash_at_a_durable_write(self, number, before):
        instead = failing(Path.replace, number, before, Crash())
        with patch.object(Path, "replace", instead), suppress(Crash):
            execute.carry_out(self.folder, accept_drift=False)

    @rule(
        name=st.sampled_from(["open", "publish", "finish"]),
        number=st.integers(1, 2),
        before=st.booleans(),
    )
    def fail_to_publish(self, name, number, before):
        error = HarnessError("as if it had been killed there")
        with patch.object(
            SweepRecorder, name, failing(getattr(SweepRecorder, name), number, before, error)
        ):
            execute.carry_out(self.folder, accept_drift=False)

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), truncate=st.booleans())
    def damage_a_result(self, data, truncate):
        name = data.draw(st.sampled_from(sorted(self.kept)))
        path = result_path(self.folder, name)
        content = bytearray(self.kept.pop(name))
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content[: len(content) // 2] if truncate else content)

    @rule()
    def resume(self):
        summary = execute.carry_out(self.folder, accept_drift=False)
        assert summary.publishing_error is None
        assert summary.counts == "3 finished, 0 diverged, 0 failed"
        client, runs = client_and_runs(self.uri, self.folder)
        assert self.states("sweep") == ["FINISHED"]
        assert sorted(run.data.tags["harness.fingerprint"] for run in runs) == sorted(self.calm)
        for run in runs:
            curve = self.calm[run.data.tags["harness.fingerprint"]].curves["train/loss"]
            points = client.get_metric_history(run.info.run_id, "train/loss")
            assert [point.value for point in points] == [*curve.values]

    def states(self, role):
        return [run.info.status for run in client_and_runs(self.uri, self.folder, role)[1]]

    def what_is_trained_stays_and_has_the_bits_of_an_undisturbed_run(self):
        for name, content in self.kept.items():
            assert result_path(self.folder, name).read_bytes() == content
        for name, calm in self.calm.items():
            result = read_result(self.folder, name)
            if result is not None:
                assert alike(result, calm)
                self.kept[name] = result_path(self.folder, name).read_bytes()
                self.trained.add(name)

    @invariant()
    def what_is_said_is_true(self):
        self.what_is_trained_stays_and_has_the_bits_of_an_undisturbed_run()
        told = {
            run.data.tags["harness.fingerprint"]
            for run in client_and_runs(self.uri, self.folder)[1]
            if run.info.status == "FINISHED"
        }
        assert told <= self.trained
        assert self.states("sweep") in ([], ["RUNNING"], ["FINISHED"])

    def teardown(self):
        self.resume()
        self.what_is_trained_stays_and_has_the_bits_of_an_undisturbed_run()
        assert {*self.kept} == {*self.calm}
        self.disk.cleanup()


@pytest.mark.parametrize("examples", [6, pytest.param(100, marks=pytest.mark.soak)])
def test_a_sweep_in_any_state_is_resumed_to_the_same_end(launched, examples):
    folder = launched("-m", "seed=1,2,3", "hydra.output_subdir=null", name="calm")
    manifest = read_manifest(folder)
    calm = {run.fingerprint: read_result(folder, run.fingerprint) for run in manifest.runs}
    few = settings(max_examples=examples, stateful_step_count=5, deadline=None, database=None)
    run_state_machine_as_test(lambda: Sweep(manifest, calm), settings=few)
