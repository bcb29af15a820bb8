"""Plugins of one file: found in a folder, used by any worker, recorded with their source."""

import hashlib
import json
import os
import pickle
import shutil

import mlflow
import numpy as np
import pytest

from harness import api
from harness.config.plugin_files import VARIABLE
from harness.config.registry import find_plugin, load_plugin, plugin_provenance
from harness.config.schema import build_plugin
from harness.engines.worker import Work, train_work
from harness.errors import PluginError, UsageError
from tests.conftest import make_config
from tests.support.commands import SHORT, harness, manifest, refused
from tests.support.strangers import SNAKE, forget

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
BROKEN = {
    "empty": ("", "ImportError: one dataclass is expected in a file, and there is: none"),
    "two": (SNAKE + SNAKE.replace("Snake", "Viper"), "and there is: Snake, Viper"),
    "typo": ("class Snake(:", "SyntaxError: invalid syntax (typo.py, line 1)"),
    "borrowed": ("from harness_plugins.losses import MSE", "and there is: none"),
    "not-a-name": (SNAKE, "'not-a-name' is no name for a plugin: letters, digits and _"),
    "class": (SNAKE, "'class' is no name for a plugin"),
    "null": (SNAKE, "the name 'null' is reserved"),
    "thawed": (SNAKE.replace("(frozen=True)", ""), "is not frozen"),
}


@pytest.fixture
def mine(workplace):
    """A folder of plugins that nobody looks through yet; the one in it is an activation."""
    folder = workplace / "mine"
    (folder / "activation").mkdir(parents=True)
    (folder / "activation" / "snake.py").write_text(SNAKE)
    yield folder
    forget()


def test_a_default_may_be_an_empty_text(mine, capsys):
    text = (mine / "activation" / "snake.py").read_text()
    (mine / "activation" / "mute.py").write_text(text.replace("a: float = 1.0", 'b: str = ""'))
    shown = harness(capsys, "--plugins", "mine", "plugins", "activation", "mute").out
    assert "field: b: str = \n" in shown


@pytest.fixture
def seen(mine, monkeypatch):
    """The same folder, looked through."""
    monkeypatch.setenv(VARIABLE, str(mine))
    return mine


def test_a_file_is_an_option_like_any_other(mine, capsys, monkeypatch):
    there = ("--plugins", "mine")
    assert "snake" in harness(capsys, *there, "--help").out
    assert "snake" not in harness(capsys, "--help").out
    listed = harness(capsys, "plugins", "activation", "--plugins=mine").out.splitlines()
    assert ["activation", "snake", "mine", "file", "ok", "a=1.0"] in [x.split() for x in listed]
    shown = harness(capsys, *there, "plugins", "activation", "snake").out
    assert f"source: {mine}/activation/snake.py\nfield: a: float = 1.0\n" in shown
    assert "Did you mean snake" in refused(capsys, *there, "activation=snaek")
    assert "Value 'x'" in refused(capsys, *there, "activation=snake", "activation.a=x")
    line = "harness --plugins mine train activation=sn"
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    assert harness(capsys, "-sc", "query=bash").out.split() == ["activation=snake"]
    assert VARIABLE not in os.environ


def test_several_folders_may_be_asked_for(mine, workplace, capsys, monkeypatch):
    for folder, name in (("a", "asp"), ("b", "boa")):
        (workplace / folder / "activation").mkdir(parents=True)
        (workplace / folder / "activation" / f"{name}.py").write_text(SNAKE)
    monkeypatch.setenv(VARIABLE, f"a{os.pathsep}b")
    listed = harness(capsys, "plugins", "activation", "--plugins", "mine").out
    assert [name for name in ("asp", "boa", "snake") if f" {name} " in listed] == [
        "asp",
        "boa",
        "snake",
    ]


@pytest.mark.fault
def test_it_is_swept_by_worker_processes_and_recorded_with_its_source(place, mine, launched):
    engine = ("hydra.launcher.engine=processes", "hydra.launcher.workers=2")
    folder = launched(
        "--plugins", "mine", "-m", "activation=snake,tanh", *engine, "tracking.model=all"
    )
    made = manifest(folder)
    assert made["folders"] == [str(mine)]
    client, digest = mlflow.MlflowClient(), hashlib.sha256(SNAKE.encode()).hexdigest()[:12]
    experiment = client.get_experiment_by_name("harness").experiment_id
    wanted = f"tags.`harness.sweep` = '{made['sweep_id']}' and params.activation = 'snake'"
    [run] = client.search_runs([experiment], wanted)
    used = {plugin["kind"]: plugin for plugin in json.loads(run.data.tags["harness.plugins"])}
    assert used["activation"] == {
        "kind": "activation",
        "name": "snake",
        "distribution": "mine",
        "version": "file",
        "source": digest,
    }
    kept = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/plugins/activation/snake.py")
    assert kept == SNAKE
    (mine / "activation" / "snake.py").unlink()
    forget()
    [model] = client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'")
    said = mlflow.pyfunc.load_model(model.model_uri).predict(np.ones((3, 2)))
    assert np.isfinite(said.to_numpy()).all()
    os.environ.pop(VARIABLE)  # which the model has set, to find its plugin


def test_a_recorded_run_brings_it_along(place, mine, seen, monkeypatch):
    ran = api.run([*SHORT, "activation=snake", "activation.a=2"])
    monkeypatch.delenv(VARIABLE)
    shutil.rmtree(mine)
    loaded = api.load(ran.run_id)
    x = [[0.5, -1.0]]
    assert np.array_equal(loaded.predict(x), ran.predict(x))
    assert VARIABLE not in os.environ
    with pytest.raises(UsageError, match="snake"):
        api.run([*SHORT, "activation=snake"])


def test_resume_finds_it_again_wherever_it_is_called(place, mine, launched, capsys, monkeypatch):
    folder = launched("--plugins", "mine", "activation=snake")
    monkeypatch.chdir(folder)
    for moved in ("mine", "elsewhere/mine"):
        for result in (folder / "results").iterdir():
            result.unlink()
        forget()
        (place / moved).parent.mkdir(exist_ok=True)
        mine = mine.rename(place / moved)
        given = [] if moved == "mine" else ["--plugins", str(mine)]
        code, out, err = harness(capsys, "resume", str(folder), *given)
        assert (code, "runs: 1 finished" in out) == (0, True), err
    assert f"{place / 'mine'}: there is no such folder" in refused(capsys, "resume", str(folder))


def test_a_worker_elsewhere_is_told_of_the_folders(seen, monkeypatch):
    work = pickle.dumps(Work(("a",), (make_config(activation={"name": "snake"}),)))
    monkeypatch.delenv(VARIABLE)
    forget()
    *_, [result] = train_work(pickle.loads(work))
    assert result.outcome == "ok", result.reason


def test_what_was_read_first_is_what_is_run_and_recorded(seen):
    path = seen / "activation" / "snake.py"
    before = load_plugin("activation", "snake")
    path.write_text(SNAKE.replace("1.0", "2.0"))
    plugin = build_plugin("activation", {"name": "snake"})
    assert type(plugin) is before
    assert pickle.loads(pickle.dumps(plugin)) == plugin
    digest = hashlib.sha256(SNAKE.encode()).hexdigest()
    assert plugin_provenance("activation", "snake")["source"] == digest[:12]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_when_it_is_chosen_and_hurts_nobody_else(seen, capsys, name):
    source, why = BROKEN[name]
    path = seen / "activation" / f"{name}.py"
    path.write_text(source)
    with pytest.raises(PluginError) as told:
        load_plugin("activation", name)
    assert f"activation plugin '{name}' ({path})" in str(told.value)
    assert why in str(told.value)
    assert build_plugin("activation", {"name": "snake"}).a == 1.0
    listed = harness(capsys, "plugins", "activation").out.splitlines()
    assert any(line.split()[1:5] == [name, "mine", "file", "broken"] for line in listed)


def test_a_broken_file_exits_2(seen, capsys):
    (seen / "activation" / "typo.py").write_text("class Snake(:")
    (seen / "activation" / "_notes.py").write_text("class Snake(:")
    assert "cannot be imported: SyntaxError" in refused(capsys, "activation=typo")
    assert "there is no '_notes'" in refused(capsys, "activation=_notes")
    assert harness(capsys, "--cfg", "job", "activation=snake").code == 0


def test_a_file_of_a_built_ins_name_is_chosen_by_its_folder(place, mine, launched, capsys):
    (mine / "activation" / "snake.py").rename(mine / "activation" / "sigmoid.py")
    said = refused(capsys, "--plugins=mine", *SHORT)
    assert "choose activation=mine/sigmoid or activation=numpy-harness/sigmoid" in said
    folder = launched("--plugins=mine", "-m", "activation=numpy-harness/sigmoid,mine/sigmoid")
    runs = manifest(folder)["runs"]
    used = [plugin for run in runs for plugin in run["plugins"] if plugin["kind"] == "activation"]
    assert [plugin["distribution"] for plugin in used] == ["numpy-harness", "mine"]
    assert used[0]["source"] != used[1]["source"]


def test_two_folders_of_one_name_do_not_hide_each_other(seen, workplace, monkeypatch):
    (workplace / "more" / "mine").mkdir(parents=True)
    seen.joinpath("activation").rename(workplace / "more" / "mine" / "activation")
    (seen / "activation").mkdir()
    (seen / "activation" / "snake.py").write_text(SNAKE)
    monkeypatch.setenv(VARIABLE, f"{seen}{os.pathsep}{workplace / 'more' / 'mine'}")
    with pytest.raises(PluginError, match="given by several distributions: rename one"):
        find_plugin("activation", "snake")
