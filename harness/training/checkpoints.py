"""A checkpoint: all that is known of one run in training, so that it continues with its bits."""

import json
from typing import Any, NamedTuple

import numpy as np

from harness.store import npz
from harness.training.history import History, RunState
from harness.training.leaves import Saved, fits_run, restore_runs, save_run
from harness.training.stack import Group

SCHEMA = 2  # 1, of harness 0.1.0, has other names; such a run begins anew
WITHOUT_STACK: Any = ()


class Checkpointed(NamedTuple):
    """What is saved of the runs of a stack; the stack itself is made from their configs."""

    group: Group
    state: RunState


def _checkpointed(group: Group, state: RunState) -> Checkpointed:
    return Checkpointed(group._replace(stack=WITHOUT_STACK), state)


def pack_checkpoints(
    group: Group, state: RunState, history: History, seconds: float
) -> dict[int, bytes]:
    """Return a checkpoint, the bytes of an npz, of each run in training, by its number."""
    both = _checkpointed(group, state)
    text = json.dumps({"schema": SCHEMA, "seconds": seconds})
    about = np.frombuffer(text.encode(), np.uint8)
    return {
        run: npz.pack({**save_run(both, at), **history.save(run), "about": about})
        for at, run in enumerate(state.run.tolist())
    }


def unpack_checkpoint(content: bytes) -> tuple[Saved, float] | None:
    """Return a saved run and when it was saved; None if it is damaged, or of another schema."""
    try:
        saved = npz.unpack(content)
        about = json.loads(saved.pop("about").tobytes())
        return (saved, float(about["seconds"])) if about["schema"] == SCHEMA else None
    except (ValueError, KeyError, TypeError):
        return None


def restore(
    known: dict[int, Saved], group: Group, state: RunState, history: History
) -> tuple[Group, RunState]:
    """Return group and state with the saved runs restored; one of another kind is left out."""
    both, fitting = _checkpointed(group, state), dict[int, Saved]()
    for run, saved in known.items():
        leaves = {name: part for name, part in saved.items() if not name.startswith("history.")}
        if fits_run(leaves, both, run):
            fitting[run] = leaves
            history.restore(run, saved)
    both = restore_runs(both, fitting)
    return both.group._replace(stack=group.stack), both.state._replace(run=state.run)
