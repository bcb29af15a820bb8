"""Render a lesson as text for a terminal, as Markdown with TeX, or as HTML with MathML."""

import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from string import Template
from textwrap import wrap

import numpy as np

from harness.commands.explain.formula import parse_tex, power_of_ten, to_mathml, to_text
from harness.commands.explain.lesson import Equation, Section
from harness.contracts import Array

MAX_COLUMNS = 6  # of a matrix
MAX_ROWS = 8  # of a matrix that is shown as a whole
PAGE = Path(__file__).parent / "lesson.html"
DOTS, FIGURE_SPACE = "…", "\u2007"


def render_text(title: str, sections: Sequence[Section], rows: int, width: int) -> str:
    """Render lines of at most `width` characters; only matrices may be wider."""
    lines = [*wrap(title, width), ""]
    for number, section in enumerate(sections, 1):
        heading = f"{number}. {section.title}"
        lines += [heading, "-" * len(heading), ""]
        for part in section.parts:
            lines += wrap(part, width) if isinstance(part, str) else _lines(part, rows, width)
            lines.append("")
    return "\n".join(lines)


def _lines(equation: Equation, rows: int, width: int) -> Iterator[str]:
    """Yield the lines of a formula and of its value."""
    left = f"  {to_text(parse_tex(equation.tex))}"
    if isinstance(equation.value, float):
        yield f"{left} = {equation.value!r}"
        return
    exponent, grid = matrix_cells(equation, rows)
    left += f" = {to_text(parse_tex(power_of_ten(exponent))).strip()} …" if exponent else ""
    yield f"{left}{format_shape(equation.value).rjust(max(width - len(left), 12))}"
    if equation.note:
        yield from wrap(equation.note, width, initial_indent="  ", subsequent_indent="  ")
    size = max(len(cell) for row in grid for cell in row)
    yield from ("      " + "  ".join(cell.rjust(size) for cell in row) for row in grid)


def render_markdown(title: str, sections: Sequence[Section], rows: int) -> str:
    """Render Markdown with formulas in TeX, as notebooks show it."""
    parts = ["<!-- harness explain -->", f"# {_escaped(title)}"]
    for number, section in enumerate(sections, 1):
        parts.append(f"## {number}. {section.title}")
        parts += (_escaped(p) if isinstance(p, str) else _tex(p, rows) for p in section.parts)
    return "\n\n".join([*parts, ""])


def _escaped(text: str) -> str:
    """Escape the characters that have a meaning in Markdown."""
    return re.sub(r"([\\`*_\[\]<>$|])", r"\\\1", text)


def _tex(equation: Equation, rows: int) -> str:
    note = f"\n\n*{_escaped(equation.note)}*" if equation.note else ""
    if isinstance(equation.value, float):
        return f"$$\n{equation.tex} = {equation.value!r}\n$${note}"
    exponent, grid = matrix_cells(equation, rows)
    lines = [" & ".join(cell.replace(DOTS, r"\dots") for cell in row) for row in grid]
    matrix = "\\begin{pmatrix}\n" + " \\\\\n".join(lines) + "\n\\end{pmatrix}"
    size = rf"\quad \scriptstyle{{{format_shape(equation.value)}}}".replace("×", r"\times")
    return f"$$\n{equation.tex} = {power_of_ten(exponent)}{matrix} {size}\n$${note}"


def render_html(title: str, sections: Sequence[Section], rows: int) -> str:
    """Render one HTML page without further files; the browser sets its formulas."""
    body = []
    for number, section in enumerate(sections, 1):
        body.append(f"<h2>{number}. {escape(section.title)}</h2>")
        for part in section.parts:
            body.append(f"<p>{escape(part)}</p>" if isinstance(part, str) else _math(part, rows))
    page = Template(PAGE.read_text(encoding="utf-8"))
    return page.substitute(title=escape(title), body="\n".join(body))


def _math(equation: Equation, rows: int) -> str:
    inner, about = f"{to_mathml(parse_tex(equation.tex))}<mo>=</mo>", ""
    if isinstance(equation.value, float):
        inner += f"<mn>{_minus(repr(equation.value))}</mn>"
    else:
        exponent, grid = matrix_cells(equation, rows)
        sizes = [max(map(len, column)) for column in zip(*grid, strict=True)]
        table = "".join(f"<mtr>{''.join(map(_cell, row, sizes))}</mtr>" for row in grid)
        inner += f"{to_mathml(parse_tex(power_of_ten(exponent)))}<mtable>{table}</mtable>"
        about = escape(f"{format_shape(equation.value)} {equation.note}")
        about = f'<span class="quiet">{about}</span>'
    return f'<div class="line"><math display="block"><mrow>{inner}</mrow></math>{about}</div>'


def _cell(cell: str, size: int) -> str:
    """Render a number, aligned by spaces as wide as a digit, since MathML cannot align right."""
    padded = (cell.center if cell == DOTS else cell.rjust)(size, FIGURE_SPACE)
    return f"<mtd><mn>{_minus(padded)}</mn></mtd>"


def _minus(number: str) -> str:
    return number.replace("-", "−")


def format_shape(value: Array) -> str:
    """Return a shape as `(5 × 4)`."""
    return f"({' × '.join(map(str, value.shape))})"


def matrix_cells(equation: Equation, rows: int) -> tuple[int, list[list[str]]]:
    """Return a common power of ten, and the cells of a matrix that are shown.

    These are the first rows and columns, with a mark where there are more. The power of ten is
    0 unless the numbers are very small or very large.
    """
    assert not isinstance(equation.value, float)
    grid = equation.value.reshape(-1, equation.value.shape[-1])
    wide = grid.shape[1] > MAX_COLUMNS
    kept = min(len(grid), max(rows, MAX_ROWS) if equation.whole else rows)
    picked = [*range(kept)]
    if equation.whole and kept < len(grid):
        picked[-1] = len(grid) - 1  # the biases
    part = grid[picked, : MAX_COLUMNS - 1 if wide else None].astype(float)
    size = np.abs(part[np.isfinite(part)]).max(initial=0)
    exponent = 0 if size == 0 or 1e-3 <= size < 1e5 else int(np.floor(np.log10(size)))
    digits = 6 if 1e-3 <= size < 0.1 else 4
    numbers = (part / 10.0**exponent).tolist()
    shown = [[f"{v:.{digits}f}" for v in row] + [DOTS] * wide for row in numbers]
    if kept < len(grid):
        shown.insert(kept - 1 if equation.whole else kept, [DOTS] * len(shown[0]))
    return exponent, shown
