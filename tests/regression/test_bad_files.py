import pytest

from bpref.regression import DataError, read_csv

ROWS = "1,2\n2,4\n3,5\n4,1\n5,0\n"
BAD_FILES = {
    "missing column": ("a,b\n" + ROWS, "no column 'y'; the columns are a, b"),
    "text": ("a,y\n1,2\n2,four\n3,5\n4,1\n5,0\n", "line 3, column 'y': 'four' is text in a column"),
    "text column": ("a,y\nr,2\nr,4\nb,5\nr,1\nb,0\n", "column 'a' holds text: this reader takes"),
    "NaN": ("a,y\n" + ROWS + "nan,7\n", "line 7, column 'a': the value is missing"),
    "empty cell": ("a,y\n" + ROWS + ",7\n", "line 7, column 'a': the value is missing"),
    "short row": ("a,y\n1,2\n2\n3,5\n4,1\n5,0\n", "line 3: 1 cell where the header names 2"),
    "after a blank line": (
        "a,y\n\n" + ROWS + "x,7\n",
        "line 8, column 'a': 'x' is text",
    ),
    "infinity": ("a,y\n" + ROWS + "inf,7\n", "line 7, column 'a': 'inf' is not a finite number"),
    "overflow": ("a,y\n" + ROWS + "1e200,7\n", "line 7, column 'a': '1e200' is too large"),
    "one row": ("a,y\n1,2\n", "at least 5 rows are needed, found 1"),
    "header only": ("a,y\n", "no row below the header"),
    "empty": ("", "the file is empty"),
    "blank": ("\n\n", "the file holds nothing but blank lines"),
    "constant column": ("a,y\n7,2\n7,4\n7,5\n7,1\n7,0\n", "column 'a' is constant"),
    "constant target": ("a,y\n1,3\n2,3\n4,3\n5,3\n6,3\n", "column 'y' is constant"),
    "long row": ("a,y\n1,2\n2,4,9\n3,5\n4,1\n5,0\n", "line 3: 3 cells where the header names 2"),
    "same name twice": ("a,a,y\n1,2,3\n", "line 1: columns 1 and 2 have the same name 'a'"),
    "target only": ("y\n1\n2\n3\n4\n5\n", "no column is left to predict y from"),
    "not text": (b"\xff\xfe\x00a,y\n", "UTF-16, not UTF-8"),
}


@pytest.fixture(params=BAD_FILES, ids=lambda name: name.replace(" ", "-"))
def bad_file(request, tmp_path):
    content, message = BAD_FILES[request.param]
    path = tmp_path / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path, message


def test_a_bad_file_is_one_line_that_names_the_place(bad_file):
    path, message = bad_file
    with pytest.raises(DataError, match=message) as error:
        read_csv(path, "y")
    assert str(error.value).startswith(f"{path}: ")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_path_that_cannot_be_read_is_one_line(tmp_path, name):
    with pytest.raises(DataError, match="cannot be read"):
        read_csv(tmp_path / name, "y")
