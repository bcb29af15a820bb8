"""Record what the numbers of a run depend on: data, plugins, libraries; and fingerprint it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from harness.config.record import resolve_environment
from harness.config.registry import DISTRIBUTION
from harness.store.params import NOT_RECORDED, Config
from harness.training.data import Prepared, prepare_for
from harness.training.stack import Member


def dataset_inputs(member: Member, config: Config) -> tuple[dict[str, Any], ...]:
    """Return the parts of a run's data as MLflow's dataset inputs."""
    name = config["dataset"]["name"]
    source = str(config["dataset"].get("path", f"harness://dataset/{name}"))
    return inputs_of(prepare_for(member), name, source)


@lru_cache(maxsize=16)
def inputs_of(prepared: Prepared, name: str, source: str) -> tuple[dict[str, Any], ...]:
    """Return the dataset inputs of prepared data, the same objects for all runs."""
    return tuple(
        {
            "name": name,
            "digest": prepared.digest(part),
            "rows": len(rows),
            "features": prepared.data.x.shape[1],
            "context": part,
            "source": source,
        }
        for part, rows in prepared.rows.items()
    )


def fingerprint(
    config: Config, inputs: Sequence[Mapping[str, Any]], plugins: Sequence[Mapping[str, Any]]
) -> str:
    """Return the digest that runs share if their config, data and plugins' code are equal."""
    aside = (*NOT_RECORDED, "objective")
    kept = {key: value for key, value in resolve_environment(config).items() if key not in aside}
    digests = [part["digest"] for part in inputs]
    text = json.dumps([kept, digests, plugins], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def current_numerics(dtype: str) -> dict[str, Any]:
    """Return what the bits of a result depend on besides config, data and plugins."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas: dict[str, Any] = min(pools, key=_not_numpys, default={})
    return {
        "harness": version(DISTRIBUTION),
        "numpy": np.__version__,
        "blas": f"{blas.get('internal_api', 'unknown')} {blas.get('version', '')}".strip(),
        "core": blas.get("architecture", "unknown"),
        "threads": 1,
        "dtype": dtype,
    }


def _not_numpys(pool: dict[str, Any]) -> bool:
    """Return whether a BLAS is not NumPy's: SciPy has its own, and the order is by chance."""
    return not any(part.startswith("numpy") for part in Path(pool["filepath"]).parts[-3:])
