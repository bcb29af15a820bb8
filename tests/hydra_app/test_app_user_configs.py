"""Configs of users: their own options and presets, and where they are looked for."""

import pytest

from harness.tracking.backend.queries import experiment_ids
from tests.support.commands import SHORT, harness, manifest, refused

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
STEEP = "defaults:\n  - leaky_relu\n  - _self_\nslope: 0.3\n"
GLOBAL = "# @package _global_\n"


def write(folder, **files):
    """YAML files by path: `activation__steep` is activation/steep.yaml."""
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def shown(capsys):
    """A part of the composed config."""

    def show(part, *arguments):
        code, out, err = harness(capsys, "--cfg", "job", "-p", part, *arguments)
        assert code == 0, err
        return out.removeprefix(f"# @package {part}\n")

    return show


@pytest.fixture(params=["conf", "--config-dir", "hydra.searchpath"])
def users(request, workplace):
    """Arguments that lead to a user's config `activation=steep`, each in its own way."""
    folder = workplace / ("conf" if request.param == "conf" else "theirs")
    write(folder, activation__steep=STEEP)
    return {
        "conf": [],
        "--config-dir": ["--config-dir", "theirs"],
        "hydra.searchpath": [f"hydra.searchpath=[file://{folder}]"],
    }[request.param]


def test_an_option_that_extends_a_plugin_is_one_and_stays_typed(users, shown, capsys):
    chosen = [*users, "activation=steep"]
    assert shown("activation", *chosen) == "name: leaky_relu\nslope: 0.3\n"
    assert shown("activation", *chosen, "activation.slope=1") == "name: leaky_relu\nslope: 1.0\n"
    assert "Value 'abc'" in refused(capsys, *chosen, "activation.slope=abc")
    assert "Did you mean slope?" in refused(capsys, *chosen, "activation.slpe=1")
    assert "there is no 'stp'" in refused(capsys, *users, "activation=stp")


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        (STEEP.replace("0.3", "abc"), "Value 'abc' of type 'str' could not be converted to Float"),
        (STEEP.replace("slope", "slpe"), "'slpe'"),
        (
            "slope: 0.3\n",
            "activation: no plugin chosen; a preset needs `defaults: [<plugin>, _self_]",
        ),
        ("defaults: [nothing, _self_]\n", "there is no 'nothing'"),
        ("defaults: [leaky_relu\nslope: 1\n", 'conf/activation/mine.yaml", line 1'),
        ("- 1\n", "activation: a plugin must be chosen"),
        (
            "defaults:\n  - leaky_relu\n  - _self_\nname: tanh\n",
            "mine.yaml: activation.name is fixed",
        ),
    ],
)
def test_a_preset_that_cannot_be_is_bad_usage(workplace, capsys, preset, said):
    write(workplace / "conf", activation__mine=preset)
    assert said in refused(capsys, "activation=mine")
    assert harness(capsys, "--cfg", "job").code == 0


def test_the_plugin_of_a_name_wins_over_a_file_and_that_is_said(workplace, capsys):
    write(workplace / "conf", activation__relu=STEEP, experiment__notebook=GLOBAL, config="a: 1")
    write(workplace / "theirs", tracking__server="uri: x", activation__steep=STEEP)
    code, out, err = harness(capsys, "--config-dir", "theirs", "activation=relu", "epochs=0")
    assert (code, out) == (2, "")
    *hidden, last = err.splitlines()
    assert last == "harness: epochs=0: at least 1"
    assert [line.split(" is hidden")[0].removeprefix("harness: ") for line in hidden] == [
        str(workplace / "conf/activation/relu.yaml"),
        str(workplace / "conf/config.yaml"),
        str(workplace / "conf/experiment/notebook.yaml"),
        "theirs/tracking/server.yaml",
    ]


def test_settings_of_ones_own_are_always_added(workplace, shown):
    local = f"{GLOBAL}epochs: 7\npenalty:\n  l2: 0.5\n"
    write(workplace / "conf", local__default=local)
    assert shown("epochs") == "7\n"
    assert shown("epochs", "epochs=8") == "8\n"
    assert shown("penalty") == "l1: 0.0\nl2: 0.5\n"


def test_a_primary_config_of_ones_own_can_extend_ours(workplace, shown):
    write(workplace / "conf", mine="defaults:\n  - config\n  - _self_\nepochs: 9\n")
    assert shown("epochs", "--config-name", "mine") == "9\n"


def test_choosing_another_optimizer_in_a_preset_leaks_nothing(shown):
    assert "learning_rate: 0.05" in shown("optimizer", "experiment=notebook")
    adam = shown("optimizer", "optimizer=adam")
    assert shown("optimizer", "experiment=notebook", "optimizer=adam") == adam
    assert "learning_rate: 0.001" in adam


@pytest.mark.parametrize(
    "preset",
    [
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      seed: 1,2\n      epochs: 2,3\n",
        "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params: {seed: 'range(1,3)', epochs: '2,3'}\n",
    ],
)
def test_a_preset_may_ask_for_a_sweep_by_itself(place, capsys, preset):
    write(place / "conf", sweep__mine=f"{GLOBAL}{preset}")
    line = [each for each in SHORT if not each.startswith("epochs")]
    code, out, err = harness(capsys, *line, "sweep=mine", "hydra.sweep.dir=here")
    assert (code, err) == (0, "")
    assert "runs: 4 finished" in out
    settings = [
        (r["config"]["seed"], r["config"]["epochs"]) for r in manifest(place / "here")["runs"]
    ]
    assert settings == [(1, 2), (1, 3), (2, 2), (2, 3)]


def test_what_is_swept_in_a_preset_can_be_set_on_the_command_line(place, launched):
    preset = "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      seed: 1,2\n"
    write(place / "conf", sweep__mine=f"{GLOBAL}{preset}")
    runs = manifest(launched("sweep=mine", "seed=5", "activation=tanh,relu"))["runs"]
    assert [(r["config"]["seed"], r["config"]["activation"]["name"]) for r in runs] == [
        (5, "tanh"),
        (5, "relu"),
    ]


@pytest.mark.database
def test_a_server_named_by_the_environment_is_used_and_kept_out_of_what_is_recorded(
    place, launched, store, capsys, monkeypatch
):
    folder = launched("tracking=server")
    written = "${oc.env:MLFLOW_TRACKING_URI,http://127.0.0.1:5000}"
    made = manifest(folder)
    assert made["tracking"]["uri"] == made["runs"][0]["config"]["tracking"]["uri"] == written
    assert made["tracking_uri"] == store
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.chdir(folder)
    code, out, err = harness(capsys, "resume", ".")
    assert (code, err) == (0, "")
    assert f"record: {store} " in out


@pytest.mark.parametrize(("asked", "recorded_runs"), [(["-m", "seed=1,2"], 3), (["seed=1"], 1)])
def test_secrets_of_the_environment_are_in_no_file(
    place, launched, monkeypatch, asked, recorded_runs
):
    monkeypatch.setenv("SECRET", "hunter2")
    monkeypatch.setenv("RATE", "0.25")
    folder = launched(
        *asked,
        "+tracking.tags.token='${oc.env:SECRET}'",
        "optimizer.learning_rate=${oc.env:RATE}",
    )
    recorded = manifest(folder)["runs"][0]["config"]
    assert recorded["optimizer"]["learning_rate"] == 0.25
    for path in folder.rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes()
    from mlflow import MlflowClient

    client = MlflowClient()
    runs = client.search_runs(experiment_ids(client), f"tags.`harness.folder` = '{folder}'")
    assert len(runs) == recorded_runs
    for run in runs:
        assert "hunter2" not in str(run.to_dictionary())
    rates = {run.data.params.get("optimizer.learning_rate") for run in runs}
    assert rates - {None} == {"0.25"}
