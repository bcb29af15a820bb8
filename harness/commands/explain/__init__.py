"""`harness explain [OVERRIDES]`: explain one training step of a net by formulas and numbers."""

import argparse
import shutil
from pathlib import Path

from harness.commands.explain import render
from harness.commands.explain.lesson import write_lesson
from harness.commands.explain.step import Step, take_step
from harness.commands.output_file import write_page
from harness.contracts import DataError
from harness.engines.failures import explain_failure
from harness.errors import HarnessError, PluginError, UsageError, is_interruption
from harness.store.params import Config

MAX_WIDTH = 80  # characters of a line of prose


def main(arguments: list[str]) -> int:
    """Print the step, or write it as a page; train and record nothing; return 0."""
    from harness.hydra_app.launch import compose_run

    parser = argparse.ArgumentParser(prog="harness explain", description=__doc__)
    parser.add_argument("overrides", nargs="*", help="settings: model.hidden=[3,2] loss=mae …")
    parser.add_argument(
        "--rows", type=int, default=3, help="the rows to show of each matrix (default: 3)"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write an HTML page")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write Markdown with TeX")
    parser.add_argument("--force", action="store_true", help="overwrite any existing file")
    parser.add_argument("--config-dir", help="a folder with further configs")
    args = parser.parse_intermixed_args(arguments)
    if args.rows < 1:
        raise UsageError(f"--rows {args.rows}: at least 1")
    config = compose_run(args.overrides, config_dir=args.config_dir)
    step = first_step(config)
    sections, title = write_lesson(step), net_title(step, config)
    for path, form in ((args.html, render.render_html), (args.markdown, render.render_markdown)):
        if path:
            print(f"page: {write_page(path, form(title, sections, args.rows), args.force)}")
    if not (args.html or args.markdown):
        width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
        print(render.render_text(title, sections, args.rows, max(width, 20)), end="")
    return 0


def first_step(config: Config) -> Step:
    """Compute the first step of a run; raise PluginError if a plugin fails in it."""
    try:
        return take_step(config)
    except BaseException as error:
        if is_interruption(error) or isinstance(error, HarnessError | DataError):
            raise
        raise PluginError(explain_failure(error, config)) from error


def net_title(step: Step, config: Config) -> str:
    """Return a title that names the net's model, layer widths and other plugins."""
    hidden = getattr(step.member.model, "hidden", ())
    hidden = hidden if isinstance(hidden, tuple) else (hidden,)  # some models take one number
    widths = [step.x.shape[1], *hidden, step.y.shape[1]]
    names = [config[kind]["name"] for kind in ("dataset", "activation", "loss", "optimizer")]
    net = f"{config['model']['name']} {'-'.join(map(str, widths))}"
    return f"One training step: {net}, {', '.join(names)}"
