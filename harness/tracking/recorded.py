"""The state of a run in MLflow, as far as it is known here."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.tracking import entities

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(slots=True)
class Recorded:
    """One run as MLflow is known to hold it, so that nothing is sent twice."""

    run_id: str
    artifacts: str  # the address of its files
    started: int  # milliseconds since 1970
    begun: bool = False  # whether its params, inputs and tags are there
    ended: bool = False
    published: str = ""  # when the result ended that is there as a whole
    model: bool = False  # whether its model is there
    unread: tuple[str, ...] = ()  # metrics whose points are there but not known here
    points: dict[entities.Point, float] = field(default_factory=dict)


def recorded_run(run: "Run") -> Recorded:
    """Return what a run read from MLflow holds."""
    ended = run.info.status != "RUNNING"
    tags = run.data.tags
    return Recorded(
        run_id=run.info.run_id,
        artifacts=run.info.artifact_uri,
        started=run.info.start_time,
        ended=ended,
        published=tags.get(entities.PUBLISHED, "") if ended else "",
        model=entities.MODEL in tags,
        unread=tuple(run.data.metrics),
    )
