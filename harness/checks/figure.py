"""Checks of figures: they say what they can draw, draw it in time, and free their memory."""

import gc
import sys
import time
import weakref
from functools import partial
from typing import Any

import numpy as np

from harness.checks.kit import Call, Case, Kind, Skip, expect, expect_class_variable
from harness.checks.sample_results import runs, sweeps
from harness.contracts import Array

HEADING = "Figures"
SECONDS = 10.0  # of processor time for one picture; the first one also imports matplotlib


def results(figure: Any) -> list[Any]:
    """Return sample results of the figure's scope."""
    return runs() if figure.scope == "run" else sweeps()


def drawable(figure: Any) -> list[Any]:
    """Return the sample results that the figure applies to; raise Skip if there is none."""
    found = [result for result in results(figure) if figure.applies(result)]
    if not found:
        raise Skip("it applies to none of the results here")
    return found


def draw_file(figure: Any, result: Any) -> bytes:
    """Draw a result, and return the content of the picture's file."""
    from harness.figures import draw

    return draw(figure, "figure", result)[1]


def sketch(figure: Any, result: Any) -> Array:
    """Draw a result small and without a layout, which takes most of the time; return pixels.

    For a figure that is a page, return the bytes of the page.
    """
    from harness.figures.style import blank_figure, style

    with style():
        sheet: Any = blank_figure()
        sheet.set_layout_engine("none")
        sheet.set_dpi(40)
        page = figure.draw(result, sheet)
        good = page is None or isinstance(page, str)
        expect(good, "draw returns None, or an HTML page as text", type(page).__name__, HEADING)
        if page is None:
            sheet.canvas.draw()
            picture = np.array(sheet.canvas.buffer_rgba())
        else:
            picture = np.frombuffer(page.encode(), np.uint8).copy()
        sheet.clear()
    return picture


def use(figure: Any, case: Case, call: Call) -> dict[str, Array]:
    """Return the picture of one of the results that the figure applies to."""
    known = drawable(figure)
    return {"picture": call(partial(sketch, figure), known[case.seed % len(known)])}


KIND = Kind("figure", use, HEADING)


def check_figure_says_its_scope(figure: Any) -> None:
    expect_class_variable(figure, "scope", ("run", "sweep"), HEADING)


def check_figure_applies_or_not_but_never_raises(figure: Any) -> None:
    for result in results(figure):
        try:
            answer = figure.applies(result)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        expect(answer in (True, False), "True or False from applies", answer, HEADING)


def check_figure_draws_what_it_applies_to(figure: Any) -> None:
    for result in drawable(figure):
        try:
            content = draw_file(figure, result)
        except Exception as error:
            content, problem = b"", f"{type(error).__name__}: {error}"
            expect(False, "a picture of each result that it applies to", problem, HEADING)
        expect(content, "a picture or a page", "nothing", HEADING)


def check_figure_is_not_blank(figure: Any) -> None:
    picture = sketch(figure, drawable(figure)[0])
    actual = "a picture of one colour, or an empty page"
    expect(picture.size and np.ptp(picture), "something drawn on the figure", actual, HEADING)


def check_figure_draws_in_a_bounded_time(figure: Any) -> None:
    result, began = drawable(figure)[0], time.process_time()
    draw_file(figure, result)
    spent = time.process_time() - began
    expect(spent < SECONDS, f"a picture within {SECONDS} s", f"{spent:.2f} s", HEADING)


class CountingFigure:
    """A figure that keeps weak references to the sheets it has drawn on, to count them."""

    def __init__(self, figure: Any) -> None:
        self.figure, self.sheets = figure, []  # type: ignore[var-annotated]

    def draw(self, result: Any, sheet: Any) -> Any:
        """Draw, and remember the sheet."""
        self.sheets.append(weakref.ref(sheet))
        return self.figure.draw(result, sheet)


def check_figure_closes_what_it_opens(figure: Any) -> None:
    counting, result = CountingFigure(figure), drawable(figure)[0]
    before = _open_in_pyplot()
    sketch(counting, result)
    gc.collect()
    more = len(_open_in_pyplot() - before) + sum(sheet() is not None for sheet in counting.sheets)
    expect(not more, "no figure left when the picture is made", f"{more} left", HEADING)


def _open_in_pyplot() -> set[int]:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot else set()
