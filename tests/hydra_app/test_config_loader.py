"""A sweep's configs are composed fast, and are the very ones that Hydra's own loader gives."""

import pickle
import random
from collections import Counter

import pytest
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf

from harness.hydra_app.app import open_composer
from harness.hydra_app.config_loader import FastLoader
from harness.hydra_app.output_files import Outputs
from harness.hydra_app.presets import PresetLoader

GROUPS = {
    "dataset": ["csv", "moons"],
    "model": ["linear", "deep"],
    "activation": ["tanh", "leaky_relu"],
    "optimizer": ["adam", "notebook_sgd"],
    "tracking": ["server"],
    "experiment": ["notebook"],
}
VALUES = {
    "seed": ["1", "${epochs}", "'1'", "null", "[1,2]"],
    "epochs": ["3", "abc", ""],
    "optimizer.learning_rate": ["0.1", "1", "abc", "null", "${oc.env:UNSET}", "${seed}"],
    "optimizer.momentum": ["0.9", "true"],
    "activation.slope": ["0.3", "x"],
    "activation.name": ["tanh"],
    "model.hidden": ["[3]", "[1,2]", "3", "[a]", "[]"],
    "model.hidden.0": ["7"],
    "penalty": ["{l1: 1}", "null", "3"],
    "penalty.l1": ["1"],
    "metrics": ["[r2]", "[{mae: {}}]", "null"],
    "tracking.tags": ["{a: 1}", "{}"],
    "tracking.run_name": ["'a b,c=d'", "x${seed}y", "${hydra.job.name}"],
    "figures.names": ["[loss]", "null"],
    "nothing": ["1"],
    "stopping.nothing": ["1"],
    "hydra.job.name": ["other"],
    "hydra.sweep.subdir": ["${hydra.job.override_dirname}"],
    "hydra.nothing": ["1"],
}
DICTS = ["{hidden: [3]}", "{learning_rate: 0.2}", "{slope: 0.1, nothing: 1}", "{}", "{name: x}"]
ADDED = ["nothing", "activation.slope", "tracking.tags.a", "optimizer", "dataset@other", "seed"]
OTHERS = ["seed=1,2", "hydra/launcher=basic", "optimizer@here=adam", "a b=1", "x", "=1"]


def override(rng):
    """One override of any kind."""
    kind = rng.choices(["group", "value", "dict", "+", "++", "~", "other"], [5, 8, 3, 4, 4, 4, 3])[
        0
    ]
    if kind == "group":
        group = rng.choice([*GROUPS])
        return f"{group}={rng.choice(GROUPS[group])}"
    if kind == "value":
        key = rng.choice([*VALUES])
        return f"{key}={rng.choice(VALUES[key])}"
    if kind == "dict":
        return f"{rng.choice([*GROUPS])}={rng.choice(DICTS)}"
    if kind == "~":
        return f"~{rng.choice([*GROUPS, *VALUES, 'optimizer=sgd', 'optimizer=adam'])}"
    if kind == "other":
        return rng.choice(
            ["seed=1,2", "hydra/launcher=basic", "optimizer@here=adam", "a b=1", "x"]
        )
    key = rng.choice([*ADDED, *VALUES])
    return f"{kind}{key}={rng.choice(['1', 'sgd', '{a: 1}', '[1]'])}"


def outcome(load, master, lines):
    """Everything of a config, or the error."""
    try:
        cfg = load(master, lines)
    except Exception as error:
        cause = error.__cause__
        return type(error), str(error), type(cause), str(cause)
    plain = OmegaConf.to_container(cfg, resolve=False, enum_to_str=True)
    flags = [cfg._get_flag("struct"), cfg.hydra._get_flag("readonly")]
    types = {
        key: (OmegaConf.get_type(cfg, key), cfg._get_node(key)._get_flag("readonly"))
        for key in cfg
    }
    return plain, flags, types, OmegaConf.get_cache(cfg)


class Files(CachingConfigRepository):
    """All config files, each read once."""

    def load_config(self, config_path):
        if config_path not in self.cache:
            self.cache[config_path] = pickle.dumps(self.delegate.load_config(config_path))
        return pickle.loads(self.cache[config_path])


class Own(PresetLoader):
    """The loader that composes each job anew, spared the reading of the same files for each."""

    def __init__(self, loader):
        vars(self).update(vars(loader))
        self.files = Files(self.repository)

    def _parse_overrides_and_create_caching_repo(self, config_name, overrides):
        return OverridesParser.create().parse_overrides(overrides=overrides), self.files


class HandedBack(Exception):
    """The fast loader left a job to Hydra's own: the answer is then Hydra's own."""


class Spy:
    """Hydra's own loader as the fast one sees it, which is spared what is handed back whole."""

    def __init__(self, own):
        self.own, self.asked = own, []

    def __getattr__(self, name):
        return getattr(self.own, name)

    def load_sweep_config(self, master, lines):
        if lines == self.asked and any(line.partition("=")[0] not in GROUPS for line in lines):
            raise HandedBack
        return self.own.load_sweep_config(master, lines)


@pytest.fixture
def loaders(workplace):
    searched = workplace / "conf/experiment/searched.yaml"
    searched.parent.mkdir(parents=True)
    searched.write_text(
        "# @package _global_\ndefaults:\n  - override /hydra/sweeper: optuna\n"
        "hydra: {sweeper: {n_trials: 7}}\n"
    )
    with open_composer() as hydra:
        master = hydra.compose_config("config", ["hydra.mode=MULTIRUN"], RunMode.MULTIRUN)
        str(master.hydra.sweep.dir)  # now `${now:…}` has its value, which jobs must share
        own = Own(hydra.config_loader._loader)
        yield FastLoader(Spy(own)), own, master


@pytest.mark.parametrize("many", [200, pytest.param(1000, marks=pytest.mark.soak)])
def test_random_jobs_are_composed_as_hydra_composes_them(loaders, many):
    fast, own, master = loaders
    rng, kinds = random.Random(0), Counter()
    for _ in range(many):
        lines = [override(rng) for _ in range(rng.randint(0, 8))]
        fast._loader.asked = lines
        given = outcome(fast.load_sweep_config, master, lines)
        handed_back = given[0] is HandedBack
        kinds["handed back" if handed_back else "fast"] += 1
        assert given == outcome(fast.lend_sweep_config, master, lines), lines
        assert handed_back or given == outcome(own.load_sweep_config, master, lines), lines
    assert min(kinds.values()) > many / 8, kinds


@pytest.mark.parametrize(
    "lines",
    [
        ["model={hidden: [3]}", "model.hidden=[4]"],
        ["model.hidden=[4]", "model={hidden: [3]}"],
        ["optimizer=adam", "optimizer={epsilon: 1}", "optimizer.epsilon=2"],
        ["activation=tanh", "activation=leaky_relu", "activation.slope=0.1"],
        ["experiment=notebook", "epochs=7", "hydra/launcher=basic"],
        ["experiment=notebook", "optimizer=adam"],
        ["experiment=searched", "seed=3"],
        ["experiment=searched", "hydra/sweeper=grid", "seed=3"],
        ["seed=1", "seed=2"],
        ["dataset=csv", "dataset.path='a, b'", "dataset.target=[x,y]"],
        ["optimizer=sgd", "optimizer.epsilon=1"],
        ["activation=nothing", "epochs=1"],
        ["x"],
    ],
    ids=str,
)
def test_order_repetition_presets_and_errors_are_as_hydras(loaders, lines):
    _, own, master = loaders
    fast = FastLoader(own)
    for _ in range(2):  # the second time from what was kept
        given = outcome(fast.load_sweep_config, master, lines)
        assert given == outcome(own.load_sweep_config, master, lines)
        assert given == outcome(fast.lend_sweep_config, master, lines)


def test_hydras_files_of_a_job_have_the_text_that_hydra_gives_them(loaders, tmp_path):
    _, own, master = loaders
    fast, outputs, rng = FastLoader(own), Outputs(), random.Random(1)
    odd = [
        "tracking.run_name='null'",
        "tracking.experiment='1e3'",
        "seed=${epochs}",
        "dtype=float32",
    ]
    odd += ["tracking.run_name='a # b: c\\' ü'", "tracking.uri='" + "long words " * 30 + "'"]
    for number in range(30):
        lines = [override(rng) for _ in range(rng.randint(0, 5))] + rng.sample(odd, 2)
        try:
            cfg = fast.lend_sweep_config(master, lines)
        except Exception:
            continue
        outputs.write(tmp_path / str(number), cfg)
        task = OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])
        hydra = OmegaConf.masked_copy(cfg, "hydra")
        for name, node in (
            ("config", task),
            ("hydra", hydra),
            ("overrides", cfg.hydra.overrides.task),
        ):
            text = (tmp_path / f"{number}/{name}.yaml").read_text()
            assert text == OmegaConf.to_yaml(node)
    assert len([*tmp_path.iterdir()]) > 10


def test_jobs_share_nothing_that_can_be_changed(loaders):
    fast, _, master = loaders
    one, two = (fast.load_sweep_config(master, ["activation=swish"]) for _ in range(2))
    one.activation.beta, one.model.hidden[0] = 7.0, 9
    again = fast.load_sweep_config(master, ["activation=swish"])
    assert again == two != one


def test_the_loader_travels_to_another_process(loaders):
    _, own, master = loaders
    fast = FastLoader(own)
    lines = ["activation=swish", "activation.beta=2"]
    fast.load_sweep_config(master, lines)
    there = pickle.loads(pickle.dumps(fast))
    assert there.load_sweep_config(master, lines).activation.beta == 2
