"""Files of examples: what they become, and where exactly each fault in them is."""

import csv
import io
from importlib.metadata import entry_points

import numpy as np
import pandas as pd
import pytest
from harness_plugins.datasets.csv import CSV
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contracts import DataError

RNG = np.random.default_rng(0)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])).map(
    lambda text: f"cell {text} end"
)


@pytest.fixture
def load(tmp_path):
    def load(content, target="y", task=None, suffix=".csv"):
        path = tmp_path / f"examples{suffix}"
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return CSV(str(path), target, task).load(RNG)

    return load


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("csv") / "examples.csv"


def test_it_is_the_dataset_called_csv():
    (entry,) = entry_points(group="harness.dataset", name="csv")
    assert entry.load() is CSV


def test_numbers_make_a_regression(load):
    data = load("a,y,b\n1,2,3\n-4e1,.5,6.\n")
    assert data.x.tolist() == [[1, 3], [-40, 6]]
    assert data.y.tolist() == [[2], [0.5]]
    assert (data.task, data.standardize) == ("regression", True)
    assert (data.feature_names, data.target_names) == (("a", "b"), ("y",))
    assert (data.class_names, data.categorical) == ((), ())


def test_a_column_without_numbers_becomes_a_0_1_column_for_each_value_sorted(load):
    data = load("colour,size,y\nred,1,0\nNA,2,0\nblue,3,1\nred,4,1\n")
    assert data.feature_names == ("colour=NA", "colour=blue", "colour=red", "size")
    assert data.categorical == (0, 1, 2)
    assert data.x.tolist() == [[0, 0, 1, 1], [1, 0, 0, 2], [0, 1, 0, 3], [0, 0, 1, 4]]


def test_a_text_target_is_classified_by_its_sorted_labels(load):
    data = load("a,y\n1,no\n2,yes\n3,no\n4,NA\n")
    assert data.task == "classification"
    assert data.class_names == ("NA", "no", "yes")
    assert data.y.tolist() == [1, 2, 1, 0]
    assert data.y.dtype == np.int64


def test_integer_labels_are_classified_when_asked_in_the_order_of_numbers(load):
    text = "a,y\n1,10\n2,9\n3,-1\n4,9.0\n"
    data = load(text, task="classification")
    assert data.class_names == ("-1", "9", "10")
    assert data.y.tolist() == [2, 1, 0, 1]
    assert load(text).task == "regression"


def test_several_targets_are_columns_of_y_in_the_order_asked_for(load):
    for target in (["b", "a"], ("b", "a")):
        data = load("a,x,b\n1,2,3\n4,5,6\n", target)
        assert data.y.tolist() == [[3, 1], [6, 4]]
        assert data.target_names == ("b", "a")
        assert data.feature_names == ("x",)


def test_a_column_may_be_called_by_a_number(load):
    assert load("2023,2024\n1,2\n", 2024).target_names == ("2024",)


def test_byte_order_mark_blank_lines_spaces_and_line_ends_do_not_matter(load):
    plain = load("a,y\n1,p\n2,q\n")
    odd = load(b'\xef\xbb\xbfa, "y"\r\n\r\n 1 ,p\r\n2,\tq \r\n\r\n')
    assert odd.x.tobytes() == plain.x.tobytes()
    assert odd[1].tolist() == plain.y.tolist()
    assert odd[2:] == plain[2:]


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=20))
def test_every_float_is_read_back_to_the_bit(file, rows):
    file.write_text("a,y\n" + "".join(f"{a!r},{y!r}\n" for a, y in rows))
    data = CSV(str(file), "y").load(RNG)
    assert data.x.tobytes() + data.y.tobytes() == np.array(rows).T.tobytes()


@given(st.lists(TEXT, min_size=1, max_size=20))
def test_each_text_has_exactly_its_own_column_set(file, cells):
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["a", "y"], *([cell, 1] for cell in cells)])
    data = CSV(str(file), "y").load(RNG)
    assert data.feature_names == tuple(f"a={value}" for value in sorted(set(cells)))
    assert [data.feature_names[i] for i in data.x.argmax(axis=1)] == [f"a={c}" for c in cells]
    assert (data.x.sum(axis=1) == 1).all()


@settings(max_examples=50)
@given(
    st.lists(st.text("ab,\n\"' ", max_size=8).map(lambda text: f"t{text}t"), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
)
def test_the_line_of_a_fault_counts_the_newlines_inside_cells(file, cells, end):
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=end)
    writer.writerows([["text", "number", "y"], *([cell, 1, 2] for cell in cells), ["t", 1, 2]])
    line = stream.getvalue().count("\n") + 1
    writer.writerow(["t", "oops", 2])
    file.write_text(stream.getvalue(), encoding="utf-8", newline="")
    with pytest.raises(DataError, match="'oops' is not a finite number") as caught:
        CSV(str(file), "y").load(RNG)
    assert (caught.value.path, caught.value.line) == (str(file), line)
    assert caught.value.column == "number"


FAULTS = {
    "empty": ("a,y\n1,2\n3,4\n,6\n", 4, "a", "the cell is empty"),
    "blank": ("a,y\n1,2\n3,  \n", 3, "y", "the cell is empty"),
    "empty in text": ("a,y\nred,2\n,4\n", 3, "a", "the cell is empty"),
    "all empty": ("a,y\n,2\n,4\n", 2, "a", "the cell is empty"),
    "text": ("a,y\n1,2\nx,4\n", 3, "a", "'x' is not a finite number, and other cells here are"),
    "NA": ("a,y\nNA,2\n1,4\n", 2, "a", "'NA' is not a finite number"),
    "nan": ("a,y\n1,2\nnan,4\n", 3, "a", "'nan' is not a finite number"),
    "inf": ("a,y\n1,2\n3,-inf\n", 3, "y", "'-inf' is not a finite number"),
    "too large": ("a,y\n1,2\n3,1e999\n", 3, "y", "'1e999' is not a finite number"),
    "underscore": ("a,y\n1,2\n1_0,4\n", 3, "a", "'1_0' is not a finite number"),
    "long": (f"a,y\n1,2\n{'x' * 999},4\n", 3, "a", f"'{'x' * 40}...' is not a finite number"),
    "after a cell of two lines": ('a,y,t\n1,2,"p\nq"\nx,4,r\n', 4, "a", "'x' is not"),
    "after a blank line": ("a,y\n1,2\n\nx,4\n", 4, "a", "'x' is not"),
    "short row": ("a,b,y\n1,2,3\n4,5\n", 3, None, "the header has 3 cells, this row 2"),
    "long row": ("a,y\n1,2,3\n", 2, None, "the header has 2 cells, this row 3"),
    "open quote": ('a,y\n1,2\n"3,4\n5,6\n', 3, None, "not well-formed CSV"),
    "not text": (b"a,y\n1,2\n\xff,4\n", 3, None, "byte 0xff is not UTF-8 text"),
    "no bytes": ("", None, None, "the file is empty"),
    "only blank lines": ("\n\n", None, None, "the file is empty"),
    "header only": ("a,y\n", 1, None, "a header and no rows"),
    "two of one name": ("a,y,a\n1,2,3\n", 1, "a", "two columns have this name"),
    "no name": ("a,,y\n1,2,3\n", 1, None, "column 2 has no name"),
    "two features of one name": ("p,p=q,y\nq,1,2\n", 1, None, "would be called 'p=q'"),
    "only the target": ("y\n1\n2\n", 1, None, "no column is left"),
    "one label": ("a,y\n1,p\n2,p\n", None, "y", "'p' is the only label"),
    "typo": ("a,yy\n1,2\n", 1, "y", "no such column; did you mean 'yy'? the columns are a, yy"),
    "unknown": ("a,b\n1,2\n", 1, "y", "no such column; the columns are a, b"),
}


@pytest.mark.parametrize(("content", "line", "column", "message"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_by_file_line_and_column(load, tmp_path, content, line, column, message):
    with pytest.raises(DataError) as caught:
        load(content)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)
    assert caught.value.path == str(tmp_path / "examples.csv")


@pytest.mark.parametrize(
    ("rows", "target", "task", "line", "message"),
    [
        ("p,1,2\n", "a", "regression", 2, "'p' is not a number, as a regression's target is"),
        ("p,1,2\n", ["b", "a"], None, 2, "'p' is not a number"),
        ("0,1,2\n0.5,1,2\n", "a", "classification", 3, "'0.5' is not an integer, as a class"),
        ("0,1,2\n1e300,1,2\n", "a", "classification", 3, "'1e300' is not an integer"),
    ],
)
def test_a_target_that_does_not_fit_the_task_is_told(load, rows, target, task, line, message):
    with pytest.raises(DataError) as caught:
        load("a,b,c\n" + rows, target, task)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, "a")


@pytest.mark.parametrize("name", ["absent.csv", "absent.parquet", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    path = str(tmp_path / name)
    with pytest.raises(DataError, match=r"No such file|Is a directory") as caught:
        CSV(path, "y").load(RNG)
    assert caught.value.line is None


def test_parquet_reads_like_the_same_table_in_csv(load):
    table = pd.DataFrame({"a": [0.1, 1 / 3], "n": [1, 2], "t": ["p", "q"], "b": [True, False]})
    table["y"] = np.array([0.1, 7], np.float32)
    parquet = load(table, suffix=".parquet")
    assert parquet.feature_names == ("a", "n", "t=p", "t=q", "b=False", "b=True")
    assert parquet.y.tolist() == [[float(np.float32(0.1))], [7]]
    table["y"] = table["y"].astype(np.float64)
    text = load(table.to_csv(index=False))
    assert parquet.x.tobytes() == text.x.tobytes()
    assert parquet[2:] == text[2:]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_parquet_cell_is_told_on_the_line_it_would_be_on(load, missing):
    for column in ([1.0, missing, 3.0], ["p", missing, "q"]):
        with pytest.raises(DataError, match="the cell is empty") as caught:
            load(pd.DataFrame({"a": column, "y": [1, 2, 3]}), suffix=".parquet")
        assert (caught.value.line, caught.value.column) == (3, "a")


def test_what_is_no_parquet_file_is_told(load):
    with pytest.raises(DataError, match="not a readable Parquet file"):
        load("a,y\n1,2\n", suffix=".parquet")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"path": ""}, "path must name a CSV or Parquet file, not ''"),
        ({"target": []}, "target must be a column name or a list .* not \\(\\)"),
        ({"target": ["a", "a"]}, "target must be .* different ones, not \\('a', 'a'\\)"),
        ({"target": ""}, "target must be a column name .* not ''"),
        ({"target": None}, "target must be a column name .* not None"),
        ({"target": True}, "target must be a column name .* not True"),
        ({"task": "ranking"}, "task must be regression, .* null, not 'ranking'"),
        ({"target": ["a", "b"], "task": "classification"}, "target must be one column"),
    ],
)
def test_fields_that_cannot_be_are_refused_before_anything_is_read(fields, message):
    with pytest.raises(ValueError, match=message):
        CSV(**({"path": "x.csv", "target": "y"} | fields))


def test_path_and_target_are_required_and_a_list_of_targets_can_be_hashed():
    with pytest.raises(TypeError):
        CSV()
    assert hash(CSV("x.csv", ["a", "b"])) == hash(CSV("x.csv", ("a", "b")))
