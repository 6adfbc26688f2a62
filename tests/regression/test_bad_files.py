import pytest

from bpref.regression import DataError, read_csv

ROWS = "1,2\n2,4\n3,5\n4,1\n5,0\n"
BAD_FILES = {
    "missing column": ("a,b\n" + ROWS, "no column 'y'; the columns are a, b"),
    "text": ("a,y\n1,2\n2,four\n3,5\n4,1\n5,0\n", "line 3, column 'y': value 'four' is not"),
    "NaN": ("a,y\n" + ROWS + "nan,7\n", "line 7, column 'a': value is missing"),
    "empty cell": ("a,y\n" + ROWS + ",7\n", "line 7, column 'a': value is missing"),
    "short row": ("a,y\n1,2\n2\n3,5\n4,1\n5,0\n", "line 3, column 'y': value is missing"),
    "after a blank line": ("a,y\n\n" + ROWS + "x,7\n", "line 8, column 'a': value 'x' is not"),
    "infinity": ("a,y\n" + ROWS + "inf,7\n", "line 7, column 'a': value 'inf' is not"),
    "overflow": ("a,y\n" + ROWS + "1e200,7\n", "line 7, column 'a': value '1e200' is too large"),
    "one row": ("a,y\n1,2\n", "at least 5 data rows are needed, found 1"),
    "header only": ("a,y\n", "at least 5 data rows are needed, found 0"),
    "empty": ("", "the file is empty"),
    "blank": ("\n\n", "no column 'y'|the file is empty"),
    "constant column": ("a,y\n7,2\n7,4\n7,5\n7,1\n7,0\n", "column 'a' is constant"),
    "constant target": ("a,y\n1,3\n2,3\n4,3\n5,3\n6,3\n", "column 'y' is constant"),
    "long row": ("a,y\n1,2\n2,4,9\n3,5\n4,1\n5,0\n", "Expected 2 fields in line 3, saw 3"),
    "same name twice": ("a,a,y\n1,2,3\n", "line 1: the column name 'a' appears more than once"),
    "target only": ("y\n1\n2\n3\n4\n5\n", "'y' is the only column"),
    "not text": (b"\xff\xfe\x00a,y\n", "not UTF-8"),
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
