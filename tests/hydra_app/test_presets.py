"""Presets of the whole config: what they choose counts, and what is wrong with one is said."""

import pytest

from tests.hydra_app.test_app_user_configs import GLOBAL, write
from tests.support.commands import harness, manifest, refused

pytestmark = pytest.mark.filterwarnings(
    "ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning"
)
SEARCH = (
    GLOBAL
    + """defaults:
  - override /hydra/sweeper: optuna
  - override /hydra/launcher: basic
hydra:
  sweeper:
    n_trials: 7
"""
)


@pytest.fixture
def chosen(capsys):
    """The sweeper and its `n_trials`, and the launcher, of a command."""

    def show(*arguments):
        parts = []
        for part in ("sweeper", "launcher"):
            line = (*arguments, "--cfg", "hydra", "-p", f"hydra.{part}")
            code, out, err = harness(capsys, *line)
            assert code == 0, err
            parts.append(dict(each.split(": ") for each in out.splitlines() if ": " in each))
        sweeper, launcher = (part["_target_"].rpartition(".")[2] for part in parts)
        return sweeper, parts[0].get("n_trials"), launcher

    return show


@pytest.mark.parametrize(
    ("place", "asked"),
    [
        ("experiment__mine", ["experiment=mine"]),
        ("sweep__mine", ["sweep=mine"]),
        ("local__default", []),
        ("mine", ["--config-name", "mine"]),
    ],
    ids=str,
)
def test_sweeper_and_launcher_of_a_preset_count_and_the_command_line_over_both(
    workplace, chosen, place, asked
):
    assert chosen() == ("GridSweeper", None, "StackLauncher")
    search = SEARCH.replace("defaults:\n", "defaults:\n  - config\n  - _self_\n")
    write(workplace / "conf", **{place: search if place == "mine" else SEARCH})
    assert chosen(*asked) == ("OptunaSweeper", "7", "BasicLauncher")
    assert chosen(*asked, "hydra.sweeper.n_trials=8") == ("OptunaSweeper", "8", "BasicLauncher")
    grid = ("hydra/sweeper=grid", "hydra/launcher=stack")
    assert chosen(*asked, *grid) == ("GridSweeper", None, "StackLauncher")


def test_a_preset_asks_for_a_search(place, launched):
    search = SEARCH.replace("basic", "stack").replace("7", "2\n    params:\n      seed: 1,2,3")
    write(place / "conf", experiment__mine=search)
    made = manifest(launched("-m", "experiment=mine"))
    assert made["search"]["n_trials"] == 2
    made = manifest(launched("-m", "experiment=mine", "hydra/sweeper=grid", name="grid"))
    assert len(made["runs"]) == 3


def test_a_field_that_the_sweeper_of_a_preset_lacks_is_refused(workplace, capsys):
    write(workplace / "conf", experiment__mine=SEARCH.replace("n_trials", "trials"))
    said = "'trials'. Did you mean n_trials? "
    assert said in refused(capsys, "-m", "experiment=mine", "seed=1,2")


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ("epochs: 3\n", "mine.yaml: its first line must be `# @package _global_`"),
        ("defaults:\n  - override /dataset: moons\n", "first line must be `# @package _global_`"),
        (f"# mine\n{GLOBAL}epochs: 3\n", "first line must be `# @package _global_`"),
        (f"\ufeff{GLOBAL}epochs: 3\n", "the byte order mark (BOM) before it must go"),
        (f"{GLOBAL}defaults:\n  - dataset: moons\n", "write `- override /dataset: moons`"),
        (f"{GLOBAL}defaults: [override dataset: moons]\n", "`- override /dataset: moons`"),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["experiment", "sweep", "local"])
def test_a_preset_that_is_not_of_the_whole_config_is_refused(
    workplace, capsys, place, preset, said
):
    write(workplace / "conf", **{f"{place}__default": preset})
    asked = [] if place == "local" else [f"{place}=default"]
    assert f"conf/{place}/default.yaml: " in refused(capsys, *asked)
    assert said.removeprefix("mine.yaml: ") in refused(capsys, *asked)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("hydra: {sweeper: {params: {seed: [1, 2]}}}\n", "values to sweep are text: `seed: a,b`"),
        ("hydra: {sweeper: {params: {seed: [1, 2]}}}\n", "one list is `seed: '[a,b]'`"),
        ("hydra: {sweeper: {trials: 3}}\n", "mine.yaml: hydra.sweeper: there is no 'trials'. "),
        ("lr: 0.1\n", "Did you mean optimizer.learning_rate?"),
        ("optimizer: {lr: 0.1}\n", "mine.yaml: optimizer: there is no 'lr'. Did you mean learn"),
        ("defaults: [/optimizer: adam]\n", "or `override /optimizer: adam` in a preset"),
    ],
    ids=str,
)
def test_what_is_wrong_in_a_preset_is_said_in_plain_words(workplace, capsys, body, said):
    write(workplace / "conf", experiment__mine=f"{GLOBAL}{body}")
    assert said in refused(capsys, "-m", "experiment=mine")


def test_null_is_a_value_to_sweep_in_a_preset(place, launched):
    params = "hydra: {sweeper: {params: {batch_size: null, seed: '1,2'}}}\n"
    write(place / "conf", experiment__mine=f"{GLOBAL}{params}")
    runs = manifest(launched("-m", "experiment=mine"))["runs"]
    assert [run["config"]["batch_size"] for run in runs] == [None, None]
