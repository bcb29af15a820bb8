"""Checks of the runs axis: a run has the same bits alone and in a stack, in its own dtype."""

from typing import Any

import numpy as np

from harness.checks.kit import ROWS, Case, Kind, expect, expect_same, varied

DTYPES = (np.float32, np.float64)


def check_plugin_stacks_bit_for_bit(plugin: Any, kind: Kind) -> None:
    """Check that four runs with different float fields equal each of them alone, bit for bit."""
    plugins = varied(plugin) if kind.ndim else [plugin] * 4
    for dtype in DTYPES:
        together = kind.outputs(plugin, Case(dtype=dtype))
        for run in Case().members:
            alone = kind.outputs(plugin, Case((run,), dtype))
            for name, value in alone.items():
                what = f"{name} of {plugins[run]!r} in a stack, as it is alone,"
                expect(
                    len(together[name]) == 4 and len(value) == 1,
                    f"{name} with the runs, 4 and 1, as its first axis",
                    f"{together[name].shape} and {value.shape}",
                    ROWS,
                )
                expect_same(what, together[name][run : run + 1], value, ROWS)


def check_plugin_keeps_the_dtype(plugin: Any, kind: Kind) -> None:
    for dtype in DTYPES:
        for name, value in kind.outputs(plugin, Case(dtype=dtype)).items():
            if not name.startswith("state"):
                due = np.dtype(dtype)
                expect(value.dtype == due, f"{name} in {due}, as given", value.dtype, ROWS)
