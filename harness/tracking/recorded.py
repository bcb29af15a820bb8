"""What the store is known to hold of a run."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.tracking import entities

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(slots=True)
class Recorded:
    """What the store is known to hold of one run."""

    run_id: str
    artifacts: str  # where its files go
    started: int  # milliseconds since 1970
    begun: bool = False  # whether its params, inputs and tags are there
    ended: bool = False
    published: str = ""
    model: bool = False
    unread: tuple[str, ...] = ()  # metrics whose points are there but not known here
    points: dict[entities.Point, float] = field(default_factory=dict)


def recorded_run(run: "Run") -> Recorded:
    """What a run from the store says of itself."""
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
