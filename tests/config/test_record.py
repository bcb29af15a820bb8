"""A config as it is recorded: resolved but for the environment, plain, and as text."""

import json

import numpy as np
import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf

from harness.config.record import record_config, resolve_environment
from harness.config.schema import plugin_schema
from harness.errors import UsageError
from harness.hydra_app.app import open_composer
from harness.store.params import flatten, format_value, recorded_params


def of(**values):
    return record_config(OmegaConf.create(values))


def composed(*lines):
    with open_composer() as hydra:
        return record_config(hydra.compose_config("config", [*lines], RunMode.RUN))


@pytest.mark.parametrize(
    "written",
    [
        "${oc.env:SECRET}",
        "${oc.env:SECRET,default}",
        "${oc.env:SECRET,http://127.0.0.1:5000}",
        "${oc.env:SECRET,null}",
        "${oc.env:SECRET,'a, b'}",
        "${oc.env:SECRET,'it\\'s'}",
        "${oc.env:SECRET,''}",
        "${oc.env:SECRET,'5'}",
        "before ${oc.env:SECRET} and ${oc.env:SECRET,x} after",
        "${oc.decode:${oc.env:SECRET}}",
    ],
)
def test_the_environment_is_recorded_as_it_is_written(monkeypatch, written):
    monkeypatch.setenv("SECRET", "hunter2")
    assert of(a=written, b=[{"c": written}]) == {"a": written, "b": [{"c": written}]}
    assert "hunter2" in resolve_environment(of(a=written))["a"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${oc.env:UNSET,default}", "default"),
        ("${oc.env:UNSET,null}", None),
        ("${oc.env:UNSET,'it\\'s, so'}", "it's, so"),
        ("${oc.env:UNSET,''}", ""),
        ("${oc.env:UNSET,'null'}", None),
        ("${oc.env:UNSET,'5'}", 5),
        ("${oc.decode:${oc.env:UNSET,'[1, 2]'}}", [1, 2]),
    ],
)
def test_a_default_means_the_same_after_recording(written, value):
    assert resolve_environment(of(a=written)) == {"a": value}
    assert resolve_environment(json.loads(json.dumps(of(a=written)))) == {"a": value}


def test_a_secret_reached_through_other_keys_stays_unread(monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    config = of(a="${b}", b="${c.d}/x", c={"d": "${oc.env:SECRET}"}, e=["${.0}", 1][1:])
    assert config == {
        "a": "${oc.env:SECRET}/x",
        "b": "${oc.env:SECRET}/x",
        "c": {"d": "${oc.env:SECRET}"},
        "e": [1],
    }
    assert resolve_environment(config)["a"] == "hunter2/x"


def test_a_typed_field_may_name_a_variable(monkeypatch):
    monkeypatch.setenv("RATE", "0.25")
    monkeypatch.setenv("WIDTHS", "[3, 4]")
    config = composed(
        "optimizer.learning_rate=${oc.env:RATE}",
        "model.hidden='${oc.decode:${oc.env:WIDTHS}}'",
        "+tracking.tags.rate=${optimizer.learning_rate}",
    )
    assert config["optimizer"]["learning_rate"] == 0.25
    assert config["tracking"]["tags"]["rate"] == "${oc.env:RATE}"
    assert config["model"]["hidden"] == [3, 4]


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("-0.5", -0.5), ("1e-3", 0.001), ("true", True), ("False", False), ("null", None)],
)
def test_what_is_no_text_is_recorded_as_its_value_where_a_fingerprint_needs_it(
    monkeypatch, text, value
):
    monkeypatch.setenv("GIVEN", text)
    written = "${oc.env:GIVEN}"
    config = of(a=written, b={"c": [written, "x"]}, d="${a}", tracking={"tags": {"t": written}})
    assert config == {
        "a": value,
        "b": {"c": [value, "x"]},
        "d": value,
        "tracking": {"tags": {"t": written}},
    }
    assert type(config["a"]) is type(value)


def test_a_text_field_keeps_a_variable_even_if_it_looks_like_a_number(monkeypatch):
    monkeypatch.setenv("GIVEN", "5")
    config = composed("dataset=csv", "dataset.path=${oc.env:GIVEN}", "dataset.target=y")
    assert config["dataset"]["path"] == "${oc.env:GIVEN}"


def test_the_time_is_recorded_as_a_number():
    config = composed("seed=${now:%Y}")
    assert config["seed"] > 2000


def test_recording_leaves_the_environment_readable_and_the_config_as_it_was(monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    cfg = OmegaConf.create({"a": "${oc.env:SECRET}", "hydra": {"b": 1}})
    before = OmegaConf.to_yaml(cfg)
    record_config(cfg)
    with pytest.raises(UsageError):
        record_config(OmegaConf.create({"a": "${oc.env:SECRET}", "b": "${nowhere}"}))
    assert OmegaConf.to_yaml(cfg) == before
    assert cfg.a == "hunter2"
    assert OmegaConf.create({"a": "${oc.decode:'[1]'}"}).a == [1]


def test_other_interpolations_are_resolved_and_hydras_node_is_left_out():
    config = composed(
        "data_seed=${seed}",
        "+tracking.tags.a=${hydra.job.name}",
        "+tracking.tags.b=${hydra:job.name}",
        "+tracking.tags.c=${dataset}",
    )
    assert config["data_seed"] == 0
    assert config["tracking"]["tags"]["a"] == config["tracking"]["tags"]["b"] == "harness"
    assert config["tracking"]["tags"]["c"] == config["dataset"]
    assert "hydra" not in config


def test_a_recorded_config_is_plain():
    config = composed("dataset=moons", "loss=bce", "model=deep", "schedule=step")
    assert json.loads(json.dumps(config)) == config
    assert config["optimizer"] == {
        "name": "sgd",
        "learning_rate": 0.05,
        "momentum": 0.0,
        "nesterov": False,
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"a": {"b": "???"}}, r"a\.b must be given"),
        ({"a": "${b}", "b": "???"}, "b must be given"),
        ({"a": "${b}"}, "a: Interpolation key 'b' not found"),
        ({"a": ["${nowhere:1}"]}, r"a\[0\]: Unsupported interpolation type nowhere"),
    ],
)
def test_what_has_no_value_is_told_by_its_key(values, said):
    with pytest.raises(UsageError, match=said):
        of(**values)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (None, "null"),
        ([32, 32], "[32, 32]"),
        ((1, None, True), "[1, null, true]"),
        ([[1], ["a"]], "[[1], [a]]"),
        ([], "[]"),
        ({"a": None, "b": [1]}, "{a: null, b: [1]}"),
        (1e-08, "1e-08"),
        (0.1 + 0.2, "0.30000000000000004"),
        (2, "2"),
        ("a b", "a b"),
        ("", ""),
        (np.float64(0.1), "0.1"),
        (np.int64(3), "3"),
    ],
    ids=str,
)
def test_values_as_text_are_as_yaml_shows_them(value, text):
    assert format_value(value) == text


def test_params_are_dotted_with_the_plugin_at_its_kind():
    node = record_config(
        OmegaConf.create({"activation": plugin_schema("activation", "leaky_relu")})
    )
    config = {"seed": 1, **node, "penalty": {"l1": 0.0}, "metrics": [{"r2": {}}], "clip": {}}
    assert recorded_params(config) == {
        "seed": "1",
        "activation": "leaky_relu",
        "activation.slope": "0.01",
        "penalty.l1": "0.0",
        "metrics": "[{r2: {}}]",
        "clip": "{}",
    }
    assert flatten(config)["activation.slope"] == 0.01


def test_params_leave_out_what_does_not_make_a_run():
    keys = {key.partition(".")[0] for key in recorded_params(composed())}
    assert not keys & {"tracking", "figures", "run", "hydra"}
    assert {"seed", "activation", "objective"} <= keys
