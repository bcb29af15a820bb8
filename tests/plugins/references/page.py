"""The comparisons as a page of the docs."""

from inspect import getdoc

from harness.config import registry
from harness.config.registry import DISTRIBUTION
from tests.plugins.references import (
    activations,
    initializers,
    losses,
    metrics,
    models,
    optimizers,
    schedules,
)
from tests.plugins.references.case import SMALL
from tests.support import ROOT

PAGE = ROOT / "docs" / "builtins.md"
KINDS = {
    "activation": activations,
    "optimizer": optimizers,
    "schedule": schedules,
    "loss": losses,
    "initializer": initializers,
    "model": models,
    "metric": metrics,
}
HEAD = f"""# Built-ins

What the built-in plugins compute, and how near it is to what PyTorch, Optax and scikit-learn
compute with the same settings, or to what theory says, in float64. A difference is relative to
their value, or to {SMALL:g} where that is smaller; the largest one is shown. The members of a
stack, each with values of its own in its fields, are compared one by one.

`python -m tests.plugins.references --write` writes this page, and a test computes all of it
again. Both need `pip install -e '.[reference]'`.
"""


def names(kind: str) -> list[str]:
    """Our plugins of a kind; a stranger's are compared by strangers."""
    ours = (registry.find_plugin(kind, name) for name in registry.plugin_names(kind))
    return [origin.name for origin in ours if origin.distribution == DISTRIBUTION]


def measured() -> list[tuple[str, str, float]]:
    """(kind, name, largest difference) of every built-in that has a case."""
    return [
        (kind, name, max(module.differences(case)))
        for kind, module in KINDS.items()
        for name, case in module.CASES.items()
    ]


def page(rows: list[tuple[str, str, float]]) -> str:
    """The whole page."""
    text = HEAD
    for kind, module in KINDS.items():
        text += f"\n## {module.TITLE}\n\n{module.HOW}\n\n"
        text += row(f"`{kind}`", "formula", "compared with", "difference") + "|---|---|---|---|\n"
        for name, found in ((name, found) for each, name, found in rows if each == kind):
            formula = " ".join((getdoc(registry.load_plugin(kind, name)) or "").split())
            other, figure = module.CASES[name].reference, f"{found:.0e}" if found else "0"
            text += row(f"`{name}`", formula, f"`{other}`", figure)
    return text


def row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
