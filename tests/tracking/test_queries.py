"""What is asked of a store: all of it is answered, however many pages that takes."""

from types import SimpleNamespace

from mlflow.store.entities import PagedList

from harness.tracking.backend import queries


class Client:
    """A store of five experiments with a run each, the newest first, that answers two by two."""

    def search_experiments(self, max_results=2, page_token=None):
        return self._page([SimpleNamespace(experiment_id=str(n)) for n in range(5)], page_token)

    def search_runs(self, places, wanted, max_results=2, page_token=None):
        runs = [SimpleNamespace(start_time=9 - int(place), run_id=place) for place in places]
        return self._page([SimpleNamespace(info=info) for info in runs], page_token)

    def _page(self, every, token):
        at = int(token or 0)
        return PagedList(every[at : at + 2], str(at + 2) if at + 2 < len(every) else None)


def test_every_experiment_is_searched_and_every_run_found_the_oldest_first():
    places = queries.experiment_ids(Client())
    assert places == ["0", "1", "2", "3", "4"]
    found = queries.search_runs(Client(), places, queries.tag_filter(sweep="s", role="run"))
    assert [run.info.run_id for run in found] == ["4", "3", "2", "1", "0"]


def test_a_filter_names_our_tags():
    wanted = "tags.`harness.sweep` = 's' and tags.`harness.role` = 'run'"
    assert queries.tag_filter(sweep="s", role="run") == wanted
