"""What an old record lacks takes the value that gives the old behaviour."""

import json
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config.plugin_files import VARIABLE
from harness.config.registry import DISTRIBUTION, load_plugin
from harness.store import old_records
from harness.store.manifest import read_manifest, write_manifest
from harness.store.old_records import complete_config
from harness.store.params import flatten
from tests.support import ROOT
from tests.support.records import unpack

KNOWN = json.loads((ROOT / "tests/support/records/keys-0.1.0.json").read_text())
SETTING: dict[str, Any] = {"activation": {"name": "relu"}, "figures": {"best": 3}, "seed": 1}


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The table of what was added since 0.1.0, empty."""
    table: dict[str, Any] = {}
    monkeypatch.setattr(old_records, "ADDED_SINCE_0_1", table)
    return table


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("folds", {**SETTING, "folds": 7}),
        ("seed", SETTING),
        ("figures.best", SETTING),
        ("figures.film", {**SETTING, "figures": {"best": 3, "film": 7}}),
        ("activation/relu.slope", {**SETTING, "activation": {"name": "relu", "slope": 7}}),
        ("activation/tanh.slope", SETTING),
        ("run.timeout", SETTING),  # of a config's parts only some are recorded with a model
    ],
)
def test_a_key_that_a_record_lacks_is_added_and_one_it_has_stays(
    added: dict[str, Any], key: str, wanted: dict[str, Any]
) -> None:
    added[key] = 7
    before = json.dumps(SETTING)
    assert complete_config(SETTING) == wanted
    assert json.dumps(SETTING) == before


def test_a_manifest_is_completed_when_it_is_read(added: dict[str, Any], tmp_path: Path) -> None:
    added |= {"folds": 1, "figures.film": True, "optimizer/adam.clipped": False}
    case = unpack(tmp_path, "killed")
    manifest = read_manifest(case / "sweep")
    assert manifest.figures["film"] is True
    for run in manifest.runs:
        assert (run.config["folds"], run.config["figures"]["film"]) == (1, True)
        assert run.config["optimizer"]["clipped"] is False
    write_manifest(tmp_path, manifest)
    added |= {"folds": 2, "figures.film": False}  # what is recorded now stays
    assert read_manifest(tmp_path) == manifest


def settings_of_today() -> set[str]:
    config = yaml.safe_load((ROOT / "conf" / "config.yaml").read_text())
    return {*flatten({"config": {k: v for k, v in config.items() if k != "hydra"}})}


def test_each_setting_that_0_1_0_did_not_have_is_in_the_table() -> None:
    now = {key.removeprefix("config.") for key in settings_of_today()} - {"defaults"}
    new = now - KNOWN["settings"].keys()
    assert new <= old_records.ADDED_SINCE_0_1.keys(), "say what an old record takes for it"
    assert KNOWN["settings"].keys() <= now, "an old record has this setting"


def test_each_plugin_field_that_0_1_0_did_not_have_is_in_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    for plugin, known in KNOWN["plugins"].items():
        kind, name = plugin.split("/")
        [entry] = entry_points(group=f"harness.{kind}", name=name)
        assert entry.dist is not None
        assert entry.dist.name == DISTRIBUTION
        now = {f.name: f.default for f in fields(load_plugin(kind, name)) if f.init}
        assert known.keys() <= now.keys(), f"{plugin}: an old record has this field"
        if kind == "metric":  # their fields are recorded only where they were given
            assert known == {key: now[key] for key in known}
        elif kind != "figure":  # a figure's do not decide about numbers
            new = {f"{plugin}.{field}" for field in now.keys() - known.keys()}
            assert new <= old_records.ADDED_SINCE_0_1.keys(), "say what an old record takes for it"
