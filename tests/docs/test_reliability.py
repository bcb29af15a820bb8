"""The table of promises: `make test` keeps each of them, and `make soak` those that it says."""

import re

from tests.conftest import RUNS
from tests.support import ROOT

ROWS = [
    ({*re.findall(r"`(test_\w+)`", test)}, {*run.split(", ")})
    for *_, test, run in (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (ROOT / "docs/reliability.md").read_text().splitlines()
        if "`test_" in line and line.startswith("|")
    )
]


def test_each_promise_is_tested_without_the_soak_and_the_table_says_in_which_run(request):
    runs = request.config.stash[RUNS]
    assert len(ROWS) > 40
    for tests, said in ROWS:
        assert tests, "a promise without a test"
        for name in tests & runs.keys():  # all, but where only some files are collected
            assert runs[name] == said, name
        assert "test" in said
