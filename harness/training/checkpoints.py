"""A checkpoint: all there is of one run amid its training, so that it goes on to the same bits."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.contracts import Array
from harness.store import npz
from harness.training.loop import Epoch
from harness.training.stack import Group, Saved, by_leaf

SCHEMA = 1


def pack_checkpoint(epoch: Epoch, at: int, *besides: Saved) -> bytes:
    """What there is of one run of a stack, and what is known besides, as the bytes of an npz."""
    assert epoch.states is not None
    text = json.dumps({"schema": SCHEMA, "streams": epoch.states[at]})
    about = np.frombuffer(text.encode(), np.uint8)
    own = _own(epoch.group, at) | {"loss": np.array(epoch.loss[at], float), "about": about}
    return npz.pack({name: array for part in (own, *besides) for name, array in part.items()})


def _own(group: Group, at: int) -> Saved:
    state = {f"state{i}": np.asarray(part[at]) for i, part in enumerate(_leaves(group.state))}
    return {"number": np.asarray(group.number[at]), "row": group.rows[at], **state}


def _leaves(state: Any) -> list[Array]:
    """The arrays of an optimizer's state."""
    found: list[Array] = []
    by_leaf(found.append, state)
    return found


def restore_group(group: Group, known: Mapping[int, Saved]) -> Group:
    """The group with the runs at these places as they were."""
    number, rows, loss = group.number.copy(), group.rows.copy(), group.loss.copy()
    state = by_leaf(np.array, group.state)
    for at, run in known.items():
        number[at], rows[at], loss[at] = run["number"], run["row"], run["loss"]
        for i, part in enumerate(_leaves(state)):
            part[at] = run[f"state{i}"]
        for rngs, stood in zip(group.streams, _about(run)["streams"], strict=True):
            rngs[at].bit_generator.state = stood
    return Group(group.stack, number, rows, state, group.streams, loss)


def fits_group(saved: Saved, group: Group, at: int) -> bool:
    """Whether it is of a run like this: the same arrays, of the same shapes and dtypes."""
    fresh = _own(group, at)
    own = {name for name in saved if name in fresh or name.startswith("state")}
    return own == fresh.keys() and all(
        saved[name].shape == fresh[name].shape and saved[name].dtype == fresh[name].dtype
        for name in fresh
    )


def unpack_checkpoints(contents: Sequence[bytes | None]) -> dict[int, Saved]:
    """Those that are there and whole, by their place."""
    found = {}
    for at, content in enumerate(contents):
        try:
            saved = npz.unpack(content or b"")
            if _about(saved)["schema"] == SCHEMA:
                found[at] = saved
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _about(saved: Saved) -> Any:
    return json.loads(saved["about"].tobytes())
