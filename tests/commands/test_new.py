"""`harness new`: packages for all kinds that are green at once, and what it refuses."""

import shutil
import sys

import pytest

from harness.contracts import KINDS
from tests.support import ROOT, forks
from tests.support.commands import harness, listing, refused
from tests.support.environments import Environment
from tests.support.strangers import strangers

WRITTEN = ["README.md", "harness_bump.py", "pyproject.toml", "test_harness_bump.py"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment in which what is made here is installed, all kinds in one."""
    made = Environment(tmp_path_factory.mktemp("environment"))
    made.borrow(editable=True)
    made.script("harness", forks.command(made.bin / "python", made.packages))
    return made


def test_each_kind_installs_and_is_green_at_once_and_so_is_the_example(
    environment, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for kind in KINDS:
        assert harness(capsys, "new", kind, f"my_{kind}").code == 0
    folders = [str(tmp_path / f"harness-my-{kind}") for kind in KINDS]
    folders.append(shutil.copytree(ROOT / "plugins" / "harness-snake", tmp_path / "snake"))
    environment.pip(*(part for folder in folders for part in ("--editable", str(folder))))
    python = str(environment.bin / "python")
    said = environment.run(python, "-m", "pytest", "-q", "-W", "error", *map(str, folders))
    assert "passed" in said
    listed = environment.run(str(environment.bin / "harness"), "plugins", cwd=tmp_path)
    rows = [line.split()[:5] for line in listed.splitlines()]
    for kind in KINDS:
        assert [kind, f"my_{kind}", f"harness-my-{kind}", "0.1", "ok"] in rows
    assert ["activation", "snake", "harness-snake", "0.1", "ok"] in rows
    chosen = [f"{kind}=my_{kind}" for kind in KINDS if kind not in ("metric", "figure")]
    lists = ["metrics=[my_metric]", "figures.names=[my_figure]", "epochs=2"]
    said = environment.run(str(environment.bin / "harness"), *chosen, *lists, cwd=tmp_path)
    assert "runs: 1 finished, 0 diverged, 0 failed" in said


def test_it_says_what_it_wrote_and_what_to_do_next(workplace, capsys):
    lines = harness(capsys, "new", "loss", "bump").out.splitlines()
    assert sorted(line for line in lines if line.startswith("wrote: ")) == [
        f"wrote: harness-bump/{name}" for name in WRITTEN
    ]
    assert lines[-2:] == [
        "next: cd harness-bump && pip install -e '.[test]' && pytest",
        "then: harness loss=bump",
    ]
    assert listing(workplace / "harness-bump") == WRITTEN
    assert (
        "then: harness metrics=[bump]"
        in harness(capsys, "new", "metric", "bump", "--dir", "other folder").out
    )
    assert listing(workplace / "other folder") == WRITTEN


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("activtion", "bump", "Did you mean activation?"),
        ("activation", "soft-step", "'soft-step' is no name for a plugin: letters, digits and _"),
        ("activation", "2nd", "'2nd' is no name"),
        ("activation", "lambda", "'lambda' is no name"),
        ("activation", "../up", "'../up' is no name"),
        ("activation", "naïve", "'naïve' is no name"),
        ("activation", "name", "the name 'name' is reserved"),
        ("activation", "null", "the name 'null' is reserved"),
        (
            "activation",
            "tanh",
            "there is one of that name: activation plugin 'tanh' (numpy-harness 0",
        ),
        ("activation", "plugins", "there is a module harness_plugins already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(workplace, capsys, kind, name, said):
    assert said in refused(capsys, "new", kind, name)


def test_a_strangers_name_is_refused_with_its_distribution(tmp_path, workplace, capsys):
    with strangers(tmp_path / "site-packages") as others:
        others.install("their-plugins", "", activation__bump="Bump")
        assert "'bump' (their-plugins 1.2)" in refused(capsys, "new", "activation", "bump")


def test_what_is_there_is_left_alone(workplace, capsys):
    (workplace / "harness-bump").mkdir()
    assert harness(capsys, "new", "loss", "bump").code == 0
    assert "harness-bump: this is not an empty folder" in refused(capsys, "new", "loss", "bump")
    (workplace / "file").write_text("")
    assert "file: this is not an empty folder" in refused(
        capsys, "new", "loss", "bump", "--dir", "file"
    )


def test_the_example_is_what_new_writes_but_for_its_formula(workplace, capsys):
    assert harness(capsys, "new", "activation", "snake").code == 0
    there = ROOT / "plugins" / "harness-snake"
    assert listing(workplace / "harness-snake") == [
        path.name for path in sorted(there.iterdir()) if path.is_file()
    ]
    new, example = (p / "pyproject.toml" for p in (workplace / "harness-snake", there))
    differ = [line for line in example.read_text().splitlines() if line not in new.read_text()]
    assert [line.partition(" ")[0] for line in differ] == ["description"]
    assert "harness_snake" not in sys.modules
