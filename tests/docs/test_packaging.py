"""The wheel and the editable install both give a working harness from any folder."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.commands import harness_process
from tests.support.environments import Environment
from tests.support.model_server import answer

Install = Callable[[Environment, Path], Path]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean copy of the source: what git tracks, and what it would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    copy = tmp_path_factory.mktemp("source") / "tree"
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(tree)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(
    request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Environment, Path]:
    """A new environment with the harness in it, and where its code must come from."""
    environment = Environment(tmp_path_factory.mktemp(request.param))
    if request.param == "wheel":
        environment.pip(str(request.getfixturevalue("wheel")))
        home = environment.packages
    else:
        environment.pip("--editable", str(tree))
        home = tree
    environment.borrow(editable=False)
    return environment, home


def test_the_wheel_holds_the_configs_and_leaves_the_namespace_package_open(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    assert "harness/conf/config.yaml" in files
    configs = {f"harness/{p.relative_to(ROOT)}" for p in (ROOT / "conf").rglob("*.yaml")}
    assert configs <= files
    assert "hydra_plugins/harness/__init__.py" in files
    assert "hydra_plugins/__init__.py" not in files
    assert {name.split("/")[0] for name in files} == {
        "harness",
        "harness_plugins",
        "hydra_plugins",
        f"numpy_harness-{version('numpy-harness')}.dist-info",
    }


def test_every_data_file_of_the_source_is_in_the_wheel(wheel: Path, tree: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    packages = [tree / "harness", *(tree / "plugins").glob("*_plugins")]
    sources = [path for package in packages for path in package.rglob("*") if path.is_file()]
    assert {str(p.relative_to(tree)).removeprefix("plugins/") for p in sources} <= files


def test_the_code_comes_from_what_was_installed(installed: tuple[Environment, Path]) -> None:
    environment, home = installed
    code = "import harness, harness_plugins, hydra_plugins.harness as h\n"
    code += "print(harness.__file__, harness_plugins.__file__, h.__file__, sep='\\n')"
    paths = environment.run(str(environment.bin / "python"), "-c", code, cwd=home.parent)
    for path in map(Path, paths.split()):
        assert path.is_relative_to(home.resolve()) or path.is_relative_to(home)


def test_it_runs_from_an_empty_folder(installed: tuple[Environment, Path], tmp_path: Path) -> None:
    environment, _ = installed
    harness = str(environment.bin / "harness")
    said = environment.run(harness, "epochs=5", "experiment=notebook", cwd=tmp_path)
    assert "runs: 1 finished, 0 diverged, 0 failed" in said
    assert (tmp_path / "mlflow.db").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", "mlartifacts", "outputs"}


def test_help_and_plugins_list_what_is_built_in(
    installed: tuple[Environment, Path], tmp_path: Path
) -> None:
    environment, _ = installed
    harness = str(environment.bin / "harness")
    shown = environment.run(harness, "--help", cwd=tmp_path)
    assert re.search(r"activation: .*relu, .*sigmoid, .*tanh", shown)
    listed = environment.run(harness, "plugins", cwd=tmp_path)
    assert "surface3d" in listed
    assert "broken" not in listed


@pytest.mark.soak  # it installs what a model requires from the package index: minutes, 1 GB
def test_a_saved_model_brings_the_wheel_into_an_environment_of_its_own(
    wheel: Path, tmp_path: Path
) -> None:
    trained = harness_process("epochs=2", "dataset.samples=20", "figures=none", cwd=tmp_path)
    assert trained.code == 0, trained.err
    [model] = tmp_path.glob("mlartifacts/models/m-*/artifacts")
    fresh, report = Environment(tmp_path / "fresh"), tmp_path / "report.json"
    python = fresh.bin / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    asked = ["--report", str(report), "-r", str(model / "requirements.txt")]
    fresh.run(*pip, *asked, seconds=1800, PIP_FIND_LINKS=str(wheel.parent))
    installed = {
        each["metadata"]["name"]: each["download_info"]["url"]
        for each in json.loads(report.read_text())["install"]
    }
    assert installed["numpy-harness"] == wheel.as_uri()
    assert not {"harness", "pytest"} & installed.keys()
    code = "import sys, mlflow, harness; print(harness.__file__)\n"
    code += "predicted = mlflow.pyfunc.load_model(sys.argv[1]).predict([[0.5, 1.0], [2, -1]])\n"
    code += "print(predicted.to_json(double_precision=15))"
    line = [str(python), "-W", "ignore", "-c", code, str(model)]
    home, loaded = fresh.run(*line, cwd=tmp_path).splitlines()[-2:]
    assert Path(home).is_relative_to(fresh.packages)
    question = {"inputs": [[0.5, 1.0], [2, -1]]}
    rows = answer(python, str(model), question, tmp_path, fresh.variables())
    [(target, values)] = json.loads(loaded).items()
    assert [row[target] for row in rows] == pytest.approx([*values.values()], rel=1e-9)
