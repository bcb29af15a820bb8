"""Every claim in the docs that can be run is run; every name and link in them exists."""

import os
import re
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from harness import contracts
from harness.config.registry import plugin_names
from harness.config.schema import GROUPS
from tests.support import ROOT, forks
from tests.support.environments import Environment
from tests.support.pages import alike, blocks, check_page

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOTEBOOK = ROOT / "docs" / "python.ipynb"
PLAIN = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "Makefile", ROOT / ".ci/run", NOTEBOOK]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
KNOWN = (*GROUPS, "experiment", "sweep", "tracking", "figures", "local")
OPTION = re.compile(rf"(?<![\w.])({'|'.join(KNOWN)})=([a-z0-9_,]+)")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment of the docs' own, in which they may install plugins."""
    made = Environment(tmp_path_factory.mktemp("environment"))
    made.borrow(editable=True)
    made.script("harness", forks.command(made.bin / "python", made.packages))
    made.script("warm-python", forks.command(made.bin / "python", made.packages, script=True))
    made.script(
        "pip",
        f"#!{made.bin / 'python'}\n"
        "import sys; from pip._internal.cli.main import main\n"
        "extra = ['--quiet', '--no-index', '--no-build-isolation']\n"
        "sys.exit(main([sys.argv[1], *extra, *sys.argv[2:]]))\n",
    )
    return made


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, environment: Environment, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.reason:
            print(f"{block} is not run: {block.reason}")
    check_page(page, tmp_path, environment)


def test_output_is_compared_but_for_what_varies() -> None:
    identity = "0123456789abcdef" * 2
    assert alike(f"best: 0.5 ({identity})\n", f"best: 0.5000000001 ({identity[::-1]})\n")
    assert alike("folder: /home/me/outputs/1\n", "folder: /else/outputs/2026/2\n")
    assert alike("a\n...\nz\n", "a\nb\nc\nz\n")
    assert not alike("runs: 36 finished\n", "runs: 35 finished\n")
    assert not alike("best: 0.5\n", "best: 0.51\n")
    assert not alike("a\n...\nz\n", "a\nb\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_images_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if not target.startswith(("https://", "http://")):
            path, _, anchor = target.partition("#")
            there = (page.parent / path).resolve() if path else page
            assert there.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in _anchors(there), f"{page.name}: {target}"


def _text(page: Path) -> str:
    return page.read_text()


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """The options of each group: plugins, our presets, and what the docs themselves make."""
    found = {
        group: {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")} for group in KNOWN
    }
    for kind in GROUPS:
        found[kind] |= {*plugin_names(kind)}
    for block in (block for page in PAGES for block in blocks(page) if block.file):
        path = Path(block.file or "")
        if path.parent.name in found:  # a preset, or a plugin of one file
            found[path.parent.name].add(path.stem)
        if path.parent.name in GROUPS:  # a plugin of one file
            found[path.parent.name].add(path.stem)
        for kind, name in re.findall(r'"harness\.(\w+)"\]\n(\w+) =', block.text):
            found[kind].add(name)
    for kind, name in re.findall(r"harness new (\w+) (\w+)", "".join(map(_text, PAGES))):
        found.get(kind, set()).add(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_options_that_a_page_names_exist(page: Path, known: dict[str, set[str]]) -> None:
    text = page.read_text()
    for block in blocks(page):
        if block.language == "console":  # those show mistakes too, and are run
            text = text.replace(block.text, "")
    for group, chosen in OPTION.findall(text):
        for option in chosen.split(","):
            assert option in known[group], f"{page.name}: {group}={option}"


def test_files_that_contributing_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", text):
        if name != "dist/":
            assert any((ROOT / start / name).exists() for start in ("", "harness")), name


def test_tests_that_a_page_names_exist() -> None:
    """A promise whose test has gone is no promise."""
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    there = {*re.findall(r"^def (test_\w+)", "\n".join(sources), re.MULTILINE)}
    for page in PAGES:
        assert {*re.findall(r"`(test_\w+)`", page.read_text())} <= there, page


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.name)
def test_no_machine_shows(page: Path) -> None:
    for path in ("/work", "/root", "/tmp", "/opt/"):
        assert path not in page.read_text(), f"{page.name}: {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_lines_wrap(page: Path) -> None:
    text = page.read_text()
    for block in blocks(page):
        text = text.replace(block.text, "")
    for line in text.split("\n"):
        assert len(line) <= 110 or line.startswith(("|", "![")), f"{page.name}: {line}"


def test_every_setting_is_explained() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    config = yaml.safe_load((ROOT / "conf/config.yaml").read_text())
    for key, value in config.items():
        if key not in ("defaults", "hydra"):
            inner = [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
            for name in inner:
                assert f"`{name}`" in page, name
    for path in (ROOT / "conf").glob("*/*.yaml"):
        if path.parent.name == "base":  # always chosen: the defaults of Hydra's own groups
            continue
        assert f"`{path.parent.name}={path.stem}`" in page, path


def test_every_plugin_is_listed() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    for kind in contracts.KINDS:
        row = re.search(rf"^\| `{kind}` \|.*$", page, re.MULTILINE)
        assert row is not None, kind
        for name in plugin_names(kind):
            assert f"`{name}`" in row[0], f"{kind} {name}"


def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    stored = {cell.id: cell.get("outputs") for cell in notebook.cells}
    assert all(stored[c.id] or "=" in c.source for c in notebook.cells if c.cell_type == "code")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    place = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources=place)
    client.execute(env=environment)
    assert NOTEBOOK.stat().st_size < 150_000
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            assert output.output_type != "stream", f"{cell.id} prints {output.text}"
