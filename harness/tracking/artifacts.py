"""A run's record as files: its config, its weights, and what went wrong."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from harness.config.registry import plugin_sources
from harness.store import npz
from harness.store.manifest import Planned
from harness.store.params import recorded_params
from harness.store.results import Result


def run_artifacts(planned: Planned, result: Result) -> dict[str, bytes]:
    """A run's artifacts by their path in MLflow, but for its figures and its model."""
    files = {"config.yaml": dump_yaml(planned.config)}
    for path, source in plugin_sources(planned.plugins).items():
        files[f"plugins/{path.partition('/')[2]}"] = source
    if result.weights:
        files["weights.npz"] = npz.pack_weights(result.weights)
    if result.traceback:
        files["traceback.txt"] = result.traceback.encode()
    if result.outcome == "diverged":
        files["divergence.json"] = divergence_json(planned, result)
    return files


def dump_yaml(config: Mapping[str, Any]) -> bytes:
    """A config as YAML; by libyaml if it is there: the same text in a fifth of the time."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(config, Dumper=dumper, sort_keys=False, allow_unicode=True)
    return text.encode()


def divergence_json(planned: Planned, result: Result) -> bytes:
    """When a run diverged, and with what settings."""
    about = {
        "reason": result.reason,
        "last_finite_epoch": result.last_epoch,
        "params": recorded_params(planned.config),
    }
    return json.dumps(about, indent=1).encode()
