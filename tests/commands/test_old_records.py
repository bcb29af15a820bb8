"""Records of harness 0.1.0 are read, resumed, reproduced and served by this version."""

import json

import mlflow
import numpy as np
import pytest

from harness.config.build import build
from harness.config.plugin_files import VARIABLE
from harness.errors import UsageError
from harness.store import npz
from harness.store.manifest import read_manifest, write_manifest
from harness.store.results import pack_result, read_result, unpack_result
from harness.store.trials import read_trial_runs
from harness.sweeps.provenance import current_numerics
from harness.tracking.model import describe_model
from harness.training.data import prepare_for
from tests.support.commands import closing_lines
from tests.support.recorded import QUIET
from tests.support.records import ROOT, UNTOUCHED, expected, reseal, run, unpack
from tests.support.strangers import forget

pytestmark = QUIET
OLD = "planned by harness 0.1.0, this is "
BY_MACHINE = ("numpy: ", "blas: ", "core: ")  # what may differ besides the version of harness
RUNS = [("csv", 0), ("diverged", 0), ("finished", 0), ("search", 3), ("model", 0), ("model", 1)]


def drift(done):
    """Return what a refused `resume` says of drift, without what this machine's NumPy adds."""
    assert (done.code, done.out) == (2, "")
    _, found, accept = done.err.splitlines()
    assert accept.strip() == "--accept-drift trains them with what is there now"
    return [line for line in found.strip().split("; ") if not line.startswith(BY_MACHINE)]


def trained_weights(folder):
    """Return the weights of each result in a sweep's folder, by fingerprint."""
    results = [read_result(folder, path.stem) for path in folder.glob("results/*.npz")]
    return {result.fingerprint: result.weights for result in results}


def assert_same(weights, recorded, numerics):
    """Fail unless weights have the recorded bits, or are near where NumPy is another build."""
    here = current_numerics("float64")
    alike = all(here[key] == numerics[key] for key in ("numpy", "blas"))
    for layer, old in zip(weights, recorded, strict=True):
        np.testing.assert_allclose(layer, np.array(old), rtol=0 if alike else 1e-6)


def assert_kept(old, new):
    """Fail unless `new` has everything that `old` has, under the same keys."""
    if isinstance(old, dict):
        assert old.keys() <= new.keys()
        for key, value in old.items():
            assert_kept(value, new[key])
    elif isinstance(old, list):
        assert len(old) == len(new)
        for each, other in zip(old, new, strict=True):
            assert_kept(each, other)
    else:
        assert old == new


def test_a_manifest_as_0_1_0_sealed_it_is_accepted_and_a_changed_one_is_not(tmp_path):
    unpack(tmp_path, UNTOUCHED)
    text = (tmp_path / UNTOUCHED).read_text(encoding="utf-8")
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    assert read_manifest(tmp_path).cwd == f"{ROOT}/killed"
    assert reseal(text) == text
    (tmp_path / "manifest.json").write_text(text.replace('"seed": 1', '"seed": 2'))
    with pytest.raises(UsageError, match="changed since it was written"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("place", ["killed/sweep", "search/sweep", "diverged/run", "model/plugin"])
def test_manifest_and_results_keep_their_spelling(tmp_path, place):
    case, _, name = place.partition("/")
    folder = unpack(tmp_path, case) / name
    old = json.loads((folder / "manifest.json").read_text())
    write_manifest(tmp_path, read_manifest(folder))
    new = json.loads((tmp_path / "manifest.json").read_text())
    assert old.pop("digest")
    assert new.pop("digest")
    assert_kept(old, new)
    for path in folder.glob("results/*.npz"):
        content = path.read_bytes()
        old, new = map(npz.unpack, (content, pack_result(unpack_result(content))))
        assert old.keys() <= new.keys()
        assert_kept(*(json.loads(each["about"].tobytes()) for each in (old, new)))


def test_the_log_of_a_search_keeps_its_spelling(tmp_path):
    case = unpack(tmp_path, "search")
    on_disk = expected(case)["commands"][0]
    runs = read_trial_runs(case / "sweep")
    assert {run.fingerprint for run in runs} == {*on_disk["results"], *on_disk["checkpoints"]}


def test_the_json_of_a_model_keeps_its_spelling(tmp_path):
    case = unpack(tmp_path, "model")
    [planned] = read_manifest(case / "plain").runs
    prepared = prepare_for(build(planned.config))
    saved = [json.loads(path.read_text()) for path in case.rglob("model.json")]
    [old] = [each for each in saved if each["config"]["activation"]["name"] == "tanh"]
    assert_kept(old, describe_model(planned, prepared))


def test_a_killed_sweep_is_resumed_where_drift_is_accepted(tmp_path):
    case = unpack(tmp_path, "killed")
    [version] = drift(run(case, "resume", "sweep"))
    assert version.startswith(OLD)
    assert [*trained_weights(case / "sweep")] == expected(case)["commands"][0]["results"]
    done = run(case, "resume", "sweep", "--accept-drift")
    assert done.code == 0, done.err
    finished = expected(unpack(tmp_path, "finished"))
    trained, numerics = finished["commands"][0]["trained"], finished["environment"]["numerics"]
    now = trained_weights(case / "sweep")
    assert now.keys() == trained.keys()
    for name, weights in now.items():
        assert_same(weights, trained[name]["weights"], numerics)
    recorded = closing_lines(expected(case, "resumed")["stdout"].replace(ROOT, str(tmp_path)))
    lines = closing_lines(done.out)
    for key in ("runs", "best", "record", "folder"):  # the id of the best run, and of the parent
        assert lines[key] == recorded[key]
    assert not [*case.glob("sweep/checkpoints/*.npz")]


def test_a_search_with_repeats_goes_on_with_the_settings_and_seeds_of_0_1_0(tmp_path):
    case = unpack(tmp_path, "search")
    [version] = drift(run(case, "resume", "sweep"))
    assert version.startswith(OLD)
    done = run(case, "resume", "sweep", "--accept-drift")
    assert done.code == 0, done.err
    assert "runs: 8 finished, 0 diverged, 0 failed\n" in done.out
    resumed, numerics = expected(case, "resumed"), expected(case)["environment"]["numerics"]
    trained = {
        each["name"]: resumed["trained"][each["fingerprint"]]["weights"]
        for each in resumed["runs"]
        if each["role"] == "run"
    }
    names = {run.fingerprint: run.name for run in read_trial_runs(case / "sweep")}
    assert {*names.values()} == {*trained}  # with each setting and seed
    for fingerprint, weights in trained_weights(case / "sweep").items():
        assert_same(weights, trained[names[fingerprint]], numerics)


@pytest.mark.parametrize(("case", "folder"), [("finished", "sweep"), ("diverged", "run")])
def test_a_repeated_command_is_refused_and_names_resume(tmp_path, case, folder):
    place = unpack(tmp_path, case)
    before = sorted(place.rglob("*"))
    code, out, err = run(place, *expected(place)["commands"][0]["arguments"])
    assert (code, out) == (2, "")
    assert OLD in err
    assert err.splitlines()[1].strip() == f"to go on: harness resume {place / folder}"
    assert sorted(place.rglob("*")) == before


def test_a_strangers_plugin_that_changed_is_said_by_itself(tmp_path):
    case = unpack(tmp_path, "model")
    next((case / "plugin" / "results").iterdir()).unlink()
    plugin = case / "mine" / "activation" / "arctan.py"
    plugin.write_text(plugin.read_text() + "# changed\n")
    version, other = drift(run(case, "resume", "plugin"))
    assert version.startswith(OLD)
    assert other.startswith("activation=arctan: planned mine file (")


@pytest.mark.parametrize(("case", "place"), RUNS)
def test_a_run_is_reproduced(tmp_path, case, place):
    folder = unpack(tmp_path, case)
    found = [each["run_id"] for each in expected(folder)["runs"] if each["role"] == "run"]
    done = run(folder, "reproduce", found[place])
    assert (done.code, done.err) == (0, "")
    lines = [line for line in done.out.splitlines() if line.startswith("differs: ")]
    differs = [line.removeprefix("differs: ") for line in lines]
    [version] = [line for line in differs if not line.startswith(BY_MACHINE)]
    assert version.startswith("harness: 0.1.0 was recorded, there is ")
    said = closing_lines(done.out)["verdict"]
    assert said == "same (bits)" or (said == "same (1e-12)" and len(differs) > 1)


@pytest.mark.parametrize("which", ["plain", "plugin"])
def test_a_saved_model_is_loaded_and_predicts_the_same(tmp_path, monkeypatch, which):
    case = unpack(tmp_path, "model")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{case}/mlflow.db")
    monkeypatch.setenv(VARIABLE, "")  # loading the model adds its folder of plugins
    forget()
    known = np.load(case / "predictions.npz")
    model = mlflow.pyfunc.load_model(expected(case)["models"][which])
    assert np.abs(model.predict(known["x"]).to_numpy() - known[which]).max() <= 1e-12
    monkeypatch.undo()
    forget()
