"""The docs for authors of plugins: every hook is explained, all that may be relied on listed."""

import ast
import inspect
import re
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest

from harness import contracts
from harness.commands.new import package_files
from tests.support import ROOT
from tests.support.pages import blocks

PAGE = ROOT / "docs" / "plugins.md"
EXAMPLE = ROOT / "plugins" / "harness-snake"


def page_of(kind: str) -> Path:
    return PAGE.parent / "plugins" / f"{kind}.md"


def hooks(protocol: type) -> list[str]:
    """`method(its, arguments` and class variables, as a page must name them."""
    methods = {
        name: [*inspect.signature(method).parameters][1:]
        for name, method in inspect.getmembers(protocol, inspect.isfunction)
        if method.__module__.startswith(contracts.__name__)
        and name not in ("__init__", "__subclasshook__")
    }
    named = [f"`{name}({', '.join(given)}" for name, given in methods.items()]
    return named + [f"`{name}`" for name in inspect.get_annotations(protocol)]


@pytest.mark.parametrize("kind", contracts.KINDS)
def test_every_hook_of_a_kind_is_explained(kind: str) -> None:
    hooked = hooks(getattr(contracts, kind.capitalize()))
    if kind == "loss":
        hooked += [*hooks(contracts.ClassificationLoss), "`with_gradient(prediction, y)`"]
    if kind == "activation":
        hooked += ["`__call__(z, out=None)`"]
    for page in (PAGE, page_of(kind)):
        text = page.read_text()
        for hook in hooked:
            assert hook in text, f"{page.name}: {hook}"
    assert f"(plugins/{kind}.md)" in PAGE.read_text()


def test_every_field_that_a_plugin_gives_or_gets_is_explained() -> None:
    dataset, figure = (page_of(kind).read_text() for kind in ("dataset", "figure"))
    for name in contracts.Data._fields:
        assert f"| `{name}` |" in dataset, name
    for result in (contracts.RunResult, contracts.SweepResult):
        known = [f.name for f in fields(result)]
        known += [name for name in vars(result) if name[0] != "_" and name not in known]
        for name in known:
            assert re.search(rf"`{name}[`(]", figure), f"{result.__name__}.{name}"


@pytest.mark.parametrize("kind", contracts.KINDS)
def test_the_smallest_example_of_a_kind_is_what_new_writes(kind: str) -> None:
    text = page_of(kind).read_text()
    [(kind_named, name)] = re.findall(r"`harness new (\w+) (\w+)`", text)
    [example] = [block for block in blocks(page_of(kind)) if block.file]
    assert kind_named == kind
    assert example.text == package_files(kind, name)[str(example.file)]
    assert [word for word in ("Methods", "Common mistakes") if f"\n## {word}\n" not in text] == []


def test_the_tutorial_ends_with_the_example() -> None:
    written = {block.file: block.text for block in blocks(PAGE)}
    for name in ("harness_snake.py", "test_harness_snake.py"):
        assert written[f"harness-snake/{name}"] == (EXAMPLE / name).read_text()


@pytest.mark.parametrize("module", ["contracts", "numerics", "checks"])
def test_all_that_may_be_relied_on_is_listed(module: str) -> None:
    row = re.search(rf"^\| `harness.{module}` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert row is not None
    assert row[1] == ", ".join(f"`{name}`" for name in sorted(public(module)))


def public(module: str) -> list[str]:
    """The names without `_` that a module defines, or that it says are public."""
    if module in ("checks", "contracts"):
        return list(import_module(f"harness.{module}").__all__)
    found = list[str]()
    for node in ast.parse((ROOT / "harness" / f"{module}.py").read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.append(node.name)
        elif isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names if alias.asname == alias.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in found if name[0] != "_"]


def test_the_version_of_the_contract_is_the_pages() -> None:
    assert f"`CONTRACT` is the version of all this, and of this page: {contracts.CONTRACT}." in (
        PAGE.read_text()
    )
