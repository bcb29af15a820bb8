"""`harness [train] [-m] OVERRIDES`: train one run or a sweep, and print its closing lines."""

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from harness.commands import VERBS
from harness.config.plugin_files import extra_plugin_folders
from harness.config.registry import DISTRIBUTION
from harness.errors import Terminated, UsageError, hide_texts
from harness.hydra_app.app import (
    Composer,
    argument_parser,
    config_errors,
    open_composer,
    shadowed_files,
    user_conf,
)

if TYPE_CHECKING:
    from harness.sweeps.summary import Interrupted, StoreLost, Summary

MAX_LISTED = 20  # runs that failed or diverged
PLUGINS_OPTION = re.compile(r" --plugins[= ](\S+)(?= )")  # on a line that is being completed


def main(arguments: list[str]) -> int:
    """Hand Hydra's flags to Hydra, or else train and print the result; return the exit code."""
    if "--version" in arguments:
        print(f"harness {version(DISTRIBUTION)} (Hydra {version('hydra-core')})")
        return 0
    parser = argument_parser()
    parser.prog, parser.error = "harness", _refuse  # type: ignore[method-assign]
    args = parser.parse_intermixed_args(arguments)
    asked = [args.run, args.multirun, args.cfg, args.info, args.shell_completion]
    if sum(bool(each) for each in asked) > 1:
        _refuse("only one of --run, --multirun, --cfg, --info and --shell-completion")
    if (args.resolve or args.package) and not args.cfg and not args.help:
        _refuse("--resolve and --package go with --cfg")
    if args.config_path or args.experimental_rerun:
        _refuse("--config-path and --experimental-rerun: use --config-dir DIR to add configs")
    name = args.config_name or "config"
    if any((args.help, args.hydra_help, args.cfg, args.info, args.shell_completion)):
        return _show_with_hydra(args, parser, name)
    return _train(args, name)


def _refuse(message: str) -> NoReturn:
    """Raise UsageError, in place of argparse's error(), which prints all options and exits."""
    raise UsageError(f"{message}\nsee harness --help, harness --hydra-help")


def _train(args: Any, name: str) -> int:
    from harness.hydra_app.launch import launch
    from harness.hydra_app.sweepers import Preview

    """Train what the arguments ask for, or print the preview of a grid; return the exit code."""
    for folder in filter(None, (user_conf(), args.config_dir)):
        for path in shadowed_files(Path(folder)):
            print(f"harness: {path} is hidden by a plugin or preset of that name", file=sys.stderr)
    options = {"multirun": args.multirun, "config_dir": args.config_dir, "config_name": name}
    try:
        return run_and_report(lambda: launch(args.overrides, **options))
    except Preview as preview:
        print(hide_texts(str(preview)))
        return 0


def run_and_report(train: Callable[[], "Summary"]) -> int:
    """Train, print the result or how to resume, and return the exit code."""
    from harness.commands.signals import tidy_signals
    from harness.sweeps.summary import Interrupted, StoreLost

    with tidy_signals():
        try:
            summary = train()
        except Interrupted as stop:
            return report_interruption(stop)
        except StoreLost as loss:
            return report_store_lost(loss)
    return print_closing_lines(summary)


def _show_with_hydra(args: Any, parser: Any, name: str) -> int:
    """Print help, config or information as Hydra does, and train nothing; return the exit code."""
    with open_composer(args.config_dir) as hydra:
        if args.help:
            hydra.app_help(config_name=name, args_parser=parser, args=args)
        elif args.hydra_help:
            hydra.hydra_help(config_name=name, args_parser=parser, args=args)
        elif args.shell_completion:
            _complete(hydra, name, args.overrides)
        elif args.info:
            hydra.show_info(args.info, config_name=name, overrides=args.overrides)
        else:
            try:
                hydra.show_cfg(name, args.overrides, args.cfg, args.package, args.resolve)
            except SystemExit:  # Hydra has printed that there is no such package
                return UsageError.exit_code
    return 0


def _complete(hydra: Composer, name: str, asked: list[str]) -> None:
    """Complete a command line: verbs here, everything else as Hydra does."""
    line = os.environ.get("COMP_LINE", "")
    folders = PLUGINS_OPTION.findall(line)
    os.environ["COMP_LINE"] = line = PLUGINS_OPTION.sub("", line)
    words = line.split()[1:]
    word = "" if line.endswith(" ") or not words else words.pop()
    if not words and asked[:1] == ["query=bash"]:
        print(*(verb for verb in VERBS if verb.startswith(word)))
    elif words and words[0].isidentifier():
        if words[0] not in ("train", "explain"):
            return
        os.environ["COMP_LINE"] = line.replace(f" {words[0]} ", " ", 1)
    with suppress(UsageError), extra_plugin_folders(folders), config_errors(asked):
        hydra.shell_completion(config_name=name, overrides=asked)


def report_interruption(stop: "Interrupted") -> int:
    """Print how much was done before the signal and how to resume; return the exit code."""
    summary, total = stop.summary, stop.summary.total
    done = sum(s.outcome != "stopped" for s in summary.ranked)
    print(f"harness: stopped: {done} of {total} runs are done and kept", file=sys.stderr)
    print(f"  to finish: {resume_command(summary)}", file=sys.stderr)
    return 143 if isinstance(stop.cause, Terminated) else 130


def report_store_lost(loss: "StoreLost") -> int:
    """Print why the disk or the required store failed and how to resume; return the exit code."""
    summary = loss.summary
    kept = f"{len(summary.ranked)} of {summary.total} runs are done and kept"
    print(f"harness: {loss}", file=sys.stderr)
    print(f"  {kept}; to go on: {resume_command(summary)}", file=sys.stderr)
    return loss.exit_code


def resume_command(summary: "Summary") -> str:
    """Return the command that resumes a run or sweep, quoted for a shell."""
    return shlex.join(["harness", "resume", str(summary.directory)])


def setting_lines(summary: "Summary") -> Iterator[str]:
    """Yield the lines on the best setting, and on whether it is better by more than seed noise."""
    from harness.analysis.leaderboard import group_by_setting
    from harness.analysis.significance import describe_best, format_difference

    objective = summary.manifest.objective
    found = group_by_setting(summary.ranked, objective)
    if len(found) < len(summary.ranked) and (best := found[0]).seeds:
        mean = format_difference(best.mean, best.interval)
        total = "" if best.whole else f" of {len(best.runs)}"
        yield f"setting: {objective['metric']}={mean} {best.name} ({best.seeds}{total} seeds)"
    if len(found) > 1:
        yield f"compare: {describe_best(found, objective)}"


def print_closing_lines(summary: "Summary") -> int:
    """Print the closing lines that people and scripts read; return the exit code."""
    print(*closing_lines(summary), sep="\n", flush=True)
    _print_problems(summary)
    if (error := summary.publishing_error) is not None:
        print(f"harness: {error}", file=sys.stderr)
        print(f"  all that is trained is kept: {resume_command(summary)}", file=sys.stderr)
        return error.exit_code
    return 3 if summary.unwell else 0


def closing_lines(summary: "Summary") -> Iterator[str]:
    """Yield the closing lines of a run or sweep: its outcome, and where it is recorded."""
    from harness.analysis.advice import advise

    manifest = summary.manifest
    yield f"runs: {summary.counts}"
    if (best := summary.best) is not None:
        metric = manifest.objective["metric"]
        run_id = summary.run_ids.get(best.planned.fingerprint, "not published")
        yield f"best: {metric}={best.metrics[metric]!r} {best.planned.name} ({run_id})"
    yield from setting_lines(summary)
    alone = next(iter(summary.run_ids.values()), None) if manifest.single else None
    recorded = summary.parent_run_id or alone or "none"
    yield f"record: {manifest.tracking_uri} experiment={manifest.experiment} run={recorded}"
    yield f"folder: {summary.directory}"
    if manifest.single and summary.ranked:
        yield from (f"advice: {sentence}" for sentence in advise(summary.result.runs[0]))
    yield "look: harness ui"


def _print_problems(summary: "Summary") -> None:
    """Print failed and diverged runs, and warnings, on standard error."""
    from harness.engines.worker import DREW

    for run in summary.unwell[:MAX_LISTED]:
        print(f"{run.outcome}: {run.planned.name}: {run.reason}", file=sys.stderr)
    if len(summary.unwell) > MAX_LISTED:
        print(f"and {len(summary.unwell) - MAX_LISTED} more", file=sys.stderr)
    if summary.unranked:
        print(f"harness: {summary.unranked}", file=sys.stderr)
    if drew := [run for run in summary.ranked if run.reason.endswith(DREW)]:
        print(f"harness: {len(drew)} of {len(summary.ranked)} runs: {DREW}", file=sys.stderr)
    if summary.trained_long:
        print(
            "harness: training took most of the time: hydra.launcher.engine=processes trains on "
            "every core",
            file=sys.stderr,
        )
