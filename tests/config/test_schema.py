"""Plugins as config: every kind of field is a typed option, and comes back as its type."""

import pickle
import re
from enum import Enum

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException, ReadonlyConfigError

from harness.config.record import record_config
from harness.config.schema import build_plugin, plugin_schema, twin_of
from harness.errors import UsageError
from tests.support.commands import harness, refused
from tests.support.strangers import strangers

HEAD = """
from dataclasses import InitVar, dataclass, field
from enum import Enum
from typing import Any, ClassVar, List, Literal, Optional, Sequence, Tuple, Union
import numpy as np

class Color(Enum):
    RED = 1
    BLUE = 2

class Works:
    def __call__(self, z):
        return z

    def derivative(self, z, h):
        return z
"""
CLASS = "@dataclass(frozen=True)\nclass Mine(Works):\n    "
RED, BLUE = "Color.RED", "Color.BLUE"
# annotation and default, as they are written, then values given with what they become
FIELDS = [
    ("float = 1", (), 1.0),
    ("float = np.float64(0.5)", (), 0.5),
    ("float", (2,), 2.0),
    ("int = 1", (3,), 3),
    ("str = 'a'", ("b c",), "b c"),
    ("str = 'a'", ("",), ""),
    ("bool = False", (True,), True),
    ("Color = Color.RED", (), RED),
    ("Color = Color.RED", ("BLUE",), BLUE),
    ("Optional[Color] = None", (), None),
    ("Optional[Color] = None", ("BLUE",), BLUE),
    ("Literal['a', 'b'] = 'a'", ("b",), "b"),
    ("Literal[1, 2, None] = 1", (None,), None),
    ("Optional[Literal['a', 'b']] = None", ("a",), "a"),
    ("float | None = None", (1,), 1.0),
    ("float | None = 2", (None,), None),
    ("int | float = 1", (1.5,), 1.5),
    ("int | float = 1", (2,), 2),
    ("int | str | None = 1", ("x",), "x"),
    ("Union[bool, int] = 1", (True,), True),
    ("list[int] = field(default_factory=lambda: [1, 2])", (), (1, 2)),
    ("list[int] = field(default_factory=list)", ([3],), (3,)),
    ("list[float] | None = None", ([1, 2.5],), (1.0, 2.5)),
    ("list[Optional[int]] = field(default_factory=list)", ([1, None],), (1, None)),
    ("list[bool] = field(default_factory=list)", ([True],), (True,)),
    ("list[Color] = field(default_factory=list)", (["RED", "BLUE"],), (RED, BLUE)),
    ("list[Literal['a']] = field(default_factory=list)", (["a"],), ("a",)),
    ("list[list[int]] = field(default_factory=list)", ([[1], [2, 3]],), ((1,), (2, 3))),
    ("List[str] = field(default_factory=list)", (["a"],), ("a",)),
    ("list = field(default_factory=list)", ([1, "a", [2]],), (1, "a", (2,))),
    ("tuple[int, int] = (1, 2)", ([3, 4],), (3, 4)),
    ("tuple[int, str] = (1, 'a')", ([3, "b"],), (3, "b")),
    ("tuple[int, ...] = ()", ([3, 4, 5],), (3, 4, 5)),
    ("Tuple[float, float] = (0.5, 1)", (), (0.5, 1.0)),
    ("Sequence[int] = (1, 2)", ([3],), (3,)),
    ("int | list[int] = 1", ([1, 2],), (1, 2)),
    ("Any = 1", ([1, [2]],), (1, (2,))),
]
REFUSED = [
    ("float = 1", float("nan"), "a=nan: a number is expected"),
    ("float = 1", "x", "Value 'x' of type 'str' could not be converted to Float"),
    ("float = 1", True, "could not be converted to Float"),
    ("int = 1", 1.5, "could not be converted to Integer"),
    ("int = 1", True, "could not be converted to Integer"),
    ("int = 1", None, "not Optional"),
    ("bool = False", 1, "a=1: bool is expected"),
    ("bool = False", "yes", "a=yes: bool is expected"),
    ("Color = Color.RED", "GREEN", "expected one of [RED, BLUE]"),
    ("Literal['a', 'b'] = 'a'", "c", "a=c: one of a, b is expected"),
    ("Literal['a', 'b'] = 'a'", None, "a=null: one of a, b is expected"),
    ("float | int | None = None", "x", "a=x: float is expected"),
    ("tuple[int, int] = (1, 2)", [1, 2, 3], "a=[1, 2, 3]: a list of 2 is expected"),
    ("tuple[int, int] = (1, 2)", [1], "a=[1]: a list of 2 is expected"),
    ("tuple[int, str] = (1, 'a')", ["b", 3], "a[0]=b: int is expected"),
    ("list[int] = field(default_factory=list)", ["x"], "could not be converted to Integer"),
    ("list[bool] = field(default_factory=list)", [1], "a[0]=1: bool is expected"),
    ("list[Literal['a']] = field(default_factory=list)", ["b"], "a[0]=b: one of a is expected"),
    ("Sequence[int] = (1, 2)", 3, "a=3: a list, as in [1, 2], is expected"),
]


@pytest.fixture
def others(tmp_path):
    with strangers(tmp_path / "site-packages") as installed:
        yield installed


def built(others, line, *given, future=""):
    """Field `a` of a plugin, declared so and given these values, after Hydra and after us."""
    source = f"{future}{HEAD}\n{CLASS}a: {line}\n"
    others.install("mine", source, activation__mine="Mine")
    node = plugin_schema("activation", "mine")
    for value in given:
        node.a = value
    plain = record_config(OmegaConf.create({"activation": node}))["activation"]
    return build_plugin("activation", plain).a


def shown(value):
    """A value with its type; the strangers' enumeration as it is written."""
    if isinstance(value, tuple):
        return tuple(shown(item) for item in value)
    kind = "Color" if value in (RED, BLUE) or isinstance(value, Enum) else type(value).__name__
    return kind, str(value)


@pytest.mark.parametrize("future", ["", "from __future__ import annotations"])
@pytest.mark.parametrize(("line", "given", "becomes"), FIELDS, ids=str)
def test_a_field_takes_values_of_its_type_and_lists_become_tuples(
    others, future, line, given, becomes
):
    value = built(others, line, *given, future=future)
    assert shown(value) == shown(becomes)
    hash(value)


@pytest.mark.parametrize(("line", "given", "said"), REFUSED, ids=str)
def test_a_value_of_another_type_is_refused(others, line, given, said):
    with pytest.raises((UsageError, OmegaConfBaseException), match=re.escape(said)):
        built(others, line, given)


def test_a_required_field_must_be_given(others):
    with pytest.raises(UsageError, match=r"activation\.a must be given"):
        built(others, "float")
    with pytest.raises(UsageError, match="activation: a must be given"):
        build_plugin("activation", {"name": "mine"})


def test_what_is_no_field_is_no_option(others):
    lines = "a: int = 1\n    b: ClassVar[int] = 2\n    c: int = field(default=3, init=False)\n"
    others.install("mine", f"{HEAD}\n{CLASS}{lines}", activation__mine="Mine")
    assert [*plugin_schema("activation", "mine")] == ["name", "a"]
    with pytest.raises(UsageError, match="activation: there is no 'c'"):
        build_plugin("activation", {"name": "mine", "c": 1})


def test_options_are_writable_but_for_the_name(others):
    others.install("mine", f"{HEAD}\n{CLASS}a: int = 1", activation__mine="Mine")
    node = plugin_schema("activation", "mine")
    node.a = 2
    with pytest.raises(ReadonlyConfigError):
        node.name = "other"
    assert plugin_schema("activation", "mine").a == 1


@pytest.mark.parametrize("name", ["mine", "my__own", "one.two", "two-b/mine", "a_b_c", "ünï"])
def test_a_composed_node_travels_to_another_process_whatever_the_name(others, name):
    others.install("mine", f"{HEAD}\n{CLASS}a: int = 1", **{f"activation__{name}": "Mine"})
    node = plugin_schema("activation", name)
    sent = pickle.dumps(node)
    twin_of.cache_clear()
    again = pickle.loads(sent)
    assert again == node
    assert OmegaConf.get_type(again) is twin_of("activation", name)


def test_a_field_that_hydra_cannot_hold_is_told(others, workplace, capsys):
    others.install("mine", f"{HEAD}\n{CLASS}a: int = 'x'", activation__mine="Mine")
    said = refused(capsys, "activation=mine")
    assert "activation plugin 'mine' (mine 1.2) has a field Hydra cannot hold" in said


def test_the_name_stays_when_a_preset_is_chosen(workplace, capsys):
    out = harness(capsys, "--cfg", "job", "-p", "optimizer", "optimizer=notebook_sgd").out
    assert "name: sgd" in out
