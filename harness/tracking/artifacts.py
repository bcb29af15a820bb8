"""The files of a run in MLflow: config, weights, errors, pictures, the film of its training."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.analysis.advice import advise
from harness.analysis.results import planned_result
from harness.config.registry import find_plugin, plugin_sources
from harness.contracts import Figure
from harness.figures import draw_all, film
from harness.store import npz
from harness.store.manifest import Planned
from harness.store.params import recorded_params
from harness.store.results import Result

Files = dict[str, bytes]  # by their paths in MLflow
Tags = dict[str, str]
log = logging.getLogger(__name__)


def run_artifacts(planned: Planned, result: Result) -> Files:
    """Return a run's files, without its figures and its model."""
    files = {"config.yaml": dump_yaml(planned.config)}
    for path, source in plugin_sources(planned.plugins).items():
        files[f"plugins/{path.partition('/')[2]}"] = source
    if result.weights:
        files["weights.npz"] = npz.pack_weights(result.weights)
    if result.traceback:
        files["traceback.txt"] = result.traceback.encode()
    if result.outcome == "diverged":
        about = {
            "reason": result.reason,
            "last_finite_epoch": result.last_epoch,
            "params": recorded_params(planned.config),
        }
        files["divergence.json"] = json.dumps(about, indent=1).encode()
    return files


def dump_yaml(config: Mapping[str, Any]) -> bytes:
    """Return a config as YAML."""
    # libyaml, where PyYAML has it, writes the same text in a fifth of the time.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(config, Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text.encode()


def draw_plots(figures: Mapping[str, Figure], result: Any, name: str) -> Files:
    """Draw figures of the run or sweep `name`; warn of each figure that fails."""
    files, failed = draw_all(figures, result)
    for figure, error in failed.items():
        where, kind = find_plugin("figure", figure), type(error).__name__
        log.warning("%s failed in draw for %s: %s: %s", where, name, kind, error)
    return {f"plots/{file}": content for file, content in files.items()}


def advice_and_film(
    planned: Planned, result: Result, directory: Path, timeline: bool
) -> tuple[Files, Tags]:
    """Return the files and tags of a run that is shown in full: advice, and if asked its film."""
    if not result.weights:
        return {}, {}
    shown = planned_result(planned, result, None, directory)
    sentences = advise(shown)
    note = "\n".join(f"- {sentence}" for sentence in sentences)
    tags = {"harness.advice": "\n".join(sentences), "mlflow.note.content": note}
    tags = tags if sentences else {}
    if not timeline:
        return {}, tags
    if not (frames := film.film_frames(shown)):
        log.warning("figures.timeline: %s: %s", planned.name or "the run", film.WHY_NONE)
        return {}, tags
    files = film.step_images("timeline", frames, result)
    return files | {"plots/timeline.html": film.film_page(shown.name, frames)}, tags | film.LOGGED
