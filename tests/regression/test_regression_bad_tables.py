# ruff: noqa: E501  (a case is one line)
"""Every fault of a table is one line that names the place: the whole line is compared."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bpref.regression.errors import ConfigError, DataError
from bpref.regression.preprocessing import Preprocessor
from bpref.regression.splitting import split_rows
from bpref.regression.table import read_table

ROWS = "1,2\n2,4\n3,5\n4,1\n5,0\n"
NUMBERED = "".join(f"{i},{i * i}\n" for i in range(9998))
PACKED = gzip.compress(("a,y\n" + ROWS).encode(), mtime=0)


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def line_of(error: pytest.ExceptionInfo[ValueError], folder: Path) -> str:
    message = str(error.value)
    assert len(message.splitlines()) == 1
    return message.replace(f"{folder}/", "")


# Content of t.csv, and the message of reading it.
UNREADABLE = {
    "empty file": ("", "t.csv: the file is empty"),
    "byte order mark alone": ("\ufeff", "t.csv: the file is empty"),
    "blank lines alone": ("\n \n,,\n", "t.csv: the file holds nothing but blank lines"),
    "quoted blank lines": ('""\n" "\n', "t.csv: the file holds nothing but blank lines"),
    "header alone": ("a,y\n", "t.csv: no row below the header"),
    "header and blank lines": ("a,y\n\n,\n", "t.csv: no row below the header"),
    # Other formats, other encodings
    "Excel": (b"PK\x03\x04....", "t.csv: the file is a ZIP archive or an Excel workbook: save the table as CSV"),
    "web page": ("\n<!DOCTYPE html><html>", "t.csv: the file is a web page, not a table: download the file itself"),
    "damaged gzip": (PACKED[:-12], "t.csv: the gzip file is damaged or incomplete"),
    "UTF-16": (("a,y\n" + ROWS).encode("utf-16"), "t.csv: the text is UTF-16, not UTF-8: save it as UTF-8"),
    "UTF-16 without mark": (("a,y\n" + ROWS).encode("utf-16-be"), "t.csv: the text is UTF-16, not UTF-8: save it as UTF-8"),
    "Latin-1": ("a,y\n1,2\n3,café\n".encode("latin-1"), "t.csv: line 3, column 2: byte 0xE9 is not UTF-8 text: save the file as UTF-8"),
    "Latin-1 header": ("größe,y\n1,2\n".encode("latin-1"), "t.csv: line 1, column 1: byte 0xF6 is not UTF-8 text: save the file as UTF-8"),
    "Latin-1 after a quote": ('a,y\n1,"x\ny é"\n'.encode("latin-1"), "t.csv: line 3, column 1: byte 0xE9 is not UTF-8 text: save the file as UTF-8"),
    "cut in a character": (b"a,y\n1,red\xc3", "t.csv: line 2, column 2: byte 0xC3 is not UTF-8 text: save the file as UTF-8"),
    "NUL byte": ("a,y\n1,2\n3,4\0\n", "t.csv: line 3, column 2: a NUL byte, not text"),
    # Rows and delimiters
    "short row": ("a,b,y\n1,2,3\n1,2\n", "t.csv: line 3: 2 cells where the header names 3 columns: column 'y' has none"),
    "long row": ("a,y\n1,2\n1,2,3\n", "t.csv: line 3: 3 cells where the header names 2 columns: it is too long"),
    "first row long": ("a,y\n0,1,2\n1,1,2\n", "t.csv: line 2: 3 cells where the header names 2 columns: it is too long"),
    "short row after blank lines": ("\na,y\n\n1,2\n\n1\n", "t.csv: line 6: 1 cell where the header names 2 columns: column 'y' has none"),
    "short row after a quoted line break": ('a,y\n"x\n\nz",2\n1\n', "t.csv: line 5: 1 cell where the header names 2 columns: column 'y' has none"),
    "long blank row": ("a,y\n1,2\n,,\n", "t.csv: line 3: 3 cells where the header names 2 columns: it is too long"),
    "unquoted decimal comma": ("a,y\n1,5,2\n2,5,3\n", "t.csv: line 2: 3 cells where the header names 2 columns: it is too long"),
    "semicolon": ("a;y\n1;2\n3;4\n", "t.csv: the columns seem to be separated by ';' (semicolon), not by ',': read it with that delimiter, or save it with ','"),
    "semicolon and decimal comma": ("a;y\n1,5;2,5\n3,5;4\n", "t.csv: the columns seem to be separated by ';' (semicolon), not by ',': read it with that delimiter, or save it with ','"),
    "tab": ("a\ty\n1\t2\n3\t4\n", "t.csv: the columns seem to be separated by '\\t' (tab), not by ',': read it with that delimiter, or save it with ','"),
    "bar": ("a|b|y\n1|2|3\n", "t.csv: the columns seem to be separated by '|' (bar), not by ',': read it with that delimiter, or save it with ','"),
    "space": ("a y\n1 2\n3 4\n", "t.csv: the columns seem to be separated by ' ' (space), not by ',': read it with that delimiter, or save it with ','"),
    # Quotes
    "quote never closed": ('a,y\n1,2\n"3,4\n5,6\n', "t.csv: line 3: a quote is opened and never closed"),
    "quote closed by the next": ('a,y\n"1,2\n3,"4"\n', "t.csv: line 2: text follows a closing quote (is a quote left open, or not doubled inside a cell?)"),
    "endless cell": ('a,y\n1,2\n"' + "x" * 200_000 + '",2\n', "t.csv: line 3: a cell is longer than 131072 characters (is a quote left open?)"),
    # Header
    "same name twice": ("a,b,a ,y\n1,2,3,4\n", "t.csv: line 1: columns 1 and 3 have the same name 'a'"),
    "no name": ("a, ,y\n1,2,3\n", "t.csv: line 1: column 2 has no name"),
    "index of pandas": (",a,y\n0,1,2\n", "t.csv: line 1: column 1 has no name (an index? pandas leaves it out with index=False)"),
    "comma at every end": ("a,y,\n1,2,\n", "t.csv: line 1: column 3 has no name"),
    "no header": ("1.5,2\n3,4\n", "t.csv: line 1: numbers, e.g. '1.5', where the names of the columns are expected: add a header line"),
    # Cells without a value
    "empty cell": ("a,y\n1,2\n,4\n", "t.csv: line 3, column 'a': the value is missing"),
    "cell of spaces": ("a,y\n1,2\n  ,4\n", "t.csv: line 3, column 'a': the value is missing"),
    "NaN": ("a,y\n1,2\n3,NaN\n", "t.csv: line 3, column 'y': the value is missing ('NaN')"),
    "NA among text": ("a,y\nx,2\nNA,4\n", "t.csv: line 3, column 'a': the value is missing ('NA')"),
    "the first of many": ("a,y\n1,2\n1,\n,4\n", "t.csv: line 3, column 'y': the value is missing"),
    "infinite": ("a,y\n1,2\n3,-inf\n", "t.csv: line 3, column 'y': '-inf' is not a finite number"),
    "beyond float64": ("a,y\n1,2\n1e400,4\n", "t.csv: line 3, column 'a': '1e400' is too large (above 1e+100)"),
    "squares overflow": ("a,y\n1,2\n3,-1e101\n", "t.csv: line 3, column 'y': '-1e101' is too large (above 1e+100)"),
    "huge integer": ("a,y\n1,2\n" + "9" * 120 + ",4\n", "t.csv: line 3, column 'a': '9999999999999999999999999999999999999999…' is too large (above 1e+100)"),
    # Cells that are no number
    "text in row 9,999": ("a,y\n" + NUMBERED + "x,1\n", "t.csv: line 10000, column 'a': 'x' is text in a column of numbers"),
    "text after a quoted line break": ('a,y\n"\n1",2\n\n2,x\n', "t.csv: line 5, column 'y': 'x' is text in a column of numbers"),
    "text after old line ends": ("a,y\r1,2\r\rx,3\r", "t.csv: line 4, column 'a': 'x' is text in a column of numbers"),
    "number among text": ("a,y\nred,1\nblue,2\n7,3\n", "t.csv: line 4, column 'a': '7' is a number in a column of text"),
    "long cell": ("a,y\n1,2\n" + "x" * 1000 + ",4\n", "t.csv: line 3, column 'a': 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…' is text in a column of numbers"),
    "cell with line breaks": ('a,y\n1,2\n"x\r\ny\u2028z",4\n', "t.csv: line 3, column 'a': 'x\\r\\ny\\u2028z' is text in a column of numbers"),
    "decimal comma": ('a,y\n"1,5",2\n"2,5",4\n', "t.csv: line 2, column 'a': '1,5' has a decimal comma: write 1.5"),
    "decimal comma in one cell": ('a,y\n1.5,2\n"2,5",4\n', "t.csv: line 3, column 'a': '2,5' has a decimal comma: write 2.5"),
    "thousands": ('a,y\n"1,234,567",2\n', "t.csv: line 2, column 'a': '1,234,567' has a thousands separator: write 1234567"),
    "thousands with spaces": ("a,y\n1 234.5,2\n", "t.csv: line 2, column 'a': '1 234.5' has a thousands separator: write 1234.5"),
    "comma of either kind": ('a,y\n"1,234",2\n', "t.csv: line 2, column 'a': '1,234' has a decimal comma or a thousands separator: write 1.234 or 1234"),
    "currency": ("a,y\n$1.50,2\n$2.50,3\n", "t.csv: line 2, column 'a': '$1.50' has a unit: write the number alone"),
    "date": ("day,y\n2024-01-31,2\n2024-02-01,3\n", "t.csv: line 2, column 'day': '2024-01-31' is a date or a time, which is neither used as a number nor as a category: drop the column, or write a number, e.g. of days"),
    "time": ("at,y\n9:30,2\n10:15:00,3\n", "t.csv: line 2, column 'at': '9:30' is a date or a time, which is neither used as a number nor as a category: drop the column, or write a number, e.g. of days"),
    "true among numbers": ("a,y\n1,2\n0,3\ntrue,4\n", "t.csv: line 4, column 'a': 'true' is text in a column of numbers"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_table(tmp_path, content, message):
    with pytest.raises(DataError) as error:
        read_table(write(tmp_path, content))
    assert line_of(error, tmp_path) == message


# A file that cannot be opened.
def test_a_path_that_is_no_file(tmp_path):
    (tmp_path / "folder").mkdir()
    for name, message in {
        "nowhere.csv": "nowhere.csv: cannot be read: no such file",
        "folder": "folder: cannot be read: it is a folder",
        "a\0b": f"'{tmp_path}/a\\x00b': cannot be read: not a name of a file",
        "two\nlines": f"'{tmp_path}/two\\nlines': cannot be read: no such file",
    }.items():
        with pytest.raises(DataError) as error:
            read_table(tmp_path / name)
        assert str(error.value).removeprefix(f"{tmp_path}/") == message
    with pytest.raises(DataError, match=r"^/dev/null: cannot be read: not a regular file$"):
        read_table("/dev/null")


# Content, options of read_table, message.
OPTIONS = {
    "columns": ("a,y\n" + ROWS, {"columns": ["A", "z"]}, "t.csv: no column 'A'; did you mean 'a'?"),
    "drop": ("price,y\n" + ROWS, {"drop": ["prize"]}, "t.csv: no column 'prize'; did you mean 'price'?"),
    "categorical": ("price,y\n" + ROWS, {"categorical": ["zip"]}, "t.csv: no column 'zip'; the columns are price, y"),
    "all dropped": ("a,y\n" + ROWS, {"drop": ["a", "y"]}, "t.csv: every column is dropped (a, y)"),
    "drop leaves no row": ("a,y\n1,\n2,\n,3\n", {"missing": "drop"}, "t.csv: no row is left without the rows that miss a value: column 'y' misses 2 of 3"),
    "drop leaves a fault": ("a,y\n,1\n1e400,2\n", {"missing": "drop"}, "t.csv: line 3, column 'a': '1e400' is too large (above 1e+100)"),
    "mean leaves a fault": ("a,y\n,1\n2,2\nx,3\n", {"missing": "mean"}, "t.csv: line 4, column 'a': 'x' is text in a column of numbers"),
    "drop, ragged": ("a,y\n,1\n2\n", {"missing": "drop"}, "t.csv: line 3: 1 cell where the header names 2 columns: column 'y' has none"),
    "comma, not semicolon": ("a,y\n1,2\n", {"delimiter": ";"}, "t.csv: the columns seem to be separated by ',' (comma), not by ';': read it with that delimiter, or save it with ';'"),
    "decimal comma between semicolons": ("a;y\n1,5;2,5\n", {"delimiter": ";"}, "t.csv: line 2, column 'a': '1,5' has a decimal comma: write 1.5"),
    "decimal comma and thousands": ("a;y\n1.234,5;2\n", {"delimiter": ";"}, "t.csv: line 2, column 'a': '1.234,5' has a decimal comma: write 1234.5"),
    "many names": (",".join(f"c{i}" for i in range(30)) + "\n" + "1," * 29 + "1\n", {"columns": ["y"]}, "t.csv: no column 'y'; the columns are c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 20 more"),
    "long name": ("n" * 99 + ",y\n" + ROWS, {"columns": ["target"]}, "t.csv: no column 'target'; the columns are nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…, y"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "options", "message"), OPTIONS.values(), ids=OPTIONS)
def test_options_that_do_not_fit_the_table(tmp_path, content, options, message):
    with pytest.raises(DataError) as error:
        read_table(write(tmp_path, content), **options)
    assert line_of(error, tmp_path) == message


def test_a_damaged_cell_in_a_packed_file_has_its_line(tmp_path):
    path = write(tmp_path, gzip.compress(b"a,y\n1,2\nx,3\n"), "t.csv.gz")
    with pytest.raises(DataError) as error:
        read_table(path)
    assert line_of(error, tmp_path) == (
        "t.csv.gz: line 3, column 'a': 'x' is text in a column of numbers"
    )


# Content, targets, policy for missing cells, message of Preprocessor.fit on all rows.
ALL_DIFFERENT = "".join(f"id{i},{i % 7}\n" for i in range(20))
MANY_LEVELS = "".join(f"id{i % 101},{i % 7}\n" for i in range(300))
UNLEARNABLE = {
    "no such target": ("size,price\n" + ROWS, "prise", "error", "t.csv: no column 'prise'; did you mean 'price'?"),
    "target in other case": ("size,price\n" + ROWS, "PRICE", "error", "t.csv: no column 'PRICE'; did you mean 'price'?"),
    "no such target, none near": ("a,b\n" + ROWS, "target", "error", "t.csv: no column 'target'; the columns are a, b"),
    "target twice": ("a,b,y\n1,2,3\n2,3,4\n", ["y", "y"], "error", "t.csv: the target 'y' is given twice"),
    "no target": ("a,y\n" + ROWS, [], "error", "t.csv: no target column is named; the columns are a, y"),
    "target alone": ("y\n1\n2\n", "y", "error", "t.csv: no column is left to predict y from: every column is a target or dropped"),
    "all columns are targets": ("a,y\n" + ROWS, ["a", "y"], "error", "t.csv: no column is left to predict a, y from: every column is a target or dropped"),
    "target is text": ("a,y\n1,low\n2,high\n", "y", "error", "t.csv: line 2, column 'y': the target is text, e.g. 'low': regression predicts numbers"),
    "no numeric column": ("a,y\nx,low\nz,high\n", "y", "error", "t.csv: no numeric column: the target must be a column of numbers"),
    "one row": ("a,y\n1,2\n", "y", "error", "t.csv: at least 2 training rows are needed, got 1"),
    "constant column": ("a,y\n7,1\n7,2\n", "y", "error", "t.csv: column 'a' is constant (7 in every training row): it carries no information, drop it"),
    "constant target": ("a,y\n1,3\n2,3\n", "y", "error", "t.csv: column 'y' is constant (3 in every training row): there is nothing to learn"),
    "constant text": ("a,y\nred,1\nred,2\n", "y", "error", "t.csv: column 'a' is constant ('red' in every training row): it carries no information, drop it"),
    "constant but for gaps": ("a,y\n7,1\n,2\n7,3\n", "y", "mean", "t.csv: column 'a' is constant (7 in every training row): it carries no information, drop it"),
    "column without a value": ("a,y\n,1\nNA,2\n", "y", "mean", "t.csv: column 'a' has no value in any training row"),
    "missing target": ("a,y\n1,1\n2,\n3,3\n", "y", "mean", "t.csv: line 3, column 'y': the value is missing"),
    "identifiers": ("a,y\n" + ALL_DIFFERENT, "y", "error", "t.csv: column 'a' has 20 different texts in 20 training rows, e.g. 'id0': an identifier or free text is no category, drop it"),
    "too many levels": ("a,y\n" + MANY_LEVELS, "y", "error", "t.csv: column 'a' has 101 different texts in 300 training rows, e.g. 'id0': an identifier or free text is no category, drop it"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "targets", "missing", "message"), UNLEARNABLE.values(), ids=UNLEARNABLE
)
def test_a_table_that_nothing_can_be_learned_from(tmp_path, content, targets, missing, message):
    frame = read_table(write(tmp_path, content), missing=missing)
    with pytest.raises(DataError) as error:
        Preprocessor.fit(frame, targets, missing)
    assert line_of(error, tmp_path) == message


def test_a_target_that_was_dropped(tmp_path):
    frame = read_table(write(tmp_path, "a,b,y\n1,2,3\n2,3,4\n"), drop=["y"])
    with pytest.raises(DataError) as error:
        Preprocessor.fit(frame, "y")
    assert line_of(error, tmp_path) == "t.csv: the target 'y' is a column that was dropped"


# A later table, the policy, and the message of transforming it.
TRAIN = "size,color,price\n1,red,3\n2,blue,5\n3,green,6\n4,red,9\n"
LATER = {
    "no feature column": ("sizes,color\n1,red\n", "error", "new.csv: no column 'size'; did you mean 'sizes'?"),
    "unseen category": ("size,color\n1,red\n2,gren\n", "error", "new.csv: line 3, column 'color': the training rows have no 'gren'; did you mean 'green'?"),
    "unseen category, none near": ("color,size\n\nteal,1\n", "error", "new.csv: line 3, column 'color': the training rows have no 'teal'; they have blue, green, red"),
    "missing number": ("size,color\n1,red\n,red\n", "error", "new.csv: line 3, column 'size': the value is missing"),
    "missing category": ("size,color\n1,red\n2,\n", "error", "new.csv: line 3, column 'color': the value is missing"),
    "text for numbers": ("size,color\nsmall,red\nlarge,red\n", "error", "new.csv: line 2, column 'size': 'small' is no number, and the column was numeric in the training rows"),
    "unseen number as category": ("size,color\n1,7\n", "error", "new.csv: line 2, column 'color': the training rows have no '7'; they have blue, green, red"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "missing", "message"), LATER.values(), ids=LATER)
def test_a_later_table_that_does_not_fit(tmp_path, content, missing, message):
    preprocessor = Preprocessor.fit(read_table(write(tmp_path, TRAIN)), "price")
    with pytest.raises(DataError) as error:
        preprocessor.transform(
            read_table(
                write(tmp_path, content, "new.csv"),
                columns=preprocessor.feature_names,
                categorical=preprocessor.categorical_names,
                missing=missing,
            )
        )
    assert line_of(error, tmp_path) == message


def test_a_value_too_far_from_the_training_rows(tmp_path):
    train = read_table(write(tmp_path, "a,y\n1e-300,1\n2e-300,2\n"))
    later = read_table(write(tmp_path, "a\n1e50\n", "new.csv"))
    with pytest.raises(DataError) as error:
        Preprocessor.fit(train, "y").transform(later)
    assert line_of(error, tmp_path) == (
        "new.csv: line 2, column 'a': 1e+50 is too far from the training rows "
        "(mean 1.5e-300, standard deviation 5e-301)"
    )


# Frames that no file was read for.
A, Y = [1.0, 2.0, 4.0], [2.0, 3.0, 5.0]
FRAMES = {
    "dates": (pd.DataFrame({"t": pd.date_range("2024-01-01", periods=3), "y": Y}), "the table: row 0, column 't': '2024-01-01 00:00:00' is neither a number nor text (the column is datetime64): drop the column or turn it into numbers"),
    "mixed types": (pd.DataFrame({"a": [1.0, "x", 2.0], "y": Y}), "the table: row 1, column 'a': 'x' is text in a column of other values"),
    "complex": (pd.DataFrame({"a": [1j, 2j, 3j], "y": Y}), "the table: row 0, column 'a': '1j' is neither a number nor text (the column is complex): drop the column or turn it into numbers"),
    "NaN": (pd.DataFrame({"a": [1.0, np.nan, 2.0], "y": Y}, index=["p", "q", "r"]), "the table: row q, column 'a': the value is missing"),
    "infinite": (pd.DataFrame({"a": [1.0, np.inf, 2.0], "y": Y}), "the table: row 1, column 'a': inf is not a finite number"),
    "numbered columns": (pd.DataFrame({0: A, "y": Y}), "the table: the names of columns must be text, got '0'"),
    "same name twice": (pd.DataFrame([[1.0, 2.0, 3.0]] * 3, columns=["a", "a", "y"]), "the table: the column name 'a' appears more than once"),
}  # fmt: skip


@pytest.mark.parametrize(("frame", "message"), FRAMES.values(), ids=FRAMES)
def test_a_frame_made_in_memory(frame, message):
    with pytest.raises(DataError) as error:
        Preprocessor.fit(frame, "y")
    assert str(error.value) == message


SPLITS = {
    "one row": ((1, 0.15, 0.15), "t.csv: 1 row is too few: split into 1 for training, 0 for validation (a share of 0.15) and 0 for test (a share of 0.15); training needs 2, a share above 0 needs 1"),
    "no row to validate": ((3, 0.15, 0.0), "t.csv: 3 rows are too few: split into 3 for training, 0 for validation (a share of 0.15) and 0 for test (a share of 0); training needs 2, a share above 0 needs 1"),
    "no row to test": ((10, 0.3, 0.01), "t.csv: 10 rows are too few: split into 7 for training, 3 for validation (a share of 0.3) and 0 for test (a share of 0.01); training needs 2, a share above 0 needs 1"),
    "one row to train": ((10, 0.5, 0.4), "t.csv: 10 rows are too few: split into 1 for training, 5 for validation (a share of 0.5) and 4 for test (a share of 0.4); training needs 2, a share above 0 needs 1"),
}  # fmt: skip


@pytest.mark.parametrize(("sizes", "message"), SPLITS.values(), ids=SPLITS)
def test_too_few_rows_for_the_split(sizes, message):
    with pytest.raises(DataError) as error:
        split_rows(*sizes, seed=0, source="t.csv")
    assert str(error.value) == message


def test_options_that_do_not_exist(tmp_path):
    path = write(tmp_path, "a,y\n" + ROWS)
    for call, message in (
        (lambda: read_table(path, missing="zero"), "missing must be one of error, drop, mean, got 'zero'"),
        (lambda: read_table(path, delimiter="::"), "delimiter must be one of ',', ';', '\\t', '|', ' ', got '::'"),
        (lambda: Preprocessor.fit(read_table(path), "y", "zero"), "missing must be one of error, drop, mean, got 'zero'"),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as error:
            call()
        assert str(error.value) == message
