"""The built-ins equal their references, and the page that says so is up to date."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.plugins.references.page import KINDS, PAGE, names, page

LIMITS = {
    "activation": 1e-12,
    "loss": 1e-12,
    "schedule": 1e-9,
    "optimizer": 1e-9,
    "initializer": 0.02,
    "initializer/orthogonal": 1e-12,
    "model": 1e-10,
    "metric": 1e-12,
}
ALONE = ("initializer", "metric")  # compared with what is always there
BUILT_IN = [(kind, name) for kind in KINDS for name in names(kind)]
FIGURE = re.compile(r"\S+ \|$", re.MULTILINE)
needed = pytest.mark.skipif(
    find_spec("torch") is None or find_spec("optax") is None,
    reason="PyTorch and Optax are not installed: pip install -e '.[reference]'",
)


@pytest.fixture(scope="module")
def rows():
    """Found in a process of its own: what these libraries do on import is none of our tests'."""
    command = [sys.executable, "-m", "tests.plugins.references"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def limit(kind, name):
    return LIMITS.get(f"{kind}/{name}", LIMITS[kind])


@needed
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ALONE])
def test_every_built_in_equals_its_reference(rows, kind):
    found = {name: difference for each, name, difference in rows if each == kind}
    assert [*found] == names(kind)
    assert {name: d for name, d in found.items() if not d <= limit(kind, name)} == {}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, name in BUILT_IN if kind in ALONE]
)
def test_a_built_in_equals_its_reference(kind, name):
    module = KINDS[kind]
    assert max(module.differences(module.CASES[name])) <= limit(kind, name)


@needed
def test_the_page_is_what_is_computed(rows):
    text = PAGE.read_text()
    assert FIGURE.sub("", text) == FIGURE.sub("", page(rows)), (
        "python -m tests.plugins.references --write"
    )
    said = [float(line.split(" | ")[-1][:-2]) for line in text.split("\n") if "| `" in line[1:]]
    assert all(found <= max(100 * d, 1e-15) for (_, _, found), d in zip(rows, said, strict=True))


def test_every_built_in_has_a_reference_and_a_row():
    for kind, module in KINDS.items():
        assert [*module.CASES] == names(kind)
        for name in names(kind):
            assert f"\n| `{name}` |" in PAGE.read_text(), f"{kind} {name}"
