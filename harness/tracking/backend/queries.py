"""What is asked of a store: the runs that a filter finds, and the points of their metrics."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.tracking.backend.connection import Connection

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

PAGE = 1000  # that a store answers with at once


def tag_filter(**tags: str) -> str:
    """A filter for runs that have these of our tags."""
    return " and ".join(f"tags.`harness.{key}` = '{value}'" for key, value in tags.items())


def experiment_ids(client: "MlflowClient") -> list[str]:
    """The ids of all experiments."""
    experiments = _every(partial(client.search_experiments, max_results=PAGE))
    return [experiment.experiment_id for experiment in experiments]


def search_runs(client: "MlflowClient", places: Sequence[str], wanted: str) -> "list[Run]":
    """All runs of these experiments that a filter finds, the oldest first."""
    runs = _every(partial(client.search_runs, [*places], wanted, max_results=PAGE))
    return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))


def metric_history(
    connection: Connection, run_id: str, names: Iterable[str]
) -> "Iterator[Metric]":
    """Every point that a run has of these metrics."""
    for name in names:
        read = partial(connection.client.get_metric_history, run_id, name)
        yield from connection.ask(read)


def _every(asked: Callable[..., Any]) -> list[Any]:
    """All that an answer in pages holds."""
    found: list[Any] = []
    token = None
    while True:
        page = asked(page_token=token)
        found += page
        if not (token := page.token):
            return found
