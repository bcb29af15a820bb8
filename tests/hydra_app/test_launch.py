"""Runs and sweeps as users of Hydra know them: folders, callbacks, launchers, sweepers."""

import pytest
import yaml

import harness as harness_api
from harness.config import build
from harness.errors import UsageError
from harness.hydra_app import launch
from tests.support.commands import SHORT, harness, listing, manifest, merged, refused
from tests.support.strangers import strangers

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)


def files(folder):
    """What Hydra's users look for: our own files are left out."""
    ours = ("results", "manifest.json", ".lock", ".manifest.lock", ".at-work.lock")
    return [name for name in listing(folder) if name.split("/")[0] not in ours]


def test_a_run_has_hydras_files(launched):
    folder = launched("seed=3")
    assert files(folder) == [
        ".hydra",
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "harness.log",
    ]
    assert yaml.safe_load((folder / ".hydra/overrides.yaml").read_text()) == [*SHORT, "seed=3"]
    assert yaml.safe_load((folder / ".hydra/config.yaml").read_text())["seed"] == 3
    hydra = yaml.safe_load((folder / ".hydra/hydra.yaml").read_text())["hydra"]
    assert hydra["runtime"]["output_dir"] == str(folder)
    assert hydra["mode"] == "RUN"


def test_a_sweep_is_a_grid_in_hydras_order_with_hydras_files(launched):
    folder = launched("-m", "activation=tanh,relu", "seed=2,1")
    runs = manifest(folder)["runs"]
    assert [run["name"] for run in runs] == [
        "activation=tanh seed=2",
        "activation=tanh seed=1",
        "activation=relu seed=2",
        "activation=relu seed=1",
    ]
    of_a_job = [".hydra", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"]
    jobs = [f"{job}/{name}" for job in range(4) for name in of_a_job]
    assert files(folder) == sorted(["0", "1", "2", "3", *jobs, "multirun.yaml", "harness.log"])
    overrides = [*SHORT, "activation=relu", "seed=2"]
    assert yaml.safe_load((folder / "2/.hydra/overrides.yaml").read_text()) == overrides
    config = yaml.safe_load((folder / "2/.hydra/config.yaml").read_text())
    assert (config["activation"], config["seed"]) == ({"name": "relu"}, 2)
    hydra = yaml.safe_load((folder / "2/.hydra/hydra.yaml").read_text())["hydra"]
    assert (hydra["job"]["num"], hydra["job"]["id"]) == (2, "2")
    assert hydra["runtime"]["output_dir"] == str(folder / "2")
    assert hydra["runtime"]["choices"]["activation"] == "relu"
    multirun = yaml.safe_load((folder / "multirun.yaml").read_text())
    assert multirun["hydra"]["overrides"]["task"] == [*SHORT, "activation=tanh,relu", "seed=2,1"]


def test_settings_that_are_the_same_are_one_run(launched):
    folder = launched("-m", "seed=1,2,1", "epochs=2,2")
    runs = manifest(folder)["runs"]
    assert [run["jobs"] for run in runs] == [[0, 2, 3, 5], [1, 4]]
    assert len([*(folder / "results").iterdir()]) == 2
    assert (folder / "5/.hydra").is_dir()


def test_folders_are_where_hydra_is_told_to_make_them(launched):
    folder = launched("-m", "seed=1,2", "hydra.sweep.subdir=job-${hydra.job.num}-${seed}")
    assert (folder / "job-1-2/.hydra").is_dir()
    folder = launched("-m", "seed=1,2", "hydra.output_subdir=null", name="bare")
    assert files(folder) == ["harness.log", "multirun.yaml"]
    folder = launched("hydra.output_subdir=null", "hydra/job_logging=none", name="one")
    assert files(folder) == []


def test_jobs_can_look_at_hydra(launched, place):
    folder = launched("-m", "seed=${hydra:job.num}", "epochs=2,3")
    assert [run["config"]["seed"] for run in manifest(folder)["runs"]] == [0, 1]
    folder = launched("tracking.run_name=${hydra:runtime.cwd}", name="one")
    assert manifest(folder)["name"] == str(place)


def test_names_may_have_spaces_equals_signs_and_any_letters(place, capsys):
    line = ("tracking.run_name='ünï = a, b'", "hydra.run.dir='out x/ü=1'", *SHORT)
    code, out, err = harness(capsys, *line)
    assert (code, err) == (0, "")
    assert " ünï = a, b (" in out
    assert (place / "out x/ü=1/.hydra/overrides.yaml").is_file()


def test_a_folder_that_holds_something_else_is_refused_untouched(launched, capsys, place):
    launched("seed=1")
    launched("-m", "seed=1,2", name="sweep")
    launched("seed=1")  # the same again is no work
    launched("-m", "seed=1,2", name="sweep")
    stamps = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    again = (*SHORT, "hydra.run.dir=here", "hydra.sweep.dir=sweep")
    assert "here holds another run" in refused(capsys, "seed=2", *again)
    assert "sweep holds another sweep" in refused(capsys, "-m", "seed=1,3", *again)
    assert "sweep holds another sweep" in refused(
        capsys, "-m", "seed=1,3", *again, "hydra/launcher=basic", "hydra/sweeper=basic"
    )
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}


def test_a_sweep_from_python_is_the_same_and_its_errors_are_ours(place):
    result = harness_api.sweep([*SHORT, "seed=1,2"])
    assert sorted(run.params["seed"] for run in result.runs) == ["1", "2"]
    for bad in ("foo=1", "activation=nothing", "a b=1", "epochs=0"):
        with pytest.raises(UsageError):
            harness_api.run([bad])
        with pytest.raises(UsageError):
            harness_api.sweep([bad])


def test_repeats_from_the_environment_are_a_sweep(workplace, capsys, monkeypatch):
    monkeypatch.setenv("MANY", "3")
    done = harness(capsys, *SHORT, "repeats=${oc.env:MANY}")
    assert done.code == 0, done.err
    assert "runs: 3 finished" in done.out


def test_a_single_run_sees_its_folder_and_the_variables_that_hydra_sets(launched, monkeypatch):
    monkeypatch.setenv("MANY", "3")
    folder = launched(
        "tracking.run_name=${hydra:runtime.output_dir}",
        "+hydra.job.env_set.MLFLOW_EXPERIMENT_NAME=mine",
        "epochs=${oc.env:MANY}",
    )
    planned = manifest(folder)
    assert (planned["experiment"], planned["runs"][0]["name"]) == ("mine", str(folder))
    assert "epochs=${oc.env:MANY}" in planned["runs"][0]["overrides"]


@pytest.fixture
def builds(monkeypatch):
    """The text of each config that is built, in the order of building."""
    built, original = [], build._build

    def counted(values):
        built.append(repr(values))
        return original(values)

    monkeypatch.setattr(build, "_build", counted)
    return built


def test_a_single_run_is_planned_and_built_once(place, builds, monkeypatch):
    plans, original = [], launch.plan
    monkeypatch.setattr(
        launch, "plan", lambda *runs, **how: plans.append(runs) or original(*runs, **how)
    )
    result = harness_api.run([*SHORT, "tracking.model=best", "figures=default", "test=0.2"])
    assert result.outcome == "ok"
    assert (len(plans), len(builds)) == (1, 1)


@pytest.mark.parametrize("sweeper", ["grid", "optuna"])
def test_a_member_of_a_sweep_is_built_once(place, builds, sweeper):
    line = [*SHORT, f"hydra/sweeper={sweeper}", "seed=1,2,3", "activation=tanh,relu"]
    line += ["figures=default", "figures.best=1", "tracking.model=all"]
    more = ["hydra.sweeper.n_trials=6", "hydra.sweeper.sampler=brute_force"]
    result = harness_api.sweep(merged(*line, *(more if sweeper == "optuna" else [])))
    assert len(result.runs) == 6
    assert len(builds) == len({*builds}) == 6


NOTED = """
from dataclasses import dataclass
from pathlib import Path

from harness.contracts import Data

@dataclass(frozen=True)
class Noted:
    '''x and 3x; says when it is loaded.'''

    note: str = "loaded"

    def load(self, rng):
        with Path(self.note).open("a") as file:
            file.write("loaded\\n")
        x = rng.random((20, 1))
        y = float(Path("slope").read_text()) * x
        return Data(x, y, "regression", ("x",), ("y",))
"""
KINDS = {
    "a run": [],
    "a sweep": ["-m", "seed=0,1"],
    "a search": ["-m", "hydra/sweeper=optuna", "seed=0,1", "hydra.sweeper.n_trials=2"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_data_is_read_once_by_each_run_sweep_or_search_for_it_may_have_changed(
    place, capsys, kind
):
    line = [*KINDS[kind], "epochs=2", "dataset=noted", "figures=none", "tracking.model=none"]
    trained = []
    with strangers(place / "site-packages") as installed:
        installed.install("noted-dist", NOTED, dataset__noted="Noted")
        for slope in "34":
            (place / "slope").write_text(slope)
            folder = place / f"with {slope}"
            where = [f"hydra.{mode}.dir={folder}" for mode in ("run", "sweep")]
            assert harness(capsys, *line, *where).code == 0
            trained.append({path.stem for path in (folder / "results").glob("*.npz")})
    before, after = trained
    assert (len(before) > 0, before & after) == (True, set())
    assert (place / "loaded").read_text() == "loaded\n" * 2
