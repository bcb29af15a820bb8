"""A sweep's configs are composed fast, and are the very ones that Hydra's own loader gives."""

import random
from collections import Counter

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf

from harness.composer import composer
from harness.fast_loader import FastLoader

GROUPS = {
    "dataset": ["surface", "moons", "csv", "nothing"],
    "model": ["mlp", "linear", "deep"],
    "activation": ["tanh", "leaky_relu", "swish"],
    "optimizer": ["sgd", "adam", "notebook_sgd"],
    "loss": ["mse", "bce"],
    "schedule": ["constant", "step"],
    "tracking": ["local", "server"],
    "figures": ["none", "all"],
    "experiment": ["notebook", "moons"],
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
MANY = 1000


def override(rng):
    """One override of any kind, good ones more often than bad ones."""
    kind = rng.choices(["group", "value", "dict", "+", "++", "~", "other"], [9, 9, 3, 1, 1, 1, 1])[0]
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
        return rng.choice(["seed=1,2", "hydra/launcher=basic", "optimizer@here=adam", "a b=1", "x"])
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
    types = {key: (OmegaConf.get_type(cfg, key), cfg._get_node(key)._get_flag("readonly")) for key in cfg}
    return plain, flags, types, OmegaConf.get_cache(cfg)


class Own(ConfigLoaderImpl):
    """Hydra's own loader, but it reads each file once."""

    def __init__(self, loader):
        vars(self).update(vars(loader))
        _, self.files = loader._parse_overrides_and_create_caching_repo("config", [])

    def _parse_overrides_and_create_caching_repo(self, config_name, overrides):
        return OverridesParser.create().parse_overrides(overrides=overrides), self.files


class Spy:
    """Hydra's own loader as the fast one uses it: says what was handed back to it whole."""

    def __init__(self, own):
        self.own, self.asked, self.handed_back = own, [], False

    def __getattr__(self, name):
        return getattr(self.own, name)

    def load_sweep_config(self, master, lines):
        self.handed_back = lines == self.asked
        return self.own.load_sweep_config(master, lines)


@pytest.fixture
def loaders(workplace):
    with composer() as hydra:
        master = hydra.compose_config("config", ["hydra.mode=MULTIRUN"], RunMode.MULTIRUN)
        str(master.hydra.sweep.dir)  # now `${now:…}` has its value, which jobs must share
        own = Own(hydra.config_loader._loader)
        yield FastLoader(Spy(own)), own, master


def test_a_thousand_random_jobs_are_composed_as_hydra_composes_them(loaders):
    fast, own, master = loaders
    rng, kinds = random.Random(0), Counter()
    for _ in range(MANY):
        lines = [override(rng) for _ in range(rng.randint(0, 5))]
        fast._loader.asked, fast._loader.handed_back = lines, False
        given = outcome(fast.load_sweep_config, master, lines)
        kinds["error" if isinstance(given[0], type) else "config"] += 1
        if fast._loader.handed_back:
            continue  # it is Hydra's own answer
        kinds["fast"] += 1
        o = outcome(own.load_sweep_config, master, lines)
        if o != given: diff(given[0], o[0]); print(lines, given[1:], o[1:])
        assert given == outcome(own.load_sweep_config, master, lines), lines
    print(kinds)
    assert min(kinds.values()) > MANY / 5, kinds


def diff(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        for k in {**a, **b}:
            diff(a.get(k, "-"), b.get(k, "-"), f"{path}.{k}")
    elif a != b:
        print(path, a, b)


def test_x(loaders):
    fast, own, master = loaders
    fast._loader.asked = ["x"]
    diff(outcome(fast.load_sweep_config, master, [])[0], outcome(own.load_sweep_config, master, [])[0])
    assert 0
