"""Write RESULTS.md: a section for each benchmark, with the machine it was measured on."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np  # noqa: F401  (threadpoolctl tells of libraries that are loaded)
from threadpoolctl import threadpool_info

RESULTS = Path(__file__).with_name("RESULTS.md")
SECTIONS = ("training", "sweeps", "scaling", "engines", "profiling", "faults")
OPENING = """# Benchmark results

Made by `make bench`; `make bench BENCH_ARGS=training` measures one section anew and leaves the
others. Sections may be of different days: each says when, where and with what it was measured.
Compare within a table, not between tables. CPU seconds are those of all processes of a program,
user and system.
"""
PACKAGES = (
    *("numpy", "hydra-core", "mlflow", "matplotlib", "torch", "jax", "scikit-learn", "optuna"),
    *("ray", "hydra-joblib-launcher", "joblib", "submitit"),
)
Row = Mapping[str, object]


def table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table; the first row's keys are its columns."""
    columns = list(rows[0])
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1)]
    lines += [[shown(row.get(column, "")) for column in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(value: object) -> str:
    """Format a number for people."""
    if isinstance(value, float):
        if value and abs(value) < 0.001:
            return f"{value:.0e}"
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def write(section: str, title: str, text: str, blas: str = "") -> None:
    """Write a section into RESULTS.md, in place of the earlier one."""
    there = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    found = {name: _between(there, name) for name in SECTIONS}
    found[section] = f"## {title}\n\n{measured(blas)}\n\n{text.strip()}\n"
    parts = [
        f"{_mark('begin', name)}\n{part}{_mark('end', name)}\n"
        for name, part in found.items()
        if part
    ]
    RESULTS.write_text("\n".join([OPENING, *parts]), encoding="utf-8")
    print(f"{section}: written to {RESULTS}", flush=True)


def _mark(which: str, section: str) -> str:
    return f"<!-- {which} {section} -->"


def _between(text: str, section: str) -> str:
    begin, end = (re.escape(_mark(which, section)) for which in ("begin", "end"))
    match = re.search(f"{begin}\n(.*?){end}", text, re.DOTALL)
    return match[1] if match else ""


def measured(blas: str) -> str:
    """Return the date, the machine and the versions of a measurement."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    parts = [
        f"Measured {now} on {processor()}, {os.cpu_count()} cores, {platform.system()};",
        f"load average at the end {load}.",
        f"BLAS: {blas or blas_here()}.",
        f"Python {platform.python_version()}, {', '.join(versions())}.",
    ]
    return "\n".join(filter(None, parts))


def blas_here() -> str:
    """Return NumPy's BLAS, and the kind of processor that it uses."""
    pools = [p for p in threadpool_info() if p["user_api"] == "blas" and "numpy" in p["filepath"]]
    told = os.environ.get("OPENBLAS_CORETYPE")
    how = f"OPENBLAS_CORETYPE={told}" if told else "OPENBLAS_CORETYPE not set"
    names = [f"{p['internal_api']} {p['version']} {p.get('architecture', '')}" for p in pools]
    return f"{', '.join(names) or 'unknown'} ({how})"


def processor() -> str:
    """Return the CPU's name from the system."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    match = re.search(r"model name\s*: (.*)", text)
    return match[1] if match else platform.machine()


def versions() -> list[str]:
    """Return name and version of the installed packages."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found
