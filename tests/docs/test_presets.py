"""Every preset runs, and those of real data predict as well as they say."""

from pathlib import Path

import pytest

import harness
from harness.config.record import record_config
from harness.engines.worker import train_stack
from harness.hydra_app.app import CONF, open_composer

PRESETS = sorted(
    f"{path.parent.name}={path.stem}"
    for path in CONF.glob("*/*.yaml")
    if path.parent.name not in ("base", "sweep", "tracking", "figures")
)


def config_of(*overrides):
    from hydra.types import RunMode

    with open_composer() as hydra:
        options = {"with_log_configuration": False}
        return record_config(hydra.compose_config("config", [*overrides], RunMode.RUN, **options))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_runs(preset):
    result = [*train_stack(["a"], [config_of(preset, "epochs=2")])][-1][0]
    assert (result.outcome, result.reason) == ("ok", "")


@pytest.mark.parametrize(
    ("experiment", "metric", "least"),
    [
        ("iris", "val/accuracy", 0.9),
        ("digits", "val/accuracy", 0.95),
        ("diabetes", "val/r2", 0.35),
    ],
)
def test_a_preset_of_real_data_predicts_well_held_out(experiment, metric, least):
    results = [
        [*train_stack(["a"], [config_of(f"experiment={experiment}", f"seed={seed}")])][-1][0]
        for seed in (0, 1)
    ]
    assert all(result.metrics[metric] >= least for result in results)


def test_iris_from_a_csv_file_predicts_well_held_out(tmp_path):
    from sklearn.datasets import load_iris

    path, iris = tmp_path / "iris.csv", load_iris()
    names = [str(iris.target_names[code]) for code in iris.target]
    rows = [",".join([*map(str, x), name]) for x, name in zip(iris.data, names, strict=True)]
    path.write_text("\n".join(["sl,sw,pl,pw,species", *rows]) + "\n")
    csv = ("dataset=csv", f"dataset.path={path}", "dataset.target=species")
    result = [*train_stack(["a"], [config_of("experiment=iris", *csv)])][-1][0]
    assert result.metrics["val/accuracy"] >= 0.9


def test_a_preset_does_not_leak_into_another_choice():
    config = config_of("experiment=notebook", "optimizer=adam")
    assert config["optimizer"] == {
        "name": "adam",
        "learning_rate": 0.001,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-08,
    }


def test_presets_set_plugin_fields_only_through_a_named_option():
    from harness.config.schema import GROUPS

    for path in [*Path(CONF, "experiment").glob("*.yaml"), *Path(CONF, "sweep").glob("*.yaml")]:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# @package _global_\n"), path
        assert not [kind for kind in GROUPS if f"\n{kind}:" in text], path


@pytest.mark.filterwarnings("ignore:::mlflow", "ignore:::sqlalchemy", "ignore::ResourceWarning")
@pytest.mark.parametrize("sweep", sorted(path.stem for path in CONF.glob("sweep/*.yaml")))
def test_a_sweep_preset_sweeps(sweep, workplace):
    few = ["figures=none", "tracking.model=none", "epochs=1", "dataset.samples=20"]
    swept = harness.sweep([f"sweep={sweep}", *few])
    assert len(swept.runs) > 1
    assert {run.outcome for run in swept.runs} == {"ok"}
