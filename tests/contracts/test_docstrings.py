"""Examples in the docstrings of the plugin contract run, and give what they show."""

import doctest
from importlib import import_module

import pytest

PAGES = {"contracts.arrays": 2, "contracts.plugins": 9, "contracts.results": 2, "numerics": 1}


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_the_contract_run(page):
    module = import_module(f"harness.{page}")
    tests = [each for each in doctest.DocTestFinder().find(module) if each.examples]
    assert len(tests) >= PAGES[page]
    failed, _ = doctest.testmod(module)
    assert failed == 0
