"""Look at the parts of the data before training: what cannot be learned, and what not measured."""

from collections.abc import Iterable, Iterator

import numpy as np

from harness.contracts import Array, Metric
from harness.errors import is_interruption
from harness.training.data import Prepared, prepare_for
from harness.training.stack import Member

PARTS = {"train": "training", "val": "validation", "test": "test"}  # as in a metric's name


def split_warnings(member: Member, metrics: Iterable[str]) -> Iterator[str]:
    """Yield what is wrong with the parts of a run's data; `metrics` are the objectives."""
    prepared = prepare_for(member)
    learned = np.unique(prepared.raw("train")[1])
    for part in prepared.rows if prepared.data.task == "classification" else ():
        if len(unseen := np.setdiff1d(prepared.raw(part)[1], learned)):
            names = _class_names(prepared, unseen)
            yield f"{names}: in the {part} part only, so that no run can learn it"
    for metric in metrics:
        if reason := why_not_a_number(metric, member):
            text = f"objective.metric={metric} will not be a number, and no run best"
            yield f"{text}, because {reason}"


def why_not_a_number(metric: str, member: Member) -> str:
    """Return why a metric is not a number for this split; an empty text if the split allows one.

    It is asked of a perfect prediction and of one that is the same for every example.
    """
    prefix, _, name = metric.partition("/")
    plugin, prepared = dict(member.metrics).get(name), prepare_for(member)
    part = "train" if prefix == "train" else PARTS[prefix]
    if plugin is None or part not in prepared.rows or _gives_a_number(plugin, prepared, part):
        return ""
    y = prepared.raw(part)[1]
    if prepared.data.task == "classification" and len(classes := np.unique(y)) == 1:
        return f"the {PARTS[prefix]} part has {_class_names(prepared, classes)} only"
    return f"it is not defined for the {PARTS[prefix]} part"


def _gives_a_number(metric: Metric, prepared: Prepared, part: str) -> bool:
    y = prepared.raw(part)[1]
    if prepared.data.task == "classification":
        exact = np.asarray(y[:, None] == np.arange(len(prepared.data.class_names)), float)
    else:
        exact = np.array(y, float)
    try:
        with np.errstate(all="ignore"):
            values = metric(np.stack([exact, np.broadcast_to(exact.mean(axis=0), exact.shape)]), y)
        return bool(np.isfinite(values).any())
    except BaseException as error:  # the run will fail in training, which names the plugin
        if is_interruption(error):
            raise
        return True


def _class_names(prepared: Prepared, codes: Array) -> str:
    names = ", ".join(str(prepared.data.class_names[code]) for code in codes)
    return f"class {names}" if len(codes) == 1 else f"classes {names}"
