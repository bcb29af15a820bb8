"""Nothing that came from the environment is written: every byte of each way in is searched."""

import logging
from pathlib import Path

import pytest
import yaml

import harness as harness_api
from harness.errors import UsageError
from harness.tracking.backend.uri import ADDRESS
from tests.support.commands import SHORT, harness, listing
from tests.support.recorded import QUIET

pytestmark = QUIET
TOKEN, PASSWORD = "tok-3n-is-secret", "hunter2-is-secret"
TYPED = ["+tracking.tags.tok=${oc.env:TOK}", "tracking.run_name='run ${oc.env:TOK}'"]
SEARCH = ["-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2"]
WAYS = {
    "single": [],
    "sweep": ["-m", "seed=1,2"],
    "search": [*SEARCH, "optimizer.learning_rate=interval(0.01,0.1)"],
    "foreign": ["-m", "hydra/launcher=basic", "seed=1,2"],
}
CALLS = [("line", way) for way in WAYS]
CALLS += [(how, way) for how in ("preset", "python") for way in ("single", "sweep", "foreign")]


def call(how, way, lines, capsys):
    """Call the program with these settings; return its exit code and all that it printed."""
    capsys.readouterr()
    if how == "preset":
        write_preset(lines)
    if how != "python":
        return harness(capsys, *SHORT, *WAYS[way], *(lines if how == "line" else ()))
    function = harness_api.sweep if "-m" in WAYS[way] else harness_api.run
    function([*SHORT, *(line for line in WAYS[way] if line != "-m"), *lines])
    return 0, *capsys.readouterr()


def write_preset(lines):
    """Write `key.key=value` lines as the user's own preset."""
    tree = {}
    for line in lines:
        key, _, value = line.lstrip("+").partition("=")
        *parents, name = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = value.strip("'")
    Path("conf/local").mkdir(parents=True)
    Path("conf/local/default.yaml").write_text(f"# @package _global_\n{yaml.safe_dump(tree)}")


def secrets_in(*folders):
    """Return the files under these folders in which a secret is, in the name or the content."""
    files = [path for folder in folders for path in Path(folder).rglob("*") if path.is_file()]
    files = [path for path in files if path.parts[:1] != ("conf",)]
    assert files
    kept = ((path, path.read_bytes() + str(path).encode()) for path in files)
    secrets = (TOKEN.encode(), PASSWORD.encode())
    return [str(path) for path, content in kept if any(each in content for each in secrets)]


@pytest.mark.parametrize(("how", "way"), CALLS)
def test_a_secret_of_the_environment_is_in_no_byte(
    workplace, monkeypatch, caplog, capsys, how, way
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("TOK", TOKEN)
    code, out, err = call(how, way, TYPED, capsys)
    assert code == 0, err
    assert secrets_in(".") == []
    assert TOKEN not in out + err + caplog.text
    typed = next(Path().rglob("manifest.json")).read_text()
    assert '"tok": "${oc.env:TOK}"' in typed
    assert '"run ${oc.env:TOK}"' in typed


@pytest.mark.parametrize(
    ("how", "way"),
    [("line", "single"), ("line", "foreign"), ("preset", "single"), ("preset", "sweep"),
     ("preset", "foreign"), ("python", "single")],
)  # fmt: skip
def test_a_password_of_the_store_is_used_and_in_no_byte(
    workplace, server, monkeypatch, caplog, capsys, how, way
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.delenv(ADDRESS, raising=False)
    uri = server.replace("://", f"://ann:{PASSWORD}@")
    code, out, err = call(how, way, [f"tracking.uri='{uri}'"], capsys)
    assert code == 0, err
    assert secrets_in(".") == []
    ours = "".join(r.getMessage() for r in caplog.records if not r.name.startswith("urllib3"))
    assert PASSWORD not in out + err + ours
    assert f'"tracking_uri": "{server}"' in next(Path().rglob("manifest.json")).read_text()
    from os import environ

    assert ADDRESS not in environ


@pytest.mark.parametrize(
    "lines",
    [
        ["epochs=${oc.env:TOK}"],
        ["optimizer.learning_rate=${oc.env:TOK}"],
        ["optimizer=${oc.env:TOK}"],
        ["dataset=csv", "dataset.path=${oc.env:TOK}.csv", "dataset.target=y"],
        ["tracking.uri=${oc.env:TOK}"],
        ["tracking={uri: 'postgresql://ann:" + PASSWORD + "@127.0.0.1/runs'}"],
        [f"tracking.uri=ann:{PASSWORD}@127.0.0.1:5000"],
        [f"tracking.uri=http://ann:{PASSWORD}@"],
        ["-m", "hydra.sweeper.plan=true", "seed=1,2", "epochs=${oc.env:TOK}"],
    ],
)
def test_a_refusal_and_its_traceback_show_no_secret(workplace, monkeypatch, capsys, lines):
    monkeypatch.setenv("TOK", TOKEN)
    monkeypatch.setenv("HARNESS_DEBUG", "1")
    before = listing(workplace)
    code, out, err = harness(capsys, *lines)
    assert code in (0, 2, 65), err
    assert TOKEN not in out + err
    assert PASSWORD not in out + err.replace(lines[0], "")
    assert listing(workplace) == before


def test_an_error_in_python_shows_no_secret(workplace, monkeypatch):
    from traceback import format_exception

    monkeypatch.setenv("TOK", TOKEN)
    for line in ("epochs=${oc.env:TOK}", "optimizer.learning_rate=${oc.env:TOK}"):
        with pytest.raises(UsageError) as raised:
            harness_api.run([line])
        assert TOKEN not in "".join(format_exception(raised.value))


FAILING = """
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Plugin:
    word: str = "a"

    def __call__(self, z):
        return np.tanh(z)

    def derivative(self, z, a):
        raise ValueError(f"{self.word} is no good")
"""


def test_the_traceback_of_a_plugin_that_fails_shows_no_secret(workplace, monkeypatch, capsys):
    monkeypatch.setenv("TOK", TOKEN)
    Path("mine/activation").mkdir(parents=True)
    Path("mine/activation/broken.py").write_text(FAILING)
    code, out, err = harness(
        capsys, "--plugins", "mine", *SHORT, "activation=broken", "activation.word=${oc.env:TOK}"
    )
    assert code in (2, 3), err
    assert "${oc.env:TOK} is no good" in err
    assert TOKEN not in out + err
    assert not Path("mlflow.db").exists() or secrets_in(".") == []
