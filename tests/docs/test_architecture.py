"""Imports go down only, rooms form no circle and stay small, heavy libraries have one home."""

import ast
from collections import Counter

import pytest

from tests.support import ROOT

# Lower layers first; a room may import from its own layer and those below it.
LAYERS = [
    {"contracts", "errors"},
    {"numerics"},
    {"store"},
    {"training"},
    {"config"},
    {"analysis", "engines", "figures"},
    {"tracking", "checks", "serving"},
    {"sweeps"},
    {"hydra_app", "api"},
    {"commands"},
    {"cli"},
]
HOMES = {
    "mlflow": ("harness/tracking/", "harness/commands/ui.py"),
    "matplotlib": ("harness/figures/",),
    "plotly": ("plugins/harness_plugins/figures/",),
    "optuna": ("harness/sweeps/search/",),
    "hydra": (
        "harness/hydra_app/",
        "harness/sweeps/search/space.py",
        "plugins/hydra_plugins/",
    ),
    "rich": ("harness/commands/", "harness/sweeps/progress.py"),
    "jinja2": ("harness/commands/report/",),
    "markdown_it": ("harness/commands/report/",),
    "loky": ("harness/engines/",),
    "ray": ("harness/engines/ray_engine.py",),
    "submitit": ("harness/engines/submitit_engine.py",),
}

# Lines of code that a room may have; raise a number in the commit that needs it, with the reason.
BUDGETS = {
    "commands": 1800,
    "hydra_app": 1120,  # sessions of threads, passwords, presets, keys given twice, plain words
    "sweeps": 1220,  # spaces of a study are compared, a split is looked at before training
    "tracking": 1850,  # damaged pages, and files that are not where they were, are looked for
    "checks": 1250,  # answers of a wrong shape, and slopes under other values of the fields
    "analysis": 1000,
    "engines": 460,
    "figures": 320,
    "config": 900,
    "training": 1400,
    "store": 420,
    "contracts": 300,
    "files at the top": 300,  # texts of the environment are kept out of errors
}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path):
    """(module, line) of every import in a file, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "harness":
                yield from ((f"harness.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def layer(room):
    return next((i for i, rooms in enumerate(LAYERS) if room in rooms), None)


def room_of(path):
    return path.relative_to(ROOT / "harness").parts[0].removesuffix(".py")


def arrows():
    """(room, other room, where) of every import between rooms of the harness."""
    for path in sources("harness"):
        for module, line in imported(path):
            other = module.split(".")[1] if module.startswith("harness.") else None
            room = room_of(path)
            if other and other != room and None not in (layer(room), layer(other)):
                yield room, other, f"{path.relative_to(ROOT)}:{line}"


def test_every_room_has_a_layer():
    rooms = {room_of(path) for path in sources("harness")} - {"__init__", "__main__"}
    assert rooms == set().union(*LAYERS)


def test_imports_go_down_only():
    assert [where for room, other, where in arrows() if layer(other) > layer(room)] == []


def test_rooms_form_no_circle():
    uses = {}
    for room, other, _ in arrows():
        uses.setdefault(room, set()).add(other)
    while leaves := [room for room, others in uses.items() if not others & uses.keys()]:
        for room in leaves:
            del uses[room]
    assert uses == {}


def code_lines(path):
    """Count the lines of a file that are neither blank nor comment nor docstring."""
    text = path.read_text(encoding="utf-8")
    docs = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            docs |= {*range(node.body[0].lineno, node.body[0].end_lineno + 1)}
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(s := line.strip()) and s[0] != "#" and n not in docs for n, line in lines)


def test_rooms_are_few():
    packages = {path.parent for path in (ROOT / "harness").glob("*/__init__.py")}
    assert len(packages) <= 12
    assert len([*(ROOT / "harness").glob("*.py")]) <= 7


def test_each_room_keeps_its_budget():
    sizes = Counter()
    for path in sources("harness"):
        at_top = path.parent == ROOT / "harness"
        sizes["files at the top" if at_top else room_of(path)] += code_lines(path)
    assert sizes.keys() == BUDGETS.keys()
    assert {room: n for room, n in sizes.items() if n > BUDGETS[room]} == {}


@pytest.mark.parametrize("library", HOMES)
def test_heavy_libraries_have_one_home(library):
    homes = tuple(str(ROOT / home) for home in HOMES[library])
    strays = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources("harness", "plugins")
        for module, line in imported(path)
        if module.split(".")[0] == library and not str(path).startswith(homes)
    ]
    assert strays == []


def test_plugins_see_contracts_and_numerics_only():
    allowed = ("harness.contracts", "harness.numerics")
    strays = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in sources("plugins/harness_plugins")
        for module, line in imported(path)
        if module.split(".")[0] == "harness" and module not in allowed
    ]
    assert strays == []


def test_the_contract_needs_numpy_only():
    files = [*sources("harness/contracts"), ROOT / "harness" / "numerics.py"]
    tops = {module.split(".")[0] for path in files for module, _ in imported(path)}
    assert tops <= {
        "__future__", "collections", "dataclasses", "functools", "harness", "numpy", "pandas",
        "pathlib", "typing",
    }  # fmt: skip


def test_no_module_bears_the_name_of_a_public_function():
    assert not {"run", "sweep", "load"} & {room_of(path) for path in sources("harness")}


def test_nothing_in_a_config_can_name_a_callable():
    words = ("_target_", "instantiate(", "allow_pickle=True")
    strays = [
        path.name
        for path in [
            *sources("harness", "plugins/harness_plugins"),
            *(ROOT / "conf").rglob("*.yaml"),
        ]
        for word in words
        if word in path.read_text(encoding="utf-8")
    ]
    assert strays == ["allowlist.py"]  # which refuses it
