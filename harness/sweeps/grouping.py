"""Group runs into stacks by what they must share, of a size that fits the CPU cache."""

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from harness.config.build import build
from harness.engines import Engine
from harness.engines.worker import Pruning, Work
from harness.errors import is_interruption
from harness.store.manifest import Planned
from harness.training.data import prepare_for
from harness.training.stack import Member, signature

LARGEST_STACK = 256


def group_into_stacks(
    runs: Sequence[Planned], engine: Engine, pruning: Pruning | None = None
) -> Iterator[Work]:
    """Yield stacks that fit the cache; of each signature there is one for each worker, or more."""
    groups: dict[Hashable, tuple[Member, list[Planned]]] = {}
    for run in runs:
        member = build(run.config)
        groups.setdefault(signature(member), (member, []))[1].append(run)
    for member, group in groups.values():
        share = -(-len(group) // engine.width)
        size = min(largest_stack(member, engine.stack_bytes), share)
        for start in range(0, len(group), size):
            some = group[start : start + size]
            names, configs = (run.fingerprint for run in some), (run.config for run in some)
            yield Work(tuple(names), tuple(configs), pruning, member.timeout)


def largest_stack(member: Member, stack_bytes: int) -> int:
    """Return how many runs like this one fit `stack_bytes`.

    A run needs about five times its weights and three times its activations.
    """
    x, y = prepare_for(member).ready("train", member.loss.task, member.dtype)
    rng = np.random.default_rng(0)
    try:
        layers = member.model.init(rng, member.initializer, x.shape[1], y.shape[1])
        numbers, widths = sum(a.size for a in layers), sum(a.shape[-1] for a in layers)
    except BaseException as error:  # the run will fail in training, which names the plugin
        if is_interruption(error):
            raise
        return 1
    batch = min(member.batch_size or len(x), len(x))
    each = x.itemsize * (5 * numbers + batch * (x.shape[1] + 3 * widths))
    return int(np.clip(stack_bytes // each, 1, LARGEST_STACK))
