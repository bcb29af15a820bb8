"""`harness [train] [-m] OVERRIDES`: one run or a sweep, and its closing lines."""

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from harness.composer import composer, shadowed, user_conf
from harness.errors import Terminated, UsageError

if TYPE_CHECKING:
    from harness.sweeps import Interrupted, Summary

LISTED = 20


def main(arguments: list[str]) -> int:
    """Hand Hydra's flags to Hydra; train otherwise, print how it went; the exit code."""
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    if "--version" in arguments:
        print(f"harness {version('harness')} (Hydra {version('hydra-core')})")
        return 0
    args = parser.parse_args(arguments)
    if args.config_path is not None or args.experimental_rerun is not None:
        raise UsageError(
            "--config-path and --experimental-rerun: use --config-dir DIR to add configs"
        )
    name = args.config_name or "config"
    if args.help or args.hydra_help or args.cfg or args.info is not None or args.shell_completion:
        _show(args, parser, name)
        return 0
    return _train(args, name)


def _train(args: Any, name: str) -> int:
    from harness.launching import launch
    from harness.signals import tidy_signals
    from harness.sweeps import Interrupted

    if (folder := user_conf()) is not None:
        for path in shadowed(folder):
            print(f"harness: {path} is hidden by a plugin or preset of that name", file=sys.stderr)
    with tidy_signals():
        try:
            summary = launch(
                args.overrides,
                multirun=args.multirun,
                config_dir=args.config_dir,
                config_name=name,
            )
        except Interrupted as stop:
            return interrupted(stop)
    return report(summary)


def _show(args: Any, parser: Any, name: str) -> None:
    """What Hydra shows without running anything."""
    with composer(args.config_dir) as hydra:
        if args.help:
            hydra.app_help(config_name=name, args_parser=parser, args=args)
        elif args.hydra_help:
            hydra.hydra_help(config_name=name, args_parser=parser, args=args)
        elif args.shell_completion:
            hydra.shell_completion(config_name=name, overrides=args.overrides)
        elif args.info is not None:
            hydra.show_info(args.info, config_name=name, overrides=args.overrides)
        else:
            hydra.show_cfg(name, args.overrides, args.cfg, args.package, args.resolve)


def interrupted(stop: "Interrupted") -> int:
    """What was done before the signal, and how to go on."""
    summary, total = stop.summary, len(stop.summary.manifest.runs)
    done = sum(s.outcome != "stopped" for s in summary.ranked)
    print(f"harness: stopped: {done} of {total} runs are done and kept", file=sys.stderr)
    print(f"  to finish: harness resume {summary.directory}", file=sys.stderr)
    return 143 if isinstance(stop.cause, Terminated) else 130


def report(summary: "Summary") -> int:
    """Print the closing lines that people and scripts read; the exit code."""
    manifest = summary.manifest
    print(f"runs: {summary.counts}")
    if (best := summary.best) is not None:
        metric = manifest.objective["metric"]
        run_id = summary.run_ids.get(best.planned.fingerprint, "not published")
        print(f"best: {metric}={best.metrics[metric]!r} {best.planned.name} ({run_id})")
    alone = next(iter(summary.run_ids.values()), None) if manifest.single else None
    recorded = summary.parent_run_id or alone or "none"
    print(f"record: {manifest.tracking_uri} experiment={manifest.experiment} run={recorded}")
    print(f"folder: {summary.directory}")
    print("look: harness ui", flush=True)
    for s in summary.unwell[:LISTED]:
        print(f"{s.outcome}: {s.planned.name}: {s.reason}", file=sys.stderr)
    if len(summary.unwell) > LISTED:
        print(f"and {len(summary.unwell) - LISTED} more", file=sys.stderr)
    if (error := summary.publishing_error) is not None:
        print(f"harness: {error}", file=sys.stderr)
        print(
            f"  all that is trained is kept: harness resume {summary.directory}", file=sys.stderr
        )
        return error.exit_code
    return 3 if summary.unwell else 0
