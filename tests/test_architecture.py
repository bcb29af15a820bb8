"""Who may import whom: imports go down only, and heavy libraries have one home."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Lower layers first; a module may import from its own layer and those below it.
LAYERS = [
    {"contracts", "outcomes"},
    {"errors", "memory"},
    {"one_file"},
    {"numerics"},
    {"weights", "stack", "npz"},
    {"data", "agreement"},
    {"training", "registry"},
    {
        "stopping",
        "trail",
        "settings",
        "construct",
        "config",
        "recording",
        "harmless",
        "differences",
    },
    {"store", "evaluation", "compose", "tracking", "figures", "film"},
    {
        "advice",
        "artifacts",
        "checkpoints",
        "inside",
        "net",
        "leaderboard",
        "comparison",
        "note",
        "faults",
    },
    {"runs"},
    {"engines", "outbox", "overview", "planning", "results", "search", "drift", "turns", "lesson"},
    {"grouping", "publishing", "progress", "summary"},
    {"report"},
    {"page", "page_file"},
    {"sweeps"},
    {"complaints", "composer", "fast_loader", "jobs", "launching", "outputs", "signals"},
    {"grid"},
    {"sweeping"},
    {"api", "checks"},
    {"commands"},
    {"cli"},
]
HOMES = {
    "mlflow": ("harness/tracking/", "harness/commands/ui.py", "harness/served.py"),
    "matplotlib": ("harness/figures/",),
    "plotly": ("plugins/harness_plugins/figures/",),
    "optuna": ("harness/search/",),
    "hydra": (
        "harness/complaints.py",
        "harness/composer.py",
        "harness/fast_loader.py",
        "harness/grid.py",
        "harness/harmless.py",
        "harness/jobs.py",
        "harness/launching.py",
        "harness/search/space.py",
        "harness/commands/train.py",
        "plugins/hydra_plugins/",
    ),
    "rich": ("harness/commands/check.py", "harness/progress.py"),
    "jinja2": ("harness/page.py",),
    "markdown_it": ("harness/page.py",),
    "loky": ("harness/engines/",),
    "ray": ("harness/engines/ray_engine.py",),
    "submitit": ("harness/engines/submitit_engine.py",),
}
ANYWHERE = {"harness", "harness.served", "harness.__main__"}


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
    return next(i for i, rooms in enumerate(LAYERS) if room in rooms)


def room_of(path):
    return path.relative_to(ROOT / "harness").parts[0].removesuffix(".py")


def test_every_room_has_a_layer():
    rooms = {room_of(path) for path in sources("harness")} - {"__init__", "__main__", "served"}
    assert rooms <= set().union(*LAYERS)


@pytest.mark.parametrize("path", sources("harness"), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_only(path):
    room = room_of(path)
    if room in ("__init__", "__main__", "served"):
        return
    for module, line in imported(path):
        if module.startswith("harness.") and module not in ANYWHERE:
            other = module.split(".")[1]
            assert layer(other) <= layer(room), f"{path}:{line} imports {module}"


@pytest.mark.parametrize("library", HOMES)
def test_heavy_libraries_have_one_home(library):
    homes = tuple(str(ROOT / home) for home in HOMES[library])
    strays = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources("harness", "plugins")
        for module, line in imported(path)
        if module.split(".")[0] == library and not str(path).startswith(homes or ("none",))
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
    tops = {
        module.split(".")[0]
        for name in ("contracts", "numerics")
        for module, _ in imported(ROOT / "harness" / f"{name}.py")
    }
    assert tops <= {
        "__future__", "collections", "dataclasses", "functools", "harness", "numpy", "pandas",
        "pathlib", "typing",
    }  # fmt: skip


def test_no_module_bears_the_name_of_a_public_function():
    assert not {"run", "sweep", "load"} & {room_of(path) for path in sources("harness")}


def test_nothing_in_a_config_can_name_a_callable():
    words = ("_target_", "instantiate(", "allow_pickle=True")
    strays = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in [
            *sources("harness", "plugins/harness_plugins"),
            *(ROOT / "conf").rglob("*.yaml"),
        ]
        for word in words
        if word in path.read_text(encoding="utf-8")
    ]
    assert strays == ["harness/harmless.py: _target_"]  # which refuses it
