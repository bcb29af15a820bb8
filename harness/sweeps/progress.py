"""Show the progress of a sweep on standard error: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections import Counter
from typing import Any, Self

from harness.store.results import Result

LINE_SECONDS = 10.0


class Progress:
    """Context manager: show the runs that are done, the ones that diverged, and the time left."""

    def __init__(self, total: int, quiet: bool) -> None:
        self.total, self.quiet = total, quiet
        self.tally: Counter[str] = Counter()
        self._began = self._last_line = time.perf_counter()
        self._bar: Any = None

    def __enter__(self) -> Self:
        if not self.quiet and sys.stderr.isatty():
            self._bar = progress_bar(self.total)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, total: int, results: list[Result]) -> None:
        """Count the runs that ended, and show the counts."""
        self.tally.update(r.outcome for r in results if r.outcome != "running")
        done, bad = self.tally.total(), self.tally["diverged"] + self.tally["failed"]
        if self._bar is not None:
            self._bar.update(0, completed=done, total=total, bad=bad)
        elif not self.quiet and time.perf_counter() - self._last_line >= LINE_SECONDS:
            self._last_line = time.perf_counter()
            spent = self._last_line - self._began
            rest = f", about {spent / done * (total - done):.0f} s left" if done else ""
            line = f"{done} of {total} runs done, {bad} diverged or failed{rest}"
            print(line, file=sys.stderr, flush=True)


def progress_bar(total: int) -> Any:
    """Return a progress bar of rich with one task, number 0."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("training"),
        BarColumn(bar_width=None),  # what a narrow terminal takes away
        MofNCompleteColumn(),
        TextColumn("{task.fields[bad]} diverged or failed"),
        TimeRemainingColumn(),
    )
    shown = Bar(*columns, console=Console(stderr=True), transient=True, expand=True)
    shown.add_task("training", total=total, bad=0)
    return shown
