import csv
import gzip
import io
import itertools
import math
import tracemalloc
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bpref.regression import csv_file, table
from bpref.regression.cells import LARGEST, MISSING_MARKS, almost_number, is_date, parse
from bpref.regression.config import MISSING
from bpref.regression.csv_file import scan
from bpref.regression.csv_text import DELIMITERS
from bpref.regression.errors import DataError
from bpref.regression.table import read_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """One folder for all drawn files of a test."""
    return tmp_path_factory.mktemp("drawn")


def read(folder: Path, content: str | bytes, **options) -> pd.DataFrame:
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, **options)


def test_the_diabetes_file_is_read_as_pandas_reads_it(diabetes):
    frame = read_table(diabetes)
    pd.testing.assert_frame_equal(
        frame.reset_index(drop=True), pd.read_csv(diabetes).astype(float), check_exact=True
    )
    assert list(frame.index) == list(range(2, 444))
    assert frame.attrs == {
        "source": str(diabetes),
        "dropped_columns": [],
        "dropped_rows": 0,
        "notes": {},
    }


def test_numbers_categories_and_booleans(tmp_path):
    frame = read(tmp_path, "a, b ,flag,y\n 1 ,red,true,1e3\n+.5, blue,FALSE,-2.\n")
    assert list(frame.columns) == ["a", "b", "flag", "y"]
    assert frame["a"].tolist() == [1.0, 0.5]
    assert frame["flag"].tolist() == [1.0, 0.0]
    assert frame["y"].tolist() == [1000.0, -2.0]
    assert frame["b"].tolist() == ["red", "blue"]
    assert isinstance(frame["b"].dtype, pd.CategoricalDtype)
    assert {frame[name].dtype for name in ("a", "flag", "y")} == {np.dtype(float)}
    assert frame.attrs["notes"] == {"flag": "true and false read as 1 and 0"}


def test_numbers_that_are_declared_categories_keep_their_text(tmp_path):
    frame = read(tmp_path, "zip,y\n01,1\n1,2\n 01 ,3\nx,4\n", categorical=["zip"])
    assert frame["zip"].tolist() == ["01", "1", "01", "x"]


def test_only_the_chosen_columns_are_read_and_judged(tmp_path):
    text = "id,day,a,y\nx,2024-01-01,,1\n7,,2,3\n"
    frame = read(tmp_path, text, columns=["y", "id"], categorical=["id"])
    assert list(frame.columns) == ["y", "id"]
    assert frame.attrs["dropped_columns"] == ["day", "a"]
    assert list(read(tmp_path, text, drop=["id", "day", "a"]).columns) == ["y"]


@pytest.mark.parametrize("cell", ["", "  ", "NA", "nan", "-inf", "Infinity"])
def test_the_policies_for_missing_cells(tmp_path, cell):
    text = f"a,b,y\n1,red,1\n{cell},blue,2\n2,{cell},3\n4,red,4\n"
    dropped = read(tmp_path, text, missing="drop")
    assert list(dropped.index) == [2, 5]
    assert dropped.attrs["dropped_rows"] == 2
    kept = read(tmp_path, text, missing="mean")
    assert kept.isna().to_numpy().tolist() == [
        [False] * 3,
        [True, False, False],
        [False, True, False],
        [False] * 3,
    ]
    assert kept.attrs["dropped_rows"] == 0
    with pytest.raises(DataError, match="line 3, column 'a'"):
        read(tmp_path, text)


def test_blank_lines_and_line_breaks_in_quotes_count_as_lines_of_the_file(tmp_path):
    frame = read(tmp_path, '\ufeff\n"a\n b",y\n\n"x\n\nz",1\r\n ,\nx,2\n\nz,3\n\n')
    assert list(frame.columns) == ["a\n b", "y"]
    assert list(frame.index) == [5, 9, 11]
    assert frame["y"].tolist() == [1, 2, 3]
    assert frame.iloc[:, 0].tolist() == ["x\n\nz", "x", "z"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_of_the_last_line_or_none(tmp_path, end):
    for last in ("", end):
        frame = read(tmp_path, end.join(["a,y", "1,2", "", "3,4"]) + last)
        assert frame.to_numpy().tolist() == [[1, 2], [3, 4]]
        assert list(frame.index) == [2, 4]


def test_a_packed_file_is_read_whatever_its_name(tmp_path):
    frame = read(tmp_path, gzip.compress("\ufeffa,y\n1,2\n".encode()))
    assert frame.to_numpy().tolist() == [[1, 2]]


def test_other_delimiters_when_asked_for(tmp_path):
    for delimiter in DELIMITERS:
        frame = read(tmp_path, "a,y\n1,2\n3,4\n".replace(",", delimiter), delimiter=delimiter)
        assert frame.to_numpy().tolist() == [[1, 2], [3, 4]]


def test_integers_beyond_2_to_the_53_are_rounded_as_floats_are(tmp_path):
    cells = ["9007199254740993", "-9223372036854775807", "18446744073709551615", "9" * 30]
    for part in (cells[:1], cells[:2], cells):
        frame = read(tmp_path, "a,y\n" + "".join(f"{cell},1\n" for cell in part))
        assert frame["a"].tolist() == [float(cell) for cell in part]


def test_single_columns_and_single_rows(tmp_path):
    assert read(tmp_path, "y\n1\n\n2\n").index.tolist() == [2, 4]
    assert read(tmp_path, "full name\nAda Lovelace\nA B\n").shape == (2, 1)
    assert read(tmp_path, "a,b\n1,2\n").shape == (1, 2)


def test_pieces_do_not_show(tmp_path):
    """Columns whose kind shows late: text, gaps, booleans and infinity after many numbers."""
    rows = [f"{i},{i},c{i % 3},true" for i in range(50)]
    rows[40] = ",inf,,"
    text = "a,b,c,d\n" + "\n".join(rows) + "\n"
    whole = read(tmp_path, text, missing="mean")
    with mock.patch.object(table, "PIECE", 12):
        pd.testing.assert_frame_equal(read(tmp_path, text, missing="mean"), whole)
    with mock.patch.object(csv_file, "BLOCK", 7):
        pd.testing.assert_frame_equal(read(tmp_path, text, missing="mean"), whole)
    assert whole["a"].isna().sum() == whole["b"].isna().sum() == 1
    assert whole["c"].cat.categories.tolist() == ["c0", "c1", "c2"]


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n1,2\n3,4\n")

    def scan_and_append(*args):
        file = scan(*args)
        with path.open("a") as text:
            text.write("5,6\n")
        return file

    with (
        mock.patch.object(table, "scan", scan_and_append),
        pytest.raises(DataError, match=r"t\.csv: the file changed while it was read$"),
    ):
        read_table(path)


@pytest.mark.parametrize("gap", ["0.5", " "])
def test_no_string_is_kept_for_a_cell(tmp_path, gap):
    """Strings of all cells would take seven times the numbers (and a gap makes text of columns)."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((40_000, 5))
    cells = [[repr(value) for value in row] for row in values.tolist()]
    for column in range(5):
        cells[7 * column][column] = gap
    text = "a,b,c,d,e\n" + "".join(",".join(row) + "\n" for row in cells)
    path = tmp_path / "t.csv"
    path.write_text(text)
    with mock.patch.object(table, "PIECE", 5000), mock.patch.object(csv_file, "BLOCK", 1 << 16):
        tracemalloc.start()
        try:
            frame = read_table(path, missing="mean")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    np.testing.assert_array_equal(frame.to_numpy()[40:], values[40:])
    assert peak < 3 * values.nbytes


# What any file does


PIECES_OF_FILES = st.sampled_from(
    [*',,,,;\t|\n\n\n\n\r"" .-+eE0123456789ainfNAtrueé\u00a0\u2028\ufeff\0$%:/_', "1,2\n", "\r\n",
     "NA", "nan", "inf", "1e400", "1e101", "true", "false", "2024-01-01", "1,234", '"x\n"', "a,y\n"]
)  # fmt: skip


@st.composite
def tables(draw) -> str:
    """Almost a table: now and then a row is ragged, a cell is strange, a line is blank."""
    width = draw(st.integers(1, 4))
    cell = st.one_of(
        st.integers(-99, 99).map(str),
        st.floats().map(repr),
        st.sampled_from(["", " ", "x", "red", "True", "NA", '"1"', '"a\nb"', '"a""b"', "-inf"]),
    )
    head = [f"c{i}" for i in range(width)]
    rows = draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=6))
    if draw(st.integers(0, 9)) == 0:
        rows.append(draw(st.lists(cell, max_size=6)))
    if draw(st.booleans()):
        rows.insert(draw(st.integers(0, len(rows))), [])
    return draw(st.sampled_from(["\n", "\r\n"])).join(map(",".join, [head, *rows]))


FILES = st.one_of(
    st.binary(max_size=60),
    st.lists(PIECES_OF_FILES, max_size=60).map("".join).map(str.encode),
    st.lists(PIECES_OF_FILES, max_size=60).map(lambda parts: ("a,b\n" + "".join(parts)).encode()),
    tables().map(str.encode),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@settings(max_examples=400, deadline=None)
@given(FILES, st.sampled_from(MISSING), st.sampled_from(list(DELIMITERS)), st.integers(1, 9))
def test_any_file_is_a_rectangle_of_finite_numbers_and_texts_or_one_line(
    folder, content, missing, delimiter, piece
):
    try:
        with mock.patch.object(table, "PIECE", piece), mock.patch.object(csv_file, "BLOCK", piece):
            frame = read(folder, content, missing=missing, delimiter=delimiter)
    except DataError as error:
        (line,) = str(error).splitlines()
        assert line.startswith(f"{folder / 't.csv'}: ")
        assert line.isprintable()
        assert len(line) < 600 + len(str(folder))
        return
    assert len(frame) >= 1
    assert len(set(frame.columns)) == frame.shape[1] >= 1
    assert frame.index.is_monotonic_increasing
    assert frame.index.is_unique
    for name in frame.columns:
        column = frame[name]
        assert missing == "mean" or column.notna().all()
        if isinstance(column.dtype, pd.CategoricalDtype):
            assert all(isinstance(v, str) and v == v.strip() for v in column.dropna())
        else:
            assert column.dtype == np.float64
            assert (column.dropna().abs() <= LARGEST).all()


@settings(max_examples=200, deadline=None)
@given(FILES.filter(lambda content: b'"' not in content), st.integers(1, 9))
def test_both_ways_through_a_file_without_quotes_agree(folder, content, block):
    def outcome() -> object:
        try:
            file = scan(path)
        except DataError as error:
            return str(error)
        return file.names, file.skip, file.lines.tolist(), file.blank.tolist()

    path = folder / "t.csv"
    path.write_bytes(content)
    real = csv_file._survey

    def survey(*args):  # the checks of the bytes stay, the counts are left out
        real(*args)

    with mock.patch.object(csv_file, "BLOCK", block):
        counted = outcome()
    with mock.patch.object(csv_file, "_survey", survey):
        assert outcome() == counted


def plain(text: str) -> bool:
    """Whether a category comes back as it is."""
    return (
        text == text.strip()
        and isinstance(parse(text), str)
        and not is_date(text)
        and almost_number(text) is None
        and text.lower() not in ("true", "false")
        and "\0" not in text
    )


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(plain)
NUMBERS = st.floats(-LARGEST, LARGEST) | st.integers(-(2**53), 2**53)
NAMES = st.text(st.characters(codec="utf-8", categories=("L", "P", "Zs")), min_size=1, max_size=8)


@st.composite
def frames(draw) -> pd.DataFrame:
    names = draw(
        st.lists(
            NAMES.map(str.strip).filter(bool).map("n{}".format), unique=True, min_size=1, max_size=5
        )
    )
    rows = draw(st.integers(1, 8))
    return pd.DataFrame(
        {
            name: draw(
                st.lists(draw(st.sampled_from([TEXTS, NUMBERS])), min_size=rows, max_size=rows)
            )
            for name in names
        }
    )


@settings(max_examples=200, deadline=None)
@given(
    frames(),
    st.sampled_from(list(DELIMITERS)),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_frame_that_pandas_wrote_is_read_as_it_was(folder, frame, delimiter, quoting, end):
    path = folder / "t.csv"
    frame.to_csv(path, index=False, sep=delimiter, quoting=quoting, lineterminator=end)
    again = read_table(path, delimiter=delimiter)
    assert list(again.columns) == list(frame.columns)
    for name in frame.columns:
        if isinstance(frame[name].iloc[0], str):
            assert again[name].tolist() == frame[name].tolist()
        else:
            wanted = np.array(frame[name].tolist(), dtype=np.float64)
            np.testing.assert_array_equal(
                again[name].to_numpy().view(np.int64), wanted.view(np.int64)
            )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_fault_has_the_line_on_which_an_editor_shows_its_record(folder, data):
    """The line is counted in the text that was written, before any reading."""
    draw = data.draw
    kind = draw(st.sampled_from(["text", "short", "long", "missing"]))
    spacer = st.sampled_from(["", "\n", "\n\n", " \n", ",\n"])
    cell = st.sampled_from(["red", '"two\nlines"', '"three\n\nlines"', '"a ""quote"""'])
    good = draw(st.lists(st.tuples(spacer, cell), min_size=1, max_size=6))
    text = draw(spacer) + draw(st.sampled_from(["a,y\n", '"a\n",y\n']))
    for at, (blank, value) in enumerate(good):
        text += f"{blank}{value},{at}\n"
    text += draw(spacer)
    line = text.count("\n") + 1
    text += {"text": "red,oops", "short": "red", "long": "red,1,2", "missing": ",1"}[kind] + "\n"
    text += draw(spacer) + "red,8\n"
    reason = {
        "text": "line {}, column 'y': 'oops' is text in a column of numbers",
        "short": "line {}: 1 cell where the header names 2 columns: column 'y' has none",
        "long": "line {}: 3 cells where the header names 2 columns: it is too long",
        "missing": "line {}, column 'a': the value is missing",
    }[kind]
    with pytest.raises(DataError) as error:
        read(folder, text)
    assert str(error.value) == f"{folder / 't.csv'}: {reason.format(line)}"


# Cells


@given(st.floats(allow_nan=False))
def test_a_number_is_what_python_takes_it_for(value):
    for text in (repr(value), f" {value:e} ", f"{value:+.3f}"):
        if math.isinf(value):
            assert parse(text) is None
        else:
            assert parse(text) == float(text)


@pytest.mark.parametrize(
    "text", ["1_000", "0x10", "1e", "e5", ".", "+", "--1", "1.2.3", "١", "1d3", "1 2", "½", "x1"]
)
def test_text_that_is_no_number(text):
    assert parse(text) == text


def test_a_long_number_is_recognised_in_time():
    """A pattern that went back over its digits would take hours here."""
    assert parse("1" * 100_000 + "x") == "1" * 100_000 + "x"
    assert parse("0." + "1" * 100_000) == pytest.approx(1 / 9)
    assert almost_number("1,111" * 30_000) is None


def test_missing_marks_are_those_of_pandas():
    cells = pd.read_csv(io.StringIO("a\n" + "\n".join(f'"{mark}"' for mark in MISSING_MARKS)))
    assert cells["a"].isna().all()
    assert all(parse(mark) is None for mark in MISSING_MARKS)


def test_dates_and_near_numbers_do_not_overlap_with_words():
    words = ["red", "A-1", "v1.2.3", "3rd", "1-2", "12:3", "10th", "N/A?", "C1", "a,b", "1, 2"]
    assert not any(is_date(word) or almost_number(word) for word in words)
    for day, time in itertools.product(
        ["2024-01-31", "31.1.2024", "1/31/24", "2024/1/3"],
        ["", " 08:15", "T08:15:30", " 8:15:30.5 UTC", "T08:15:30Z", " 08:15+01:00"],
    ):
        assert is_date(day + time)
