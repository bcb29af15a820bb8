"""Queries to a store: the runs that a filter finds, the points of their metrics."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.tracking.backend.connection import Connection

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

PAGE = 1000  # the most items that a store returns in one answer


def tag_filter(**tags: str) -> str:
    """Return a filter for the runs that have all of these tags of ours."""
    return " and ".join(f"tags.`harness.{key}` = '{value}'" for key, value in tags.items())


def experiment_ids(client: "MlflowClient") -> list[str]:
    """Return the ids of all experiments."""
    experiments = _all_pages(partial(client.search_experiments, max_results=PAGE))
    return [experiment.experiment_id for experiment in experiments]


def search_runs(client: "MlflowClient", places: Sequence[str], wanted: str) -> "list[Run]":
    """Return all runs of the experiments `places` that a filter finds, the oldest first."""
    runs = _all_pages(partial(client.search_runs, [*places], wanted, max_results=PAGE))
    return sorted(runs, key=lambda run: (run.info.start_time, run.info.run_id))


def metric_history(
    connection: Connection, run_id: str, names: Iterable[str]
) -> "Iterator[Metric]":
    """Yield every point that a run has of these metrics."""
    for name in names:
        yield from connection.ask(connection.client.get_metric_history, run_id, name)


def _all_pages(query: Callable[..., Any]) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = query(page_token=token)
        found += page
        if not (token := page.token):
            return found
