"""Plugins of strangers: found in metadata, imported when chosen, broken ones told by name."""

import sys

import pytest

from harness.commands.plugins import describe_plugin
from harness.config.registry import find_plugin, load_plugin, plugin_names, plugin_provenance
from harness.config.schema import build_plugin, plugin_schema
from harness.contracts import KINDS
from harness.errors import PluginError
from tests.support.commands import harness, manifest, refused
from tests.support.strangers import strangers

HEAD = "from dataclasses import dataclass\nimport numpy as np\n"
MINE = """
@dataclass(frozen=True)
class Mine:
    '''h = slope z.'''

    slope: float = 0.5

    def __call__(self, z):
        return self.slope * z

    def derivative(self, z, h):
        return self.slope * np.ones_like(z)
"""
BROKEN = {
    "gone": ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
    "typo": ("class Mine(:", "SyntaxError"),
    "quits": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "missing": ("", "has no attribute 'Mine'"),
    "function": ("def Mine(): pass", "is not a dataclass"),
    "plain": ("class Mine: pass", "is not a dataclass"),
    "thawed": (f"{HEAD}\n@dataclass\nclass Mine:\n    a: int = 1", "is not frozen"),
    "named": (
        f"{HEAD}\n@dataclass(frozen=True)\nclass Mine:\n    name: str = 'a'",
        "the field name `name` is reserved",
    ),
    "untyped": (
        f"{HEAD}\n@dataclass(frozen=True)\nclass Mine:\n    a: 'Nothing' = 1",
        "a field's type is unknown: name 'Nothing' is not defined",
    ),
}


@pytest.fixture
def others(tmp_path):
    with strangers(tmp_path / "site-packages") as installed:
        yield installed


@pytest.fixture
def listed(capsys):
    """What `harness plugins` lists, by kind and name."""

    def ask(*arguments):
        code, out, err = harness(capsys, "plugins", *arguments)
        assert code == 0, err
        rows = [line.split(None, 5) for line in out.splitlines()[1:]]
        return {(row[0], row[1]): row[2:] for row in rows}

    return ask


def test_a_strangers_plugin_is_an_option_like_any_other(others, workplace, capsys, listed):
    others.install("their-plugins", HEAD + MINE, activation__mine="Mine")
    assert "mine" in plugin_names("activation")
    assert "mine" in harness(capsys, "--help").out
    assert "their_plugins" not in sys.modules
    assert listed("activation")["activation", "mine"] == [
        "their-plugins",
        "1.2",
        "ok",
        "slope=0.5",
    ]
    shown = harness(capsys, "--cfg", "job", "-p", "activation", "activation=mine").out
    assert shown == "# @package activation\nname: mine\nslope: 0.5\n"
    assert "Value 'abc'" in refused(capsys, "activation=mine", "activation.slope=abc")
    assert "Did you mean mine" in refused(capsys, "activation=mien")
    assert plugin_provenance("activation", "mine")["distribution"] == "their-plugins"


def test_a_plugin_of_one_name_in_two_distributions_is_chosen_by_distribution(
    others, workplace, capsys, listed
):
    others.install("one", HEAD + MINE, activation__mine="Mine")
    others.install("two.b", HEAD + MINE.replace("0.5", "0.7"), activation__mine="Mine")
    said = refused(capsys, "activation=mine")
    assert "is given by several distributions" in said
    assert "choose activation=one/mine or activation=two.b/mine" in said
    assert build_plugin("activation", {"name": "two.b/mine"}).slope == 0.7
    shown = harness(capsys, "--cfg", "job", "-p", "activation", "activation=two.b/mine").out
    assert shown == "# @package activation\nname: two.b/mine\nslope: 0.7\n"
    assert "slope=-" not in refused(capsys, "activation=one/mine", "activation.slpe=1")
    rows = listed("activation")
    assert rows["activation", "one/mine"][2] == rows["activation", "two.b/mine"][2] == "ok"
    assert rows["activation", "mine"][2] == "broken"


@pytest.mark.filterwarnings("ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning")
def test_of_two_distributions_the_chosen_one_is_recorded(others, launched):
    others.install("one", HEAD + MINE, activation__mine="Mine")
    others.install("two.b", HEAD + MINE.replace("0.5", "0.7"), activation__mine="Mine")
    folder = launched("-m", "activation=one/mine,two.b/mine")
    used = [plugin for run in manifest(folder)["runs"] for plugin in run["plugins"]]
    mine = [plugin for plugin in used if plugin["kind"] == "activation"]
    assert [(p["name"], p["distribution"], p["version"]) for p in mine] == [
        ("one/mine", "one", "1.2"),
        ("two.b/mine", "two.b", "1.2"),
    ]
    assert mine[0]["source"] != mine[1]["source"]


def test_a_name_of_a_built_in_can_clash_too(others, workplace, capsys):
    others.install("one", HEAD + MINE, activation__sigmoid="Mine")
    assert "activation=numpy-harness/sigmoid or activation=one/sigmoid" in refused(capsys)
    assert "epochs=0" in refused(capsys, "activation=numpy-harness/sigmoid", "epochs=0")
    assert harness(capsys, "--help").code == 0  # though sigmoid is the default
    assert "name: tanh" in harness(capsys, "--cfg", "job", "activation=tanh").out


@pytest.mark.parametrize("distribution", BROKEN)
def test_a_broken_plugin_is_told_by_its_distribution_when_it_is_chosen(others, distribution):
    source, why = BROKEN[distribution]
    others.install(distribution, source, activation__mine="Mine")
    for _ in range(2):
        with pytest.raises(PluginError) as told:
            plugin_schema("activation", "mine")
        assert f"activation plugin 'mine' ({distribution} 1.2)" in str(told.value)
        assert why in str(told.value)


def test_a_broken_plugin_disturbs_nobody_who_does_not_choose_it(others, workplace, capsys, listed):
    for distribution, (source, _) in BROKEN.items():
        others.install(distribution, source, **{f"activation__{distribution}": "Mine"})
    assert "typo" in harness(capsys, "--help").out
    assert "activation plugin 'quits' (quits 1.2)" in refused(capsys, "activation=quits")
    rows = listed("activation")
    for distribution, (_, why) in BROKEN.items():
        row = rows["activation", distribution]
        assert row[2] == "broken"
        assert why in row[3]
    assert rows["activation", "tanh"][2] == "ok"


@pytest.mark.parametrize("kind", ["metric", "figure"])
def test_a_broken_metric_or_figure_is_told_when_it_is_asked_for(others, workplace, capsys, kind):
    others.install("broken", "import nowhere", **{f"{kind}__mine": "Mine"})
    asked = {"metric": "metrics=[mine]", "figure": "figures.names=[mine]"}[kind]
    assert f"{kind} plugin 'mine' (broken 1.2) cannot be imported" in refused(capsys, asked)


@pytest.mark.parametrize(
    ("kind", "says"), [("loss", "task"), ("metric", "greater_is_better"), ("figure", "scope")]
)
def test_what_a_class_must_say_of_itself_is_asked_for(others, kind, says):
    others.install("silent", HEAD + MINE, **{f"{kind}__mine": "Mine"})
    with pytest.raises(PluginError, match=f"has no `{says}`: declare it as a ClassVar"):
        load_plugin(kind, "mine")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise ValueError('slope: too steep')", "activation=mine: slope: too steep"),
        ("raise RuntimeError('oh')", "failed in __post_init__: RuntimeError: oh"),
    ],
)
def test_what_a_plugin_says_of_its_values_is_passed_on(others, workplace, capsys, body, why):
    source = MINE.replace("slope: float = 0.5\n", "slope: float = 0.5\n    X")
    source = source.replace("X", f"def __post_init__(self): {body}\n")
    others.install("picky", HEAD + source, activation__mine="Mine")
    assert why in refused(capsys, "activation=mine")


def test_a_dataset_or_a_loss_that_raises_is_told_before_anything_is_created(
    others, workplace, capsys
):
    source = f"{HEAD}@dataclass(frozen=True)\nclass Mine:\n    task = 'regression'\n"
    loads, call = "    def load(self, rng): 1 / 0", "    def __call__(self, p, y): 1 / 0\n"
    call += "    gradient = __call__"
    others.install("bad-data", source + loads, dataset__mine="Mine")
    others.install("bad-loss", source + call, loss__mine="Mine")
    assert "(bad-data 1.2) failed in load: ZeroDivisionError" in refused(capsys, "dataset=mine")
    assert "(bad-loss 1.2) failed in __call__: ZeroDivisionError" in refused(capsys, "loss=mine")


def test_the_same_distribution_twice_on_the_path_is_one(others, tmp_path):
    others.install("theirs", HEAD + MINE, activation__mine="Mine")
    with strangers(tmp_path / "again") as again:
        again.install("theirs", HEAD + MINE, activation__mine="Mine")
        assert find_plugin("activation", "mine").distribution == "theirs"


def test_every_built_in_plugin_is_ok_and_comes_by_our_entry_points(listed):
    rows = listed()
    assert {kind for kind, _ in rows} == set(KINDS)
    for key, (distribution, _, state, *_) in rows.items():
        assert (key, distribution, state) == (key, "numpy-harness", "ok")


def test_one_plugin_is_shown_with_all_that_is_known_of_it(workplace, capsys):
    place = workplace / "conf" / "experiment" / "own.yaml"
    place.parent.mkdir(parents=True)
    place.write_text("defaults: [override /optimizer: decayed_adamw]\nmetrics: [r2]")
    (place.parent / "odd.yaml").write_text("- {")
    lines = harness(capsys, "plugins", "optimizer", "adamw").out.splitlines()
    name, _, module = lines[0].partition(": ")
    assert (name, module.partition(".")[0]) == ("optimizer=adamw", "harness_plugins")
    assert lines[1].startswith("distribution: numpy-harness 0.")
    assert lines[2].startswith("source: /")
    assert "field: learning_rate: float = 0.001" in lines
    assert "presets: experiment=diabetes, experiment=own, optimizer=decayed_adamw" in lines
    assert "Loshchilov" in lines[-1]
    assert "experiment=own" in harness(capsys, "plugins", "metric", "r2").out
    assert "sweep=activations" in harness(capsys, "plugins", "activation", "sigmoid").out
    shown = harness(capsys, "plugins", "dataset", "csv").out
    assert "field: path: str (required)" in shown
    assert "field: task: Optional[Literal['regression', 'classification']] = null" in shown
    assert describe_plugin("dataset", "csv").startswith(
        "path (required), target (required), task=null"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["activtion"], "kind: there is no 'activtion'. Did you mean activation?"),
        (["activation", "tnah"], "activation: there is no 'tnah'. Did you mean tanh?"),
    ],
)
def test_asking_for_a_plugin_that_is_not_there_is_bad_usage(workplace, capsys, arguments, said):
    assert said in refused(capsys, "plugins", *arguments)
