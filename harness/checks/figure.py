"""What a figure must do: say what it can draw, draw that in good time, and let go of it."""

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
SECONDS = 10.0  # of processor time for one picture, the first of which imports matplotlib


def results(figure: Any) -> list[Any]:
    """What a figure of this scope may be asked to draw."""
    return runs() if figure.scope == "run" else sweeps()


def drawable(figure: Any) -> list[Any]:
    """Those that it says it can draw; Skip if there is none."""
    found = [result for result in results(figure) if figure.applies(result)]
    if not found:
        raise Skip("it applies to none of the results here")
    return found


def drawn(figure: Any, result: Any) -> bytes:
    """The file's content, as a run keeps it."""
    from harness.figures import draw

    return draw(figure, "figure", result)[1]


def sketch(figure: Any, result: Any) -> Array:
    """The same small and without a layout, which takes most of the time: pixels, or a page."""
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
    known = drawable(figure)
    return {"picture": call(partial(sketch, figure), known[case.seed % len(known)])}


KIND = Kind("figure", use, HEADING)


def check_figure_says_its_scope(figure: Any) -> None:
    expect_class_variable(figure, "scope", ("run", "sweep"), HEADING)


def check_figure_applies_or_not_but_never_raises(figure: Any) -> None:
    for result in results(figure):
        try:
            said = figure.applies(result)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        expect(said in (True, False), "True or False from applies", said, HEADING)


def check_figure_draws_what_it_applies_to(figure: Any) -> None:
    for result in drawable(figure):
        try:
            content = drawn(figure, result)
        except Exception as error:
            content, problem = b"", f"{type(error).__name__}: {error}"
            expect(False, "a picture of each result that it applies to", problem, HEADING)
        expect(content, "a picture or a page", "nothing", HEADING)


def check_figure_is_not_blank(figure: Any) -> None:
    picture = sketch(figure, drawable(figure)[0])
    came = "a picture of one colour, or an empty page"
    expect(picture.size and np.ptp(picture), "something drawn on the figure", came, HEADING)


def check_figure_draws_in_a_bounded_time(figure: Any) -> None:
    result, began = drawable(figure)[0], time.process_time()
    drawn(figure, result)
    spent = time.process_time() - began
    expect(spent < SECONDS, f"a picture within {SECONDS} s", f"{spent:.2f} s", HEADING)


class Watched:
    """A figure whose sheets of paper are counted."""

    def __init__(self, figure: Any) -> None:
        self.figure, self.sheets = figure, []  # type: ignore[var-annotated]

    def draw(self, result: Any, sheet: Any) -> Any:
        self.sheets.append(weakref.ref(sheet))
        return self.figure.draw(result, sheet)


def check_figure_closes_what_it_opens(figure: Any) -> None:
    watched, result = Watched(figure), drawable(figure)[0]
    before = _open_in_pyplot()
    sketch(watched, result)
    gc.collect()
    more = len(_open_in_pyplot() - before) + sum(sheet() is not None for sheet in watched.sheets)
    expect(not more, "no figure left when the picture is made", f"{more} left", HEADING)


def _open_in_pyplot() -> set[int]:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot else set()
